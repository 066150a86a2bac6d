-- on_event: which attempts it is told of, and what it may do.
local cqueues = require "cqueues"
local raia = require "raia"
local calls = require "spec.support.calls"
local run = require "spec.support.run".run
local server = require "spec.support.server"

local PATIENCE = 20 -- seconds until something that should happen counts as not happening

local connect = require "spec.support.client" ()
local given = require "spec.support.requests"

local ECHO, HOLD, BUSY, start, get =
  given.ECHO, given.HOLD, given.BUSY, given.start, given.get

local fails = require "spec.support.failure"

describe("on_event", function()
  it("is told of each attempt once", function()
    local peer <close> = server.start [[
      local connection = ...
      local request = connection:request()
      while request do
        count = (count or 0) + 1
        local status = count < 3 and 503 or 200
        connection:reply(status, "{}")
        request = connection:request()
      end]]
    local events = {}
    local client <close> = connect(peer, { max_retries = 5, on_event = function(...)
      events[#events + 1] = table.pack(...)
    end })
    assert(client:request("GET", "/x", { query = { a = 1 } }))
    assert.equal(3, #events)
    for i, arguments in ipairs(events) do
      assert.equal(1, arguments.n)
      local event = arguments[1]
      assert.equal("GET", event.method)
      assert.equal("/x", event.path)
      assert.equal(i, event.attempt)
      assert.equal(i < 3 and 503 or 200, event.status)
      assert.equal("integer", math.type(event.status))
      assert.equal(i < 3 and "http" or nil, event.kind)
      assert.equal("application/json", event.headers["content-type"])
      if i < 3 then
        assert.is_true(event.retry_in > 0 and event.retry_in <= 1)
      else
        assert.is_nil(event.retry_in)
      end
      assert.equal("float", math.type(event.elapsed))
      assert.is_true(event.elapsed >= 0 and event.elapsed < PATIENCE)
    end
  end)

  it("is told of each attempt once, however late anybody looks", function()
    local peer <close> = server.start [[
      local connection = ...
      counts = counts or {}
      local request = connection:request()
      while request do
        local path = request.path
        counts[path] = (counts[path] or 0) + 1
        connection:reply(counts[path] < 3 and 503 or 200, "{}")
        request = connection:request()
      end]]
    local told, requests = {}, {}
    local client <close> = connect(peer, { max_retries = 5, on_event = function(event)
      told[event.path] = (told[event.path] or "") .. event.attempt .. ": " .. event.status .. " "
    end })
    for i = 1, 10 do requests[i] = start(client, "/" .. i) end
    for _ = 1, 10 do -- several things to do each time: the event, the next attempt, its answer
      requests[1]:wait(0.05)
      cqueues.sleep(0.3)
    end
    for i, request in ipairs(requests) do
      assert(request:wait())
      assert.equal("1: 503 2: 503 3: 200 ", told["/" .. i])
    end
  end)

  it("is told the server's name for a request, and so is the log", function()
    local peer <close> = server.start [[
      local connection = ...
      connection:request()
      connection:reply(200, {}, { ["X-Request-Id"] = "r-16" })]]
    local seen
    local client <close> = connect(peer, { on_event = function(event) seen = event end })
    assert(client:request("GET", "/x"))
    assert.equal("r-16", seen.request_id)
    local other <close> = server.start [[
      local connection = ...
      connection:request()
      connection:reply(200, {}, { ["X-Request-Id"] = "r-17" })]]
    local output = run("lua5.4 -", { RAIA_LOG = "info", URL = other.base_url }, [[
      assert(require "raia".client { base_url = os.getenv "URL", secret_key = "k" }
        :request("GET", "/x"))]])
    assert.matches("connection new, request r%-17\n$", output)
  end)

  it("is told of a wait before another attempt, and so is the log", function()
    local peer <close> = server.start [[
      local connection = ...
      connection:request()
      connection:reply(429, {}, { ["Retry-After"] = "1" })
      connection:request()
      connection:reply(200, {})]]
    local output = run("lua5.4 -", { RAIA_LOG = "info", URL = peer.base_url }, [[
      local waits = {}
      assert(require "raia".client { base_url = os.getenv "URL", secret_key = "k",
        on_event = function(event) waits[event.attempt] = event.retry_in or "none" end }
        :request("GET", "/x"))
      print(waits[1], waits[2])]])
    assert.matches("\nraia: GET /x: next attempt in 1.0 s\n", output)
    assert.matches("\n1.0\tnone\n$", output)
  end)

  it("is told of attempts that came to nothing", function()
    local events = {}
    local function on_event(event) events[#events + 1] = event end
    local client = raia.client { secret_key = "k", max_retries = 0, on_event = on_event,
      base_url = "http://127.0.0.1:" .. server.dead_port() }
    fails("connection", calls.send(client))
    assert.equal(1, #events)
    assert.equal("connection", events[1].kind)
    assert.equal("POST", events[1].method)
    assert.equal("/external/conversations/c-1/messages", events[1].path)
    assert.is_nil(events[1].status)
    local peer <close> = server.start(HOLD)
    fails("timeout", calls.get(connect(peer, { timeout = 0.2, on_event = on_event })))
    assert.equal("timeout", events[2].kind)
    assert.equal(2, #events)
  end)

  it("hears nothing of what was not attempted", function()
    local client = raia.client { secret_key = "k", base_url = "http://127.0.0.1:1",
      on_event = function() error("an event") end }
    fails("invalid", client.conversations:create {})
    client:close()
    fails("closed", calls.get(client))
  end)

  it("is told of all requests, whichever is waited for", function()
    local peer <close> = server.start(ECHO)
    local paths = {}
    local client <close> = connect(peer, { on_event = function(event)
      paths[event.path] = (paths[event.path] or 0) + 1
    end })
    local requests = {}
    for i = 1, 5 do requests[i] = start(client, "/" .. i) end
    for i = 5, 1, -1 do requests[i]:wait() end
    assert.same({ ["/1"] = 1, ["/2"] = 1, ["/3"] = 1, ["/4"] = 1, ["/5"] = 1 }, paths)
  end)

  it("raises its error, as it is, from the call", function()
    local peer <close> = server.start(ECHO)
    local values = { "words", {}, 17, true, print, setmetatable({}, { __tostring = error }), nil }
    for i = 1, 7 do
      local client <close> = connect(peer, { on_event = function() error(values[i], 0) end })
      for _, call in pairs(calls) do
        local ok, value = pcall(call, client)
        assert.is_false(ok)
        assert.is_true(rawequal(values[i], value))
        local request = call(client, { wait = false })
        for _ = 1, 2 do
          ok, value = pcall(request.wait, request)
          assert.is_false(ok)
          assert.is_true(rawequal(values[i], value))
        end
      end
    end
  end)

  it("with an error loses nothing else", function()
    local peer <close> = server.start(ECHO)
    local seen = {}
    local client <close> = connect(peer, { on_event = function(event)
      seen[event.path] = (seen[event.path] or 0) + 1
      if event.path == "/bad" then error("own words", 0) end
    end })
    local before, bad, after = start(client, "/1"), start(client, "/bad"), start(client, "/2")
    assert.equal("/3", get(client, "/3"))
    assert.equal("/2", assert(after:wait()).id)
    assert.equal("/1", assert(before:wait()).id)
    for _, method in ipairs { "wait", "result" } do
      local ok, value = pcall(bad[method], bad)
      assert.is_false(ok)
      assert.equal("own words", value)
    end
    assert.equal("/4", get(client, "/4"))
    assert.same({ ["/1"] = 1, ["/2"] = 1, ["/3"] = 1, ["/4"] = 1, ["/bad"] = 1 }, seen)
  end)

  it("with an error ends the further attempts", function()
    local peer <close> = server.start [[
      local connection = ...
      while connection:request() do connection:reply(503) end]]
    local client <close> = connect(peer, { max_retries = 5, on_event = function()
      error("own words", 0)
    end })
    local ok, value = pcall(calls.get, client)
    assert.is_false(ok)
    assert.equal("own words", value)
    assert.equal(1, #peer:requests())
  end)

  it("may make calls itself, and close its client", function()
    local peer <close> = server.start(ECHO)
    local client, inner
    client = connect(peer, { on_event = function(event)
      if event.path == "/outer" then inner = get(client, "/inner") end
    end })
    assert.equal("/outer", get(client, "/outer"))
    assert.equal("/inner", inner)
    local busy <close> = server.start(BUSY)
    client = connect(busy, { max_retries = 5, on_event = function()
      collectgarbage()
      client:close()
    end })
    local other = start(client, "/other")
    fails("closed", client:request("GET", "/x"))
    fails("closed", other:wait())
  end)

  it("may cancel its request", function()
    local peer <close> = server.start(BUSY)
    local request
    local client <close> = connect(peer, { max_retries = 5, on_event = function()
      request:cancel()
    end })
    request = start(client, "/x")
    assert.equal(1, fails("cancelled", request:wait()).attempts)
  end)

  it("cannot yield, and the call says so", function()
    local peer <close> = server.start(ECHO)
    local client <close> = connect(peer, { on_event = function() coroutine.yield("stray") end })
    local thread = coroutine.create(function() return pcall(calls.get, client) end)
    local _, ok, message = coroutine.resume(thread)
    assert.is_false(ok)
    assert.matches("yield", message)
    assert.equal("dead", coroutine.status(thread))
  end)
end)
