-- Asks many conversations one question, at most sixteen at a time:
-- lua5.4 fan_out.lua QUESTION CONVERSATION-ID...
-- Without ids it creates fifty conversations, and deletes them afterwards.
local raia = require "raia"

local client = raia.client { max_connections = 16 }
local question = arg[1] or "In one word: how was our service?"
local ids = table.move(arg, 2, #arg, 1, {})
local own = #ids == 0

local user
if own then
  user = assert(client.users:find_or_create {
    firstName = "Survey", lastName = "Example", fkId = "fan-out-example" })
  local list = {}
  for i = 1, 50 do list[i] = i end
  ids = assert(raia.map(list, function(i)
    local conversation, message, err = client.conversations:create {
      conversationUserId = user.id, title = "Survey " .. i }
    return conversation and conversation.id, message, err
  end))
end

local answers, failures = raia.map(ids, function(id)
  return client:conversation(id):send(question)
end, { on_progress = raia.progress "asked", on_error = "collect" })

for i, id in ipairs(ids) do
  print(id, answers[i] or "! " .. failures[i].message)
end
if own then assert(client.conversations:delete_all(user.id)) end
if next(failures) then os.exit(1) end
