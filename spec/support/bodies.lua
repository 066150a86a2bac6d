-- Bodies of the operations with every field.

local function copy(value)
  if type(value) ~= "table" then return value end
  local copied = {}
  for name, inside in pairs(value) do copied[name] = copy(inside) end
  return copied
end

local function with(fields, more)
  local result = copy(fields)
  for name, value in pairs(more) do result[name] = value end
  return result
end

local PERSON = {
  firstName = "Ada", lastName = "Byron", email = "ada@example.com", phoneNumber = "+15551234567",
  context = "likes engines", conversationContext = "asks about 1815", source = "CRM",
  fkId = "order-1815", fkUserId = "user-7",
  customData = { order = { id = 1815, paid = true, weight = 0.5, lines = { "nut", "bolt" } } },
}

local STARTS = {
  email = with(PERSON, { channel = "email", emailSubject = "Your order",
    emailIntroduction = "Dear Ada,\nit is late. 😀", includeSignatureInEmail = true,
    resetConversation = false }),
  sms = with(PERSON, { channel = "sms", smsIntroduction = "Hi Ada",
    includeSignatureInSms = false, resetConversation = true }),
  voice = with(PERSON, { channel = "voice", firstMessage = "Good morning, Ada." }),
}

local CREATE = { conversationUserId = "user-7", title = "Engines", context = "likes engines",
  customData = PERSON.customData }

return { copy = copy, with = with, PERSON = PERSON, STARTS = STARTS, CREATE = CREATE }
