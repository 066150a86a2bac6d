-- Starts a conversation by email, SMS or voice: lua5.4 start.lua CHANNEL ADDRESS [FIRST LAST]
local raia = require "raia"

local fields_of = {
  email = function(address)
    return {
      email = address,
      emailSubject = "Your order",
      emailIntroduction = "Hello, this is Mindy. I have news of your order.",
    }
  end,
  sms = function(number)
    return { phoneNumber = number, smsIntroduction = "Hi, this is Mindy. News of your order!" }
  end,
  voice = function(number)
    return { phoneNumber = number, firstMessage = "Hello, this is Mindy, about your order." }
  end,
}

local channel, address = arg[1], arg[2]
if not fields_of[channel] or not address then
  io.stderr:write("usage: lua5.4 start.lua email|sms|voice ADDRESS-OR-NUMBER [FIRST LAST]\n")
  os.exit(2)
end

local fields = fields_of[channel](address)
fields.channel, fields.source = channel, "examples"
fields.firstName, fields.lastName = arg[3] or "Ada", arg[4] or "Byron"
fields.customData = { order = 1815 }

local conversation, message, err = raia.client().conversations:start(fields)
if not conversation then
  io.stderr:write(message, "\n")
  if err.sent == "maybe" then io.stderr:write("It may have gone out all the same.\n") end
  os.exit(1)
end
print(conversation.id)
