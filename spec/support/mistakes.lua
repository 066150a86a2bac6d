-- Calls that raise: their messages, and a server that shows whether anything was sent.
local assert = require "luassert"

local ECHO = [[
  local connection = ...
  local request = connection:request()
  while request do
    connection:reply(200, '{"id":"c-1","conversationId":"c-1","messages":[]}')
    request = connection:request()
  end]]

local function with(fields, more)
  local result = {}
  for name, value in pairs(fields) do result[name] = value end
  for name, value in pairs(more or {}) do result[name] = value end
  return result
end

-- The message of the error that a call raises.
local function raised(call, ...)
  local ok, message = pcall(call, ...)
  assert.is_false(ok)
  assert.is_string(message)
  return message
end

local function mentions(text, word)
  assert.is_truthy(text:find(word, 1, true), ("no %q in %q"):format(word, text))
end

return { ECHO = ECHO, with = with, raised = raised, mentions = mentions }
