-- A chat in the terminal: lua5.4 chat.lua [CONVERSATION-ID]; Ctrl-D ends it.
-- For a line that can be edited and recalled: rlwrap lua5.4 chat.lua
local raia = require "raia"

local client = raia.client()
local conversation
if arg[1] then
  conversation = client:conversation(arg[1])
else
  local name = os.getenv("USER") or "somebody"
  local user = assert(client.users:find_or_create {
    firstName = name, lastName = "", fkId = "chat-" .. name })
  conversation = assert(client.conversations:create {
    conversationUserId = user.id, title = "A chat in the terminal" })
  print("(conversation " .. conversation.id .. ")")
end

while true do
  io.write("you: ")
  io.flush()
  local line = io.read()
  if not line then break end
  if line:find("%S") then
    local answer, problem, err = conversation:send(line)
    if answer then
      print("agent: " .. tostring(answer))
    else
      print("! " .. problem)
      if err.kind == "http" and (err.status == 403 or err.status == 404) then os.exit(1) end
    end
  end
end
print()
