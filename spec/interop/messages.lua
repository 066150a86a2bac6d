-- What is sent and what comes back: each says what it has to be, so that a reader can tell.
local OVERHEAD = #'{"id":"m","message":""}'

local words = {}
for i = 1, 16384 do words[i] = ("%04x"):format(i * i * 40503 & 0xffff) end
local POOL = table.concat(words)

-- So many bytes, which no other id has.
local function text(id, length)
  local all = id .. ":" .. POOL:sub(id * 4099 % #POOL + 1) .. POOL:rep(length // #POOL + 1)
  return all:sub(1, length)
end

-- A message of some more than `bytes`, which asks for a reply of so many, and the reply's text.
local function question(id, bytes, reply_bytes)
  return ("%d %d %s"):format(id, reply_bytes, text(id, bytes)), text(id, reply_bytes - OVERHEAD)
end

-- The text to reply with, when the question has come whole.
local function answer(message)
  local id, reply_bytes, rest = message:match "^(%d+) (%d+) (.*)$"
  id = math.tointeger(id)
  assert(rest == text(id, #rest), "the question was damaged on its way")
  return text(id, reply_bytes - OVERHEAD)
end

-- The reply to a body.
local function reply(body)
  return '{"id":"m","message":"' .. answer(body:match '"message":"(.-)"') .. '"}'
end

-- A reply of so many bytes that nobody has to ask for: its id is their number.
local function file(bytes)
  return '{"id":"m","message":"' .. text(bytes, bytes - OVERHEAD) .. '"}'
end

local function id_in(body)
  return math.tointeger(body:match '"message":"(%d+)')
end

return { question = question, answer = answer, reply = reply, file = file, id_in = id_in }
