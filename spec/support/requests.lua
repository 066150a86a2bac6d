-- Servers that answer at once, when told to, or never, and helpers to make requests to them.
local cqueues = require "cqueues"
local assert = require "luassert"

local PATIENCE = 20 -- seconds until something that should happen counts as not happening

-- Answers with the path.
local ECHO = [[
  local connection = ...
  local request = connection:request()
  while request do
    connection:reply(200, ('{"id":"%s","messages":[]}'):format(request.path))
    request = connection:request()
  end]]

-- The same, but nothing is answered before something has been sent to /release.
local GATE = [[
  local connection = ...
  local request = connection:request()
  while request do
    if request.path == "/release" then released = true end
    while not released do connection.sleep(0.01) end
    connection:reply(200, ('{"id":"%s"}'):format(request.path))
    request = connection:request()
  end]]

-- Answers what is sent to /answer; of other requests it notes how their connection ends.
local HOLD = [[
  local connection = ...
  local request = connection:request()
  while request do
    if request.path ~= "/answer" then
      local closed = connection:wait_close(20)
      connection:note(closed and "closed" or "open")
      return
    end
    connection:reply(200, '{"id":"/answer"}')
    request = connection:request()
  end]]

local BUSY = [[
  local connection = ...
  while connection:request() do connection:reply(503, "", { ["Retry-After"] = "15" }) end]]

local function start(client, path, options)
  local all = { wait = false }
  for name, value in pairs(options or {}) do all[name] = value end
  return client:request("GET", path, nil, all)
end

local function get(client, path)
  return assert(client:request("GET", path)).id
end

local function eventually(condition)
  local deadline = cqueues.monotime() + PATIENCE
  while not condition() do
    assert.is_true(cqueues.monotime() < deadline, "it should have happened by now")
    cqueues.sleep(0.01)
  end
end

-- Moves a request along until the server has it.
local function deliver(request, peer, count)
  eventually(function()
    assert.is_false(request:done())
    return #peer:requests() >= (count or 1)
  end)
end

return { ECHO = ECHO, GATE = GATE, HOLD = HOLD, BUSY = BUSY,
  start = start, get = get, eventually = eventually, deliver = deliver }
