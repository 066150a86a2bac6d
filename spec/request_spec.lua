-- Requests: wait, done, result, info, cancel, close.
local certificates = require "spec.support.certificates"
local raia = require "raia"
local calls = require "spec.support.calls"
local sandbox = require "raia.sandbox"
local server = require "spec.support.server"
local support = require "spec.support.run"

local PATIENCE = 20 -- seconds until something that should happen counts as not happening

local connect = require "spec.support.client" ()
local given = require "spec.support.requests"

local ECHO, GATE, HOLD, BUSY = given.ECHO, given.GATE, given.HOLD, given.BUSY
local start, get, eventually, deliver = given.start, given.get, given.eventually, given.deliver

local fails = require "spec.support.failure"

describe("a request", function()
  it("is what any call gives with wait = false, at once", function()
    local peer <close> = server.start(HOLD)
    local client <close> = connect(peer)
    for _, call in pairs(calls) do
      local request = call(client, { wait = false })
      assert.is_userdata(request)
      assert.matches("^raia%.request ", tostring(request))
      assert.is_false(request:done())
      assert.is_true(request:cancel())
    end
  end)

  it("tells what is known of its last attempt, of a success, too", function()
    local peer <close> = server.start [[
      local connection = ...
      connection:request()
      connection:reply(503, {}, { ["X-First"] = "1" })
      connection:request()
      connection:reply(201, {}, { ["X-Request-Id"] = "r-17", ["X-Two"] = "  a\r\nX-TWO: b  ",
        ["X-None"] = "", ["X-Key"] = "the key is secret-17" })]]
    local client <close> = connect(peer, { max_retries = 1, secret_key = "secret-17" })
    local request = start(client, "/x")
    assert.equal(1, request:info().attempts)
    assert.is_nil(request:info().headers)
    assert(request:wait())
    local info = request:info()
    assert.is_true(info.elapsed >= 0)
    info.elapsed = nil
    local headers = info.headers
    info.headers = nil
    assert.same({ attempts = 2, status = 201, request_id = "r-17" }, info)
    assert.equal("application/json", headers["content-type"])
    assert.equal("r-17", headers["x-request-id"])
    assert.equal("a, b", headers["x-two"])
    assert.equal("", headers["x-none"])
    assert.equal("the key is *********", headers["x-key"])
    assert.is_nil(headers["x-first"])
    client:close()
    assert.same(headers, request:info().headers)
  end)

  it("gives what the call would have given", function()
    local peer <close> = server.start(GATE)
    local client <close> = connect(peer)
    local request = start(client, "/a")
    assert(client:request("POST", "/release"))
    assert.same({ id = "/a" }, (assert(request:wait())))
    local messages <close> = server.start [[
      local connection = ...
      while connection:request() do
        connection:reply(200, '{"id":"m-1","conversationId":"c-1","message":"Hi","messages":[]}')
      end]]
    local other <close> = connect(messages)
    for _, call in pairs(calls) do
      local waited, expected = call(other, { wait = false }):wait(), call(other)
      assert.equal(type(expected), type(waited))
      assert.equal(tostring(expected):match("^%a+"), tostring(waited):match("^%a+"))
    end
    assert.equal("Hi", tostring(calls.send(other, { wait = false }):wait()))
  end)

  it("goes on when the seconds to wait are over", function()
    local peer <close> = server.start(GATE)
    local client <close> = connect(peer)
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
    local client <close> = connect(peer)
    local request = start(client, "/a")
    eventually(function() return request:done() end)
    assert.equal("/a", assert(request:result()).id)
  end)

  it("comes to its end while another is waited for", function()
    local peer <close> = server.start(GATE)
    local client <close> = connect(peer)
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
    local client <close> = connect(peer)
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
    local client <close> = connect(peer)
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
    local client <close> = connect(peer)
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
    local client = connect(peer)
    local request = start(client, "/a")
    deliver(request, peer)
    client = nil -- luacheck: ignore 311
    collectgarbage()
    collectgarbage()
    local other <close> = connect(peer)
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
    local client <close> = connect(peer)
    local requests = {}
    for i = 1, 30 do requests[i] = start(client, "/" .. i) end
    for i = 30, 1, -1 do assert.equal("/" .. i, assert(requests[i]:wait()).id) end
    assert.equal(30, #peer:requests())
  end)
end)

describe("cancel", function()
  it("ends a request, and says whether there was something to end", function()
    local peer <close> = server.start(HOLD)
    local client <close> = connect(peer)
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
    local client <close> = connect(peer)
    local request = start(client, "/a")
    request:cancel()
    assert.equal("no", fails("cancelled", request:wait()).sent)
    assert.equal("/answer", get(client, "/answer"))
    assert.equal(1, #peer:requests())
  end)

  it("of what is done changes nothing", function()
    local peer <close> = server.start(ECHO)
    local client <close> = connect(peer)
    local request = start(client, "/a")
    local result = assert(request:wait())
    assert.is_false(request:cancel())
    assert.is_true(rawequal(result, request:wait()))
  end)

  it("ends a request that waits for its next attempt", function()
    local peer <close> = server.start(BUSY)
    local client <close> = connect(peer, { max_retries = 2 })
    local request = start(client, "/a")
    deliver(request, peer)
    assert.is_nil((request:wait(0.2)))
    assert.is_true(request:cancel())
    assert.equal(1, fails("cancelled", request:wait()).attempts)
  end)

  it("leaves the next call with its own answer", function()
    local peer <close> = server.start(GATE)
    local client <close> = connect(peer)
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
    local box <close> = assert(sandbox.start { any_user = true,
      tls_cert = made.good.cert, tls_key = made.good.key,
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
    local client = connect(peer)
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
    local client = connect(peer, { max_retries = 2 })
    local request = start(client, "/a")
    deliver(request, peer)
    assert.is_nil((request:wait(0.2)))
    client:close()
    assert.equal(1, fails("closed", request:wait()).attempts)
  end)

  it("twice is fine, and so is all but new calls", function()
    local peer <close> = server.start(ECHO)
    local client = connect(peer)
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
    local client, other <close> = connect(peer), connect(peer)
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
      local client <close> = connect(peer)
      request = start(client, "/a")
      deliver(request, peer)
    end
    fails("closed", request:wait())
    local ok, message = pcall(function()
      local client <close> = connect(peer)
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
      local client = connect(peer)
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
    local conversations = connect(peer).conversations
    local conversation = connect(peer):conversation("c-1")
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
