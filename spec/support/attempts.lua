-- Servers that fail as often as a request says, and what came of the request.
local assert = require "luassert"

local methods = { "GET", "PUT", "DELETE", "POST", "PATCH" }

local idempotent = { GET = true, PUT = true, DELETE = true }

-- Starts a call of any method; all but GET have a body.
local function start(client, method, path, options)
  local given = { wait = false }
  for name, value in pairs(options or {}) do given[name] = value end
  local parts = method ~= "GET" and { body = { text = "hello" } } or nil
  return client:request(method, path, parts, given)
end

local function ended(request)
  local result, message, err = request:wait(30)
  return { result = result, message = message, err = err }
end

local function failure(request)
  local outcome = ended(request)
  assert.is_nil(outcome.result)
  assert.is_table(outcome.err, outcome.message)
  assert.equal(outcome.message, tostring(outcome.err))
  return outcome.err
end

-- The requests the server had for a path, and the seconds from the first to the last.
local function deliveries(fault_server, method, path)
  local found = {}
  for _, request in ipairs(fault_server:requests()) do
    if request.method == method and request.path == path then found[#found + 1] = request end
  end
  return found, found[1] and found[#found].time - found[1].time
end

-- Answers the first requests to a path with the status in X-Status and the Retry-After in
-- X-Reply, as many of them as X-Failures says, and the others with 200.
local failing = [[
  local connection = ...
  seen = seen or {}
  while true do
    local request = connection:request()
    if not request then return end
    local headers, place = request.headers, request.method .. request.path
    seen[place] = (seen[place] or 0) + 1
    if seen[place] > tonumber(headers["x-failures"] or "1000") then
      connection:reply(200, { count = seen[place] })
    else
      connection:reply(tonumber(headers["x-status"]), { message = "not now" },
        { ["Retry-After"] = headers["x-reply"] })
    end
  end
]]

return { methods = methods, idempotent = idempotent, failing = failing,
  start = start, ended = ended, failure = failure, deliveries = deliveries }
