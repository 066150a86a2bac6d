-- What a user of examples/host might write: twenty questions, side by side.
local raia = require "raia"

local client = raia.client()
local conversations = {}
for i = 1, 20 do
  conversations[i] = assert(client.conversations:create { conversationUserId = "player-" .. i })
end
local answers = assert(raia.map(conversations, function(conversation, i)
  return conversation:send("Who is number " .. i .. "?")
end, { concurrency = 20 }))
for _, answer in ipairs(answers) do print(answer) end
