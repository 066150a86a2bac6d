-- Shared by the specs of tasks: a server whose paths say how it answers, and <close> values.
local busted = require "busted"
local scheduler = require "raia.core".scheduler
local connect = require "spec.support.client" ()
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

-- In the block that calls this: one server, and for each spec a client, which are handed with a
-- conversation of it to hand(server, client, conversation). After each spec no request is left.
local function provide(hand)
  local server, client
  busted.setup(function() server = servers.start(script) end)
  busted.teardown(function() server:close() end)
  busted.before_each(function()
    client = connect(server)
    if hand then hand(server, client, client:conversation "c") end
  end)
  busted.after_each(function()
    client:close()
    assert(scheduler.state() == 0, "a request is left")
  end)
end

-- How many connections the server has seen closed while it did not answer.
local function closed(server)
  local notes = server:notes()
  for _, note in ipairs(notes) do assert(note.note == "closed", note.note) end
  return #notes
end

return {
  provide = provide,
  closed = closed,
  -- A value that calls fn when it goes out of scope.
  closing = function(fn) return setmetatable({}, { __close = fn }) end,
}
