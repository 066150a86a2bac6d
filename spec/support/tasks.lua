-- What the specs of tasks share: a server whose paths say how it answers, and <close> values.
local servers = require "spec.support.server"

-- /hang never answers, /slow after 0.3 s, /after/SECONDS after so many; /status/CODE with that.
local script = [[
local connection = ...
local request = connection:request()
while request do
  if request.path:find "^/hang" then
    connection:note(connection:wait_close(60) and "closed" or "still open")
    return
  end
  local seconds = request.path:match "^/after/([%d.]+)" or request.path:find "^/slow" and 0.3
  if seconds then connection:sleep(tonumber(seconds)) end
  local status = tonumber(request.path:match "^/status/(%d+)") or 200
  local body = request.body ~= "" and require "cjson".decode(request.body) or {}
  connection:reply(status, { id = "m", path = request.path, message = body.message })
  request = connection:request()
end
]]

return {
  start = function() return servers.start(script) end,
  -- A value that calls fn when it goes out of scope.
  closing = function(fn) return setmetatable({}, { __close = fn }) end,
}
