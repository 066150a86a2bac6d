-- A person approves what an agent writes, or says what to change: lua5.4 person.lua [TASK]
-- io.read would stop the whole program until a line comes. Here luv reads, and a queue hands the
-- lines to the task that waits for them: all other tasks and calls go on.
local raia, uv = require "raia", require "luv"
raia.use "luv"
local lines, terminal = raia.queue(), uv.guess_handle(0) == "tty"
local stdin = terminal and uv.new_tty(0, true) or uv.new_pipe()
if not terminal then assert(stdin:open(0)) end
stdin:read_start(function(_, text)
  for line in (text or ""):gmatch "[^\r\n]+" do lines:put(line) end
  if not text then lines:close() end
end)

raia.spawn(function()
  local client = raia.client()
  local user = assert(client.users:find_or_create {
    firstName = "Approver", lastName = "Example", fkId = "person-example" })
  local conversation = assert(client.conversations:create { conversationUserId = user.id })
  print(assert(conversation:send(arg[1] or "Write to a customer whose parcel is late.")))
  for line in lines do -- lines:take(60) would wait a minute at most
    if line == "ok" then break end
    print(assert(conversation:send("Change this: " .. line)))
  end
  stdin:close()
end)
uv.run()
