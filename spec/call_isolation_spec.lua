-- Calls do not affect each other: on one client, from on_event, in loops, on many connections.
local raia = require "raia"
local servers = require "spec.support.server"
local support = require "spec.support.run"
local connect = require "spec.support.client" ()

-- Answers with the request's path and body; /big with ten thousand letters; /later is told to come
-- again, once; a conversation that is read has the id "new".
local script = [[
local connection = ...
local request = connection:request()
while request do
  if request.path == "/big" then
    connection:reply(200, { text = ("x"):rep(10000) })
  elseif request.path:find "^/slow/" then
    connection:sleep(0.5)
    connection:reply(200, {})
  elseif request.path == "/later" and not told then
    told = true
    connection:reply(429, {})
  elseif request.path == "/refused" then
    connection:reply(422, { status = 422, message = "no" })
  elseif request.method == "GET" and request.path:match "conversations/[^/]+$" then
    connection:reply(200, { id = "new", title = request.path })
  else
    connection:reply(200, { id = "m", message = request.path, body = request.body,
      query = request.path:match "%?(.*)" })
  end
  request = connection:request()
end
]]

describe("on one client", function()
  local server, client

  before_each(function()
    server = servers.start(script)
    client = connect(server)
  end)
  after_each(function()
    client:close()
    server:close()
  end)

  local function last()
    local requests = server:requests()
    return requests[#requests]
  end

  it("a call has nothing of the one before", function()
    local parts = { body = { a = 1 }, query = { page = 7 } }
    assert(client:request("PUT", "/first", parts, { headers = { ["X-A"] = "a" } }))
    assert.equal("/first?page=7", last().path)
    assert.equal("a", last().headers["x-a"])
    local reply = assert(client:request("GET", "/second"))
    assert.equal("GET", last().method)
    assert.equal("/second", last().path)
    assert.is_nil(last().headers["x-a"])
    assert.is_nil(last().headers["content-length"])
    assert.equal("/second", reply.message)
    local _, _, err = client:request("POST", "/refused", { body = { b = 2 } })
    assert.equal(422, err.status)
    assert.equal("/third", assert(client:request("GET", "/third")).message)
  end)

  it("a small reply follows a large one, and a call what failed before it was sent", function()
    local conversation = client:conversation "c"
    assert.equal(10000, #assert(client:request("GET", "/big")).text)
    assert.equal("/external/conversations/c/messages", tostring(assert(conversation:send "one")))
    local _, _, err = conversation:send("bad \xff")
    assert.equal("invalid", err.kind)
    assert.equal("/external/conversations/c/messages", tostring(assert(conversation:send "two")))
    assert.equal('{"message":"two"}', last().body)
  end)

  it("what on_event raises in one call is not raised by the next, nor does a call in it mix in",
    function()
      local calls, inner = 0, nil
      local listener = connect(server, { max_retries = 2,
        on_event = function(event)
          calls = calls + 1
          if event.path == "/raises" then error("on purpose", 0) end
          if event.path == "/outer" then
            inner = assert(client:request("GET", "/of-another")).message
          end
        end })
      assert.equal("/before", assert(listener:request("GET", "/before")).message)
      assert.same({ false, "on purpose" },
        { pcall(listener.request, listener, "GET", "/raises") })
      assert.equal("/after", assert(listener:request("GET", "/after")).message)
      assert.equal("/outer", assert(listener:request("GET", "/outer")).message)
      assert.equal("/of-another", inner)
      assert.equal(4, calls)
      listener:close()
    end)

  it("what on_event raises is not raised by the next call of the task that has gone on meanwhile",
    function()
      local second = false
      local listener = connect(server, { max_retries = 2,
        on_event = function(event)
          if event.status ~= 429 then return end
          while not second do raia.step(0.01) end
          error("on purpose", 0)
        end })
      raia.run(function()
        assert.equal("/later", assert(listener:request("GET", "/later")).message)
        second = true
        assert.equal("/second", assert(listener:request("POST", "/second")).message)
      end)
      listener:close()
    end)

  it("calls go on in a loop that resumes a coroutine at once", function()
    local co, paths = nil, {}
    raia.use {
      watch = function() end,
      current = function() return coroutine.running() == co and co or nil end,
      suspend = function() coroutine.yield() end,
      resume = function() assert(coroutine.resume(co)) end,
    }
    finally(function() raia.use(nil) end)
    co = coroutine.create(function()
      for i = 1, 3 do paths[i] = assert(client:request("GET", "/" .. i)).message end
    end)
    assert(coroutine.resume(co))
    for _ = 1, 50 do
      if coroutine.status(co) ~= "dead" then raia.step(0.1) end
    end
    assert.same({ "/1", "/2", "/3" }, paths)
  end)

  it("calls of finalizers, of whatever is collected with it, end well", function()
    local output, status = support.run("lua5.4 -", { URL = server.base_url,
      MALLOC_PERTURB_ = "165" }, [[
        local raia = require "raia"
        local function connect()
          return raia.client { base_url = os.getenv "URL", secret_key = "k" }
        end
        local finalizers = 0
        for i = 1, 20 do
          local client = connect()
          local any = setmetatable({}, { __gc = function()
            finalizers = finalizers + 1
            client:request("GET", "/without", nil, { wait = false })
          end })
          assert(client:request("GET", "/first"))
        end
        for i = 1, 3 do collectgarbage() end
        assert(connect():request("GET", "/after"))
        print(finalizers)
      ]])
    assert.equal("20\n", output)
    assert.equal(0, status)
  end)

  it("headers of calls that come after its end are not kept", function()
    local function memory()
      local statm <close> = io.open "/proc/self/statm"
      return statm and select(2, statm:read("n", "n")) * 4096 or 0
    end
    local value = ("x"):rep(4000)
    client:close()
    local before = memory()
    for _ = 1, 5000 do
      assert(not client:request("GET", "/", nil, { headers = { ["X-A"] = value } }))
    end
    -- A sanitizer keeps what is freed for a while, and sees a leak by itself.
    assert.is_true(memory() - before < 10000000 or os.getenv "LD_PRELOAD" ~= nil)
  end)

  it("nothing of a call that is over is kept", function()
    local function ask()
      local conversation = client:conversation "c"
      assert(conversation:send "one")
      return setmetatable({ conversation }, { __mode = "v" })
    end
    local asked = ask()
    collectgarbage()
    assert.is_nil(asked[1])
  end)

  it("a request that is held is not used by another call", function()
    local held = client:request("GET", "/held", nil, { wait = false })
    assert.equal("/one", assert(client:request("GET", "/one")).message)
    local first = assert(held:wait())
    assert.equal("/two", assert(client:request("GET", "/two")).message)
    assert.equal("/held", first.message)
    assert.equal(first, held:result())
  end)

  it("a conversation is asked where it was, also when it was read again", function()
    local other = client:conversation "old"
    assert.is_nil((other:refresh()))
    assert(other:send "one")
    assert.equal("/external/conversations/old/messages", last().path)
    local conversation = client:conversation "new"
    assert(conversation:send "two")
    assert(conversation:refresh())
    assert.is_truthy(conversation.title)
    assert(conversation:send "three")
    assert.equal("/external/conversations/new/messages", last().path)
    assert(conversation:refresh())
    assert.equal("/external/conversations/new", last().path)
  end)

  it("more connections than libcurl is given at a time are used again, too", function()
    local many = connect(server, { max_connections = 600 })
    local list = {}
    for i = 1, 600 do list[i] = "/" .. i end
    local function ask(path) return (assert(many:request("GET", path)).message) end
    for _ = 1, 2 do
      assert.same(list, assert(raia.map(list, ask, { concurrency = 600 })))
    end
    local kept = server:connections()
    assert.equal("/alone", ask "/alone")
    assert.equal(kept, server:connections())
    many:close()
  end)

  it("connections that only many calls at once have needed are closed", function()
    local function sockets() -- of this server's
      local count, connected = 0, (":%04X 01 "):format(server.port)
      for line in io.lines "/proc/net/tcp" do
        if line:find(connected, 1, true) then count = count + 1 end
      end
      return count
    end
    local many = connect(server, { max_connections = 600 })
    local list = {}
    for i = 1, 600 do list[i] = "/slow/" .. i end
    assert(raia.map(list, function(path) return many:request("GET", path) end,
      { concurrency = 600 }))
    local most = sockets()
    assert.is_true(most > 400, most .. " connections")
    for _ = 1, 60 do
      raia.step(0.2)
      if sockets() <= 300 then break end
    end
    -- Of 256 calls the connections are kept, and some more if calls ended before others began.
    assert.is_true(sockets() <= 300, sockets() .. " of " .. most)
    many:close()
  end)

  it("no other server's connections come between, whatever ports they have", function()
    local many = connect(server, { max_connections = 600 })
    local list = {}
    for i = 1, 600 do list[i] = "/" .. i end
    local function ask(path) return many:request("GET", path) end
    assert(raia.map(list, ask, { concurrency = 600 })) -- many local ports are taken
    local strays = servers.start [[
      local connection = ...
      connection:request()
      connection:reply(200, { text = "first" })
      connection:reply(200, { text = "stray" })
      connection:note "strayed"
      if connection:request() then connection:reply(200, { text = "own" }) end
    ]]
    local one = connect(strays)
    for _ = 1, 200 do
      assert.equal("first", assert(one:request("GET", "/")).text)
      while #strays:notes() < #strays:requests() do raia.sleep(0.01) end
    end
    one:close()
    strays:close()
    many:close()
  end)
end)
