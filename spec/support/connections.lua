-- Connections that a script breaks, and what became of the calls on them.
local cqueues = require "cqueues"
local assert = require "luassert"
local certificates = require "spec.support.certificates"
local clients = require "spec.support.client"
local failure = require "spec.support.failure"
local server = require "spec.support.server"

local certificate = certificates()

-- What each script begins with.
local prelude = [[
  local connection, index = ...
  local function reply_bytes(text)
    local body = ('{"id":"m","message":"%s"}'):format(text)
    return ("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s")
      :format(#body, body)
  end
  local function answer(text) return connection:send(reply_bytes(text)) end
  local function serve(text)
    while connection:request() do answer(text) end
  end
]]

local function start(script, over_tls)
  return server.start(prelude .. script, over_tls and { tls = certificate.good })
end

local connect = clients { timeout = 5, ca_file = certificate.ca }

-- Fails unless the three values of a call are those of an error of this kind.
local function check_failure(kind, sent, result, message, err)
  failure(kind, result, message, err)
  assert.equal(sent, err.sent, message)
  assert.is_nil(err.status)
  return err
end

local function timed(f, ...)
  local began = cqueues.monotime()
  local results = table.pack(f(...))
  return cqueues.monotime() - began, table.unpack(results, 1, results.n)
end

local function wait_until(condition)
  local deadline = cqueues.monotime() + 10
  while not condition() do
    assert.is_true(cqueues.monotime() < deadline, "it did not come to pass")
    cqueues.sleep(0.01)
  end
end

local calls = {
  { "message", function(client) return client:conversation("a"):send("hello") end },
  { "POST without a body", function(client) return client:request("POST", "/x") end },
  { "PATCH", function(client) return client:request("PATCH", "/x", { body = { a = 1 } }) end },
  { "PATCH without a body", function(client) return client:request("PATCH", "/x") end },
}

local send, get = calls[1][2], function(client) return client.conversations:get("a") end

return { certificate = certificate, start = start, connect = connect, calls = calls, send = send,
  get = get, check_failure = check_failure, timed = timed, wait_until = wait_until }
