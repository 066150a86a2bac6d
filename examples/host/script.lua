-- What a user of examples/host might write: twenty questions, side by side.
local raia = require "raia"

local client = raia.client()
local conversations = {}
for i = 1, 20 do
  local player = assert(client.users:find_or_create {
    firstName = "Player", lastName = tostring(i), fkId = "player-" .. i })
  conversations[i] = assert(client.conversations:create { conversationUserId = player.id })
end
local answers = assert(raia.map(conversations, function(conversation, i)
  return conversation:send("Who is number " .. i .. "?")
end, { concurrency = 20 }))
for _, answer in ipairs(answers) do print(answer) end
