-- A conversation by SMS: starts it, asks a question, prints what was said.
local raia = require "raia"

local client = raia.client() -- the key is in RAIA_AGENT_SECRET_KEY
local conversation = assert(client.conversations:start {
  channel = "sms",
  firstName = "Ada",
  lastName = "Byron",
  phoneNumber = arg[1] or "+15551234567",
  smsIntroduction = "Hi Ada, this is Mindy. How can I help?",
})
assert(conversation:send("Where is my order?", { context = "Order 1815" }))

for _, message in ipairs(assert(conversation:messages())) do
  print(message.senderRole .. ": " .. tostring(message))
end
