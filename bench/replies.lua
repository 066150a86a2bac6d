-- Writes the replies that the servers give into a directory: replies.lua DIRECTORY.
local cjson = require "cjson"

local function message(i, length)
  return {
    id = ("0f9c7a52-4d1e-4b6a-9c3f-%012d"):format(i), conversationId = "c-1",
    conversationMessageId = ("5b1d2e90-7a44-4f0e-8d21-%012d"):format(i - 1),
    senderRole = i % 2 == 0 and "assistant" or "conversation_user", source = "api",
    message = ("Your order %d is on its way. "):format(i):rep(15):sub(1, length),
    rawMessage = cjson.null, createdAt = "2025-01-01T00:00:00.000Z",
  }
end

local function write(name, value)
  local file = assert(io.open(arg[1] .. "/" .. name, "wb"))
  assert(file:write(cjson.encode(value)))
  assert(file:close())
end

write("answer.json", message(2, 359))
for _, n in ipairs { 100, 300, 1000, 3000, 10000, 30000 } do
  local messages = {}
  for i = 1, n do messages[i] = message(i, 334) end
  write(("h%d.json"):format(n), { messages = messages })
end
