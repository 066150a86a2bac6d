-- Requests: wait, done, result, cancel, close, on_event, coroutines, garbage and Ctrl-C.
local certificates = require "spec.support.certificates"
local cqueues = require "cqueues"
local raia = require "raia"
local calls = require "spec.support.calls"
local sandbox = require "raia.sandbox"
local server = require "spec.support.server"
local support = require "spec.support.run"

local PATIENCE = 20 -- seconds until something that should happen counts as not happening
-- Lua in a process that is ended after so long, whatever it does with signals.
local LIMITED = "timeout --foreground --signal=KILL 10 lua5.4"

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

local function client_of(peer, options)
  local all = { secret_key = "k", base_url = peer.base_url, max_retries = 0 }
  for name, value in pairs(options or {}) do all[name] = value end
  return raia.client(all)
end

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

local function fails(kind, result, message, err)
  assert.is_nil(result)
  assert.equal(kind, err.kind)
  assert.equal(message, err.message)
  return err
end

describe("a request", function()
  it("is what any call gives with wait = false, at once", function()
    local peer <close> = server.start(HOLD)
    local client <close> = client_of(peer)
    for _, call in pairs(calls) do
      local request = call(client, { wait = false })
      assert.is_userdata(request)
      assert.matches("^raia%.request ", tostring(request))
      assert.is_false(request:done())
      assert.is_true(request:cancel())
    end
  end)

  it("gives what the call would have given", function()
    local peer <close> = server.start(GATE)
    local client <close> = client_of(peer)
    local request = start(client, "/a")
    assert(client:request("POST", "/release"))
    assert.same({ id = "/a" }, (assert(request:wait())))
    local messages <close> = server.start [[
      local connection = ...
      while connection:request() do
        connection:reply(200, '{"id":"m-1","conversationId":"c-1","message":"Hi","messages":[]}')
      end]]
    local other <close> = client_of(messages)
    for _, call in pairs(calls) do
      local waited, expected = call(other, { wait = false }):wait(), call(other)
      assert.equal(type(expected), type(waited))
      assert.equal(tostring(expected):match("^%a+"), tostring(waited):match("^%a+"))
    end
    assert.equal("Hi", tostring(calls.send(other, { wait = false }):wait()))
  end)

  it("goes on when the seconds to wait are over", function()
    local peer <close> = server.start(GATE)
    local client <close> = client_of(peer)
    local request = start(client, "/a")
    for _, seconds in ipairs { 0, 0.05, 0.2 } do
      local values = table.pack(request:wait(seconds))
      assert.is_nil(values[1])
      assert.is_string(values[2])
      assert.is_nil(values[3])
    end
    local result, message, err = request:result()
    assert.is_nil(result)
    assert.is_string(message)
    assert.is_nil(err)
    assert.is_false(request:done())
    assert(client:request("POST", "/release"))
    assert.same({ id = "/a" }, (assert(request:wait(PATIENCE))))
    assert.is_true(request:done())
    assert.equal(1, #peer:requests() - 1)
  end)

  it("comes to its end by being asked whether it is done", function()
    local peer <close> = server.start(ECHO)
    local client <close> = client_of(peer)
    local request = start(client, "/a")
    eventually(function() return request:done() end)
    assert.equal("/a", assert(request:result()).id)
  end)

  it("comes to its end while another is waited for", function()
    local peer <close> = server.start(GATE)
    local client <close> = client_of(peer)
    local first, second = start(client, "/a"), start(client, "/b")
    deliver(second, peer, 2)
    assert(client:request("POST", "/release"))
    assert.equal("/b", assert(second:wait()).id)
    assert.equal("/a", assert(first:wait()).id)
  end)

  it("gives the same each time", function()
    local peer <close> = server.start [[
      local connection = ...
      local request = connection:request()
      while request do
        connection:reply(request.path == "/bad" and 404 or 200,
          '{"id":"c-1","conversationId":"c-1","message":"Hi","messages":[{"id":"m"}]}')
        request = connection:request()
      end]]
    local client <close> = client_of(peer)
    for _, call in pairs(calls) do
      local request = call(client, { wait = false })
      local first = assert(request:wait())
      for _ = 1, 2 do
        assert.is_true(rawequal(first, request:wait()))
        assert.is_true(rawequal(first, request:wait(0)))
        assert.is_true(rawequal(first, request:result()))
      end
      assert.is_true(request:done())
    end
    local bad = start(client, "/bad")
    local _, message, err = bad:wait()
    for _, method in ipairs { "wait", "result" } do
      local result, words, again = bad[method](bad)
      assert.is_nil(result)
      assert.equal(message, words)
      assert.is_true(rawequal(err, again))
    end
    local invalid = client.conversations:create({}, { wait = false })
    err = fails("invalid", invalid:wait())
    assert.is_true(rawequal(err, select(3, invalid:result())))
  end)

  it("wants a number of seconds that is not negative", function()
    local peer <close> = server.start(HOLD)
    local client <close> = client_of(peer)
    local request = start(client, "/a")
    for _, seconds in ipairs { -1, 0 / 0, -math.huge, "soon", {}, true } do
      assert.has_error(function() request:wait(seconds) end)
    end
    for _, method in ipairs { "wait", "done", "result", "cancel" } do
      assert.has_error(function() request[method]({}) end)
      assert.has_error(function() request[method](client) end)
    end
    assert.is_false(request:done())
  end)

  it("that nobody holds any more is cancelled", function()
    local peer <close> = server.start(HOLD)
    local client <close> = client_of(peer)
    local function leave() deliver(start(client, "/a"), peer) end
    leave()
    assert.same({}, peer:notes())
    collectgarbage()
    collectgarbage()
    eventually(function() return #peer:notes() == 1 end)
    assert.equal("closed", peer:notes()[1].note)
    assert.equal("/answer", get(client, "/answer"))
  end)

  it("that is held keeps its client", function()
    local peer <close> = server.start(GATE)
    local client = client_of(peer)
    local request = start(client, "/a")
    deliver(request, peer)
    client = nil -- luacheck: ignore 311
    collectgarbage()
    collectgarbage()
    local other <close> = client_of(peer)
    assert(other:request("POST", "/release"))
    assert.equal("/a", assert(request:wait()).id)
  end)

  it("is one of many at once", function()
    local peer <close> = server.start [[
      local connection = ...
      arrived = arrived or 0
      local request = connection:request()
      while request do
        arrived = arrived + 1
        while arrived < 30 do connection.sleep(0.01) end
        connection:reply(200, ('{"id":"%s"}'):format(request.path))
        request = connection:request()
      end]]
    local client <close> = client_of(peer)
    local requests = {}
    for i = 1, 30 do requests[i] = start(client, "/" .. i) end
    for i = 30, 1, -1 do assert.equal("/" .. i, assert(requests[i]:wait()).id) end
    assert.equal(30, #peer:requests())
  end)
end)

describe("cancel", function()
  it("ends a request, and says whether there was something to end", function()
    local peer <close> = server.start(HOLD)
    local client <close> = client_of(peer)
    local request = start(client, "/a")
    deliver(request, peer)
    assert.is_true(request:cancel())
    assert.is_true(request:done())
    local err = fails("cancelled", request:wait())
    assert.equal("maybe", err.sent)
    assert.is_false(request:cancel())
    assert.is_true(rawequal(err, select(3, request:result())))
    eventually(function() return #peer:notes() == 1 end)
    assert.equal("closed", peer:notes()[1].note)
  end)

  it("before anything was sent says so", function()
    local peer <close> = server.start(HOLD)
    local client <close> = client_of(peer)
    local request = start(client, "/a")
    request:cancel()
    assert.equal("no", fails("cancelled", request:wait()).sent)
    assert.equal("/answer", get(client, "/answer"))
    assert.equal(1, #peer:requests())
  end)

  it("of what is done changes nothing", function()
    local peer <close> = server.start(ECHO)
    local client <close> = client_of(peer)
    local request = start(client, "/a")
    local result = assert(request:wait())
    assert.is_false(request:cancel())
    assert.is_true(rawequal(result, request:wait()))
  end)

  it("ends a request that waits for its next attempt", function()
    local peer <close> = server.start(BUSY)
    local client <close> = client_of(peer, { max_retries = 2 })
    local request = start(client, "/a")
    deliver(request, peer)
    assert.is_nil((request:wait(0.2)))
    assert.is_true(request:cancel())
    assert.equal(1, fails("cancelled", request:wait()).attempts)
  end)

  it("leaves the next call with its own answer", function()
    local peer <close> = server.start(GATE)
    local client <close> = client_of(peer)
    for i = 1, 3 do
      local request = start(client, "/late-" .. i)
      deliver(request, peer, i)
      request:cancel()
    end
    assert.equal("/release", get(client, "/release"))
    for i = 1, 5 do assert.equal("/own-" .. i, get(client, "/own-" .. i)) end
  end)

  it("leaves the next call with its own answer over HTTP/2", function()
    local made = certificates()
    finally(made.remove)
    local agent = os.tmpname()
    local file = assert(io.open(agent, "w"))
    file:write [[return function(text)
      if text:find "^slow" then require "cqueues".sleep(1) end
      return "answer to " .. text
    end]]
    file:close()
    finally(function() os.remove(agent) made.remove() end)
    local box <close> = assert(sandbox.start { tls_cert = made.good.cert, tls_key = made.good.key,
      agent = agent })
    local client <close> = raia.client { secret_key = box.secret_key, base_url = box.base_url,
      ca_file = made.ca }
    local conversation = assert(client.conversations:create { conversationUserId = "u" })
    local slow = conversation:send("slow", { wait = false })
    assert.is_nil((slow:wait(0.3)))
    slow:cancel()
    fails("cancelled", slow:wait())
    for i = 1, 3 do
      assert.equal("answer to " .. i, tostring(assert(conversation:send(tostring(i)))))
    end
  end)
end)

describe("close", function()
  it("ends what is in flight, and keeps what is done", function()
    local peer <close> = server.start(HOLD)
    local client = client_of(peer)
    local done = start(client, "/answer")
    assert(done:wait())
    local held, unsent = start(client, "/a"), start(client, "/b")
    deliver(held, peer, 3)
    local fresh = start(client, "/c")
    client:close()
    for _, request in ipairs { held, unsent, fresh } do
      assert.is_true(request:done())
      fails("closed", request:wait())
      fails("closed", request:result())
      assert.is_false(request:cancel())
    end
    assert.equal("maybe", fails("closed", held:wait()).sent)
    assert.equal("no", fails("closed", fresh:wait()).sent)
    assert.equal("/answer", done:wait().id)
    eventually(function() return #peer:notes() == 2 end)
  end)

  it("ends what waits for its next attempt", function()
    local peer <close> = server.start(BUSY)
    local client = client_of(peer, { max_retries = 2 })
    local request = start(client, "/a")
    deliver(request, peer)
    assert.is_nil((request:wait(0.2)))
    client:close()
    assert.equal(1, fails("closed", request:wait()).attempts)
  end)

  it("twice is fine, and so is all but new calls", function()
    local peer <close> = server.start(ECHO)
    local client = client_of(peer)
    local conversations, conversation = client.conversations, client:conversation("c-1")
    assert.equal("/a", get(client, "/a"))
    client:close()
    client:close()
    assert.matches("closed", tostring(client))
    for _, call in pairs(calls) do
      local err = fails("closed", call(client))
      assert.equal("no", err.sent)
      assert.equal(0, err.attempts)
      local request = call(client, { wait = false })
      assert.is_true(request:done())
      fails("closed", request:wait())
    end
    fails("closed", conversations:get("c-1"))
    fails("closed", conversation:send("Hello"))
    assert.equal("c-1", conversation.id)
    assert.equal("c-2", client:conversation("c-2").id)
    assert.has_error(function() client.conversations:get("") end)
    client:close()
    assert.equal(1, #peer:requests())
  end)

  it("leaves other clients alone", function()
    local peer <close> = server.start(GATE)
    local client, other <close> = client_of(peer), client_of(peer)
    local request = start(other, "/a")
    deliver(request, peer)
    client:close()
    assert.is_false(request:done())
    assert(other:request("POST", "/release"))
    assert.equal("/a", assert(request:wait()).id)
  end)

  it("comes with the end of a <close> variable, also by an error", function()
    local peer <close> = server.start(HOLD)
    local request
    do
      local client <close> = client_of(peer)
      request = start(client, "/a")
      deliver(request, peer)
    end
    fails("closed", request:wait())
    local ok, message = pcall(function()
      local client <close> = client_of(peer)
      request = start(client, "/b")
      error("own words", 0)
    end)
    assert.is_false(ok)
    assert.equal("own words", message)
    fails("closed", request:wait())
  end)

  it("comes with the collection of a client", function()
    local peer <close> = server.start(HOLD)
    local alive = setmetatable({}, { __mode = "k" })
    local function leave()
      local client = client_of(peer)
      alive[client] = true
      assert.equal("/answer", get(client, "/answer"))
      deliver(start(client, "/a"), peer, 2)
    end
    leave()
    collectgarbage()
    collectgarbage()
    collectgarbage()
    assert.is_nil(next(alive))
    eventually(function() return #peer:notes() == 1 end)
  end)

  it("does not come while a part of the client is held", function()
    local peer <close> = server.start(ECHO)
    local conversations = client_of(peer).conversations
    local conversation = client_of(peer):conversation("c-1")
    collectgarbage()
    collectgarbage()
    assert(conversations:get("c-1"))
    assert(conversation:messages())
  end)

  -- how a program ends while requests are under way, what it prints, its status
  local endings = {
    ["by its end"] = { "", "^$", 0 }, ["by os.exit"] = { "os.exit(0)", "^$", 0 },
    ["by os.exit, closing the state"] = { "os.exit(3, true)", "^$", 3 },
    ["by an error"] = { "error('own words')", "^lua5.4: stdin:%d+: own words\nstack", 1 },
    ["with finalizers that use them"] =
      { "last = setmetatable({}, getmetatable(first))", "^$", 0 },
  }
  for name, ending in pairs(endings) do
    it("comes with the end of a program, " .. name, function()
      local peer <close> = server.start(HOLD)
      local output, status = support.run("lua5.4 -", { RAIA_LOG = false }, ([[
        first = setmetatable({}, { __gc = function()
          for _, request in ipairs(requests) do
            request:done()
            request:result()
            assert(tostring(request))
          end
          client:request("GET", "/answer", nil, { wait = false }):done()
          assert(tostring(client))
        end })
        client = require "raia".client { secret_key = "k", base_url = %q }
        assert(client:request("GET", "/answer"))
        requests = {}
        for i = 1, 5 do
          requests[i] = client:request("GET", "/" .. i, nil, { wait = false })
          requests[i]:wait(0.05)
        end
        %s]]):format(peer.base_url, ending[1]))
      assert.matches(ending[2], output)
      assert.equal(ending[3], status)
    end)
  end
end)

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
    local client <close> = client_of(peer, { max_retries = 5, on_event = function(...)
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
    local client <close> = client_of(peer, { max_retries = 5, on_event = function(event)
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
    fails("timeout", calls.get(client_of(peer, { timeout = 0.2, on_event = on_event })))
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
    local client <close> = client_of(peer, { on_event = function(event)
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
      local client <close> = client_of(peer, { on_event = function() error(values[i], 0) end })
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
    local client <close> = client_of(peer, { on_event = function(event)
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
    local client <close> = client_of(peer, { max_retries = 5, on_event = function()
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
    client = client_of(peer, { on_event = function(event)
      if event.path == "/outer" then inner = get(client, "/inner") end
    end })
    assert.equal("/outer", get(client, "/outer"))
    assert.equal("/inner", inner)
    local busy <close> = server.start(BUSY)
    client = client_of(busy, { max_retries = 5, on_event = function()
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
    local client <close> = client_of(peer, { max_retries = 5, on_event = function()
      request:cancel()
    end })
    request = start(client, "/x")
    assert.equal(1, fails("cancelled", request:wait()).attempts)
  end)

  it("cannot yield, and the call says so", function()
    local peer <close> = server.start(ECHO)
    local client <close> = client_of(peer, { on_event = function() coroutine.yield("stray") end })
    local thread = coroutine.create(function() return pcall(calls.get, client) end)
    local _, ok, message = coroutine.resume(thread)
    assert.is_false(ok)
    assert.matches("yield", message)
    assert.equal("dead", coroutine.status(thread))
  end)
end)

describe("in a coroutine", function()
  it("a call blocks, and yields nothing of its own", function()
    local peer <close> = server.start(ECHO)
    local client <close> = client_of(peer)
    local got = {}
    for id in coroutine.wrap(function()
      for i = 1, 3 do
        coroutine.yield(get(client, "/" .. i))
        local request = start(client, "/waited-" .. i)
        coroutine.yield(assert(request:wait()).id)
        coroutine.yield(select(2, pcall(get, client, "/protected")))
      end
    end) do
      got[#got + 1] = id
    end
    assert.same({ "/1", "/waited-1", "/protected", "/2", "/waited-2", "/protected", "/3",
      "/waited-3", "/protected" }, got)
  end)

  it("that has died, a client was made, and goes on", function()
    local peer <close> = server.start(ECHO)
    local events = 0
    local function make()
      local client = client_of(peer, { on_event = function() events = events + 1 end })
      local request = start(client, "/a")
      request:wait(0)
      coroutine.yield(client, request)
      error("it dies")
    end
    for _, finish in ipairs { coroutine.resume, coroutine.close, type } do
      local thread = coroutine.create(make)
      local _, client, request = coroutine.resume(thread)
      finish(thread)
      thread = nil -- luacheck: ignore 311
      collectgarbage()
      collectgarbage()
      assert.equal("/a", assert(request:wait()).id)
      assert.equal("/b", get(client, "/b"))
      client:close()
    end
    assert.equal(6, events)
  end)
end)

describe("the garbage collector", function()
  local modes = {
    ["at every step"] = 'debug.sethook(function() collectgarbage() end, "", 1)',
    ["at every function"] = 'debug.sethook(function() collectgarbage() end, "cr")',
    ["in steps of the least"] =
      'debug.sethook(function() collectgarbage("step", 0) end, "", 1)',
    ["without pause"] = 'collectgarbage("incremental", 1, 1000, 1)',
    ["by generations"] = 'collectgarbage("generational", 1, 1)',
    ["by generations at every step"] = 'collectgarbage("generational")'
      .. ' debug.sethook(function() collectgarbage("step") end, "", 1)',
  }
  for name, code in pairs(modes) do
    it("may run " .. name, function()
      local peer <close> = server.start [[
        local connection = ...
        local request = connection:request()
        while request do
          count = (count or 0) + 1
          local status = request.path == "/bad" and 404 or count % 6 == 0 and 503 or 200
          connection:reply(status, '{"id":"c-1","conversationId":"c-1","message":"Hi","details":'
            .. '[{"a":[null,1]}],"messages":[{"id":"m"}]}')
          request = connection:request()
        end]]
      local output = support.run("lua5.4 -", { RAIA_LOG = false }, ([[
        %s
        local raia = require "raia"
        local events = 0
        local client = raia.client { secret_key = "k", base_url = %q, headers = { ["X-A"] = "b" },
          on_event = function(event) events = events + event.attempt end }
        local options = { headers = { ["X-B"] = "c" }, max_retries = 3 }
        for i = 1, 2 do
          local conversation = client:conversation("c-1")
          assert(conversation:refresh(options))
          local messages = assert(conversation:messages(options))
          assert(raia.totable(messages[1]).id == "m")
          assert(client.conversations:delete_all("u", options))
          local answer = conversation:send("Hello", options) or "Hi"
          assert(tostring(answer) == "Hi")
          local request = conversation:messages { wait = false, max_retries = 3 }
          client:request("GET", "/left", { query = { a = i } }, { wait = false })
          client:request("GET", "/cancelled", nil, { wait = false }):cancel()
          assert(#assert(request:wait()) == 1)
          local _, message, err = client:request("GET", "/bad", nil, { max_retries = 9 })
          assert(message == tostring(err))
          assert(err.status == 404 and err.details[1].a[2] == 1)
          _, _, err = client.conversations:create { conversationUserId = "u", title = print }
          assert(err.kind == "invalid" and err.field == "title")
          assert(not pcall(client.request, client, "GET", "/x", nil, { unknown = true }))
          _, _, err = client.conversations:create { conversationUserId = "u",
            customData = { list = { 1, { deep = 0 / 0 } } } }
          assert(err.field == "customData.list[2].deep")
        end
        assert(events >= 12)
        client:close()
        print "done"]]):format(code, peer.base_url))
      assert.equal("done\n", output)
    end)
  end
end)

describe("Ctrl-C", function()
  -- Runs code in a process, sends it SIGINT so many seconds after the server has a request, and
  -- gives its output and the seconds that it took to end.
  local function interrupt(code, script, after)
    local peer <close> = server.start(script)
    local path = os.tmpname()
    finally(function() os.remove(path) end)
    local file = assert(io.open(path, "w"))
    file:write(([[
      print((io.open("/proc/self/stat"):read("n")))
      io.stdout:flush()
      local raia = require "raia"
      local client = raia.client { secret_key = "k", base_url = %q }
      local conversation = client:conversation("c-1")
      ]]):format(peer.base_url), code)
    file:close()
    local pipe = assert(io.popen(("exec env -u RAIA_LOG %s %s " .. LIMITED .. " %s 2>&1"):format(
      support.quote("LUA_PATH_5_4=" .. package.path),
      support.quote("LUA_CPATH_5_4=" .. package.cpath), path), "r"))
    local pid = assert(pipe:read("n"))
    eventually(function() return #peer:requests() > 0 end)
    cqueues.sleep(after)
    assert.is_true(os.execute(("kill -INT %d"):format(pid)))
    local since = cqueues.monotime()
    local output = pipe:read("a")
    local seconds = cqueues.monotime() - since
    pipe:close()
    return output, seconds, peer
  end

  local blocked = {
    ["a call"] = 'conversation:send("Hello")',
    ["a call in a coroutine"] = 'coroutine.wrap(function() conversation:send("Hello") end)()',
    ["a call in a coroutine of a coroutine"] = [[
      coroutine.wrap(function()
        coroutine.wrap(function() conversation:send("Hello") end)()
      end)()]],
    ["a request that is waited for"] = 'conversation:send("Hello", { wait = false }):wait()',
    ["a request that is waited for so long"] =
      'conversation:send("Hello", { wait = false }):wait(1000)',
    ["a generator"] = [[
      for answer in coroutine.wrap(function()
        coroutine.yield(conversation:send("Hello"))
      end) do print(answer) end]],
    ["a task among others"] = [[
      raia.run(function()
        raia.spawn(raia.sleep, 1000)
        conversation:send("Hello")
      end)]],
    ["raia.map"] = [[
      raia.map({ "Hello", "Goodbye" }, function(text) return conversation:send(text) end)]],
    ["raia.sleep"] = 'client:request("GET", "/answer") raia.sleep(1000)',
    ["raia.step"] = [[
      local request = conversation:send("Hello", { wait = false })
      repeat until raia.step(1000) == 0
      print(request)]],
  }
  for when, after in pairs { ["that has just begun"] = 0.1, ["that is quiet"] = 1.1 } do
    for name, code in pairs(blocked) do
      it(("ends %s, in a wait %s"):format(name, when), function()
        local output, seconds = interrupt(code .. " print 'still here'", HOLD, after)
        assert.matches("interrupted!", output)
        assert.matches("stack traceback:", output)
        assert.is_nil(output:find("still here", 1, true), output)
        assert.is_true(seconds < 5, seconds)
      end)
    end
  end

  it("ends a wait for the next attempt", function()
    local output, seconds = interrupt('client:request("GET", "/x") print "still here"', BUSY, 1.2)
    assert.matches("interrupted!", output)
    assert.is_nil(output:find("still here", 1, true), output)
    assert.is_true(seconds < 5, seconds)
  end)

  it("cancels the call, and a program that catches it goes on", function()
    local output, seconds, peer = interrupt([[
      print(pcall(conversation.send, conversation, "Hello"))
      print(client:request("GET", "/answer").id)]], HOLD, 1.2)
    assert.matches("^%s*false\t.*interrupted!\n/answer\n$", output)
    assert.is_true(seconds < 5, seconds)
    assert.equal("closed", peer:notes()[1].note)
  end)

  it("ends a call also when it comes right before the wait", function()
    local peer <close> = server.start(HOLD)
    local shim = os.tmpname()
    finally(function() os.remove(shim) end)
    local output, status = support.run("cc -D_GNU_SOURCE -shared -fPIC -o " .. support.quote(shim)
      .. " spec/c/late_signal.c", { LD_PRELOAD = false })
    assert.equal(0, status, output)
    local preload = os.getenv "LD_PRELOAD"
    output = support.run("exec " .. LIMITED .. " -", { URL = peer.base_url,
      LD_PRELOAD = preload and preload .. " " .. shim or shim }, [[
      local raia = require "raia"
      local client = raia.client { secret_key = "k", base_url = os.getenv "URL" }
      print(pcall(client.request, client, "POST", "/x"))
      client:close()]])
    assert.matches("^false\t.*interrupted!\n$", output)
  end)

  it("may be a signal that is blocked, and the mask is as it was", function()
    local peer <close> = server.start(GATE)
    local output, status = support.run("exec env --block-signal=USR1,USR2 " .. LIMITED .. " -",
      { URL = peer.base_url }, [[
      local function line(name)
        for text in io.lines "/proc/self/status" do
          if text:find(name, 1, true) then return text end
        end
      end
      local blocked = line "SigBlk"
      print(blocked)
      local raia = require "raia"
      local pid = io.open("/proc/self/stat"):read("n")
      local function kill_later(signal)
        os.execute(("(sleep 1; kill -%s %d) &"):format(signal, pid))
      end
      local client = raia.client { secret_key = "k", base_url = os.getenv "URL", max_retries = 0,
        on_event = function(event)
          assert(line "SigBlk" == blocked)
          if event.path == "/error" then error "an error in on_event" end
        end }
      local function get(path, options) return client:request("GET", path, nil, options) end
      assert(select(3, get("/late", { timeout = 1 })).kind == "timeout")
      assert(not pcall(get, "/error", { timeout = 1 }))
      kill_later "USR1"
      raia.sleep(2)
      kill_later "INT"
      local good, message = pcall(raia.sleep, 20)
      assert(not good and message:find "interrupted!")
      raia.run(function()
        raia.spawn(raia.sleep, 1)
        assert(line "SigBlk" == blocked)
        raia.sleep(1.5)
        assert(line "SigBlk" == blocked)
      end)
      assert(client:request("POST", "/release"))
      assert(line "SigBlk" == blocked)
      print(line "SigPnd", line "ShdPnd")]])
    assert.equal(0, status, output)
    assert.matches("^SigBlk:%s*0000000000000a00\n.*ShdPnd:%s*0000000000000200\n$", output)
  end)

  it("is not all that may break a wait: so does a hook that looks at the clock", function()
    local peer <close> = server.start(HOLD)
    local output = support.run("exec " .. LIMITED .. " -", { URL = peer.base_url }, [[
      local raia = require "raia"
      local client = raia.client { secret_key = "k", base_url = os.getenv "URL" }
      local thread = coroutine.create(function() return client:request("GET", "/x") end)
      local deadline = os.time() + 2
      debug.sethook(thread, function()
        if os.time() > deadline then
          debug.sethook(thread)
          error("too late", 0)
        end
      end, "c")
      print(coroutine.resume(thread))]])
    assert.equal("false\ttoo late\n", output)
  end)

  it("is not a hook that the program sets during a wait", function()
    local output = support.run("exec " .. LIMITED .. " -", nil, [[
      local raia = require "raia"
      local client = raia.client { secret_key = "k", base_url = "http://127.0.0.1:1",
        max_retries = 1, on_event = function() debug.sethook(function() end, "c") end }
      print(select(3, client:request("GET", "/x")).kind)]])
    assert.equal("connection\n", output)
  end)
end)

describe("a wait in which nothing happens", function()
  it("wakes up four times a second, to look for a signal", function()
    local peer <close> = server.start(HOLD)
    local waits = {
      ["raia.sleep"] = "raia.sleep(3)",
      ["raia.run"] = "raia.run(raia.sleep, 3)",
      ["raia.step"] = "raia.step(3)",
      ["wait"] = "start()[1]:wait(3)",
      ["raia.timeout"] = "raia.timeout(3, function() start()[1]:wait() end)",
    }
    local commands = {}
    for name, code in pairs(waits) do -- side by side
      table.insert(commands, "lua5.4 -e " .. support.quote([[
        local raia = require "raia"
        local client = raia.client { base_url = os.getenv "URL", secret_key = "k" }
        local marked
        local function mark()
          for line in io.lines "/proc/self/status" do
            marked = tonumber(line:match "^voluntary_ctxt_switches:%s*(%d+)") or marked
          end
          return marked
        end
        local function start()
          local requests = {}
          for i = 1, 20 do requests[i] = client:request("GET", "/hang", nil, { wait = false }) end
          requests[1]:wait(0.5)
          mark()
          return requests
        end
        mark()
        ]] .. code .. [[

        local before = marked
        io.write("]] .. name .. [[: ", mark() - before, "\n")]]))
    end
    local output = support.run(table.concat(commands, " & ") .. " & wait", { URL = peer.base_url })
    for name in pairs(waits) do
      local count = tonumber(output:match(name .. ": (%d+)\n"))
      assert.is_true(count and count < 20, output)
    end
  end)
end)
