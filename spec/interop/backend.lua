-- The plain server behind all the others, as a script for spec/support/fault_server.lua. It
-- answers messages, and /file/BYTES.json; below /slow it takes its time.
return [[
local connection = ...
local messages = require "spec.interop.messages"
for request in connection.request, connection do
  local bytes = request.path:match "/file/(%d+)%.json$"
  if request.path:find "^/slow/" then connection:sleep(0.02) end
  connection:reply(200, bytes and messages.file(math.tointeger(bytes))
    or messages.reply(request.body))
end
]]
