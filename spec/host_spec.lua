-- raia in a host program: threads, forks, signals, and another user of libcurl.
local certificates = require "spec.support.certificates"
local host = require "spec.support.host"
local servers = require "spec.support.server"

-- Answers with the path. Of /slow/… it does so after 0.3 s; /later/… is told to come
-- again in a second, once; /last/… is answered and the connection closed; /cut/… is read in
-- part only; /hang is not answered; /seen/PATH says whether PATH has come.
local script = [[
local connection = ...
seen = seen or {}
local request = connection:head()
while request do
  local asked = request.path:match "^/seen(/.*)"
  while asked do
    connection:reply(200, { seen = seen[asked] ~= nil })
    request = connection:head()
    asked = request and request.path:match "^/seen(/.*)"
  end
  if not request then return end
  seen[request.path] = (seen[request.path] or 0) + 1
  if request.path:find "^/cut" then
    connection:read(100000)
    return connection:reset()
  end
  request.body = connection:read(tonumber(request.headers["content-length"]) or 0)
  connection:note(request.path)
  if request.path:find "^/slow" then connection:sleep(0.3) end
  if request.path == "/hang" then return connection:wait_close(60) end
  if request.path:find "^/later" and seen[request.path] == 1 then
    connection:reply(429, {}, { ["Retry-After"] = "1" })
  else
    connection:reply(200, { path = request.path })
  end
  if request.path:find "^/last" then return end
  request = connection:head()
end
]]

local leaks = { ASAN_OPTIONS = "detect_leaks=0" } -- the child of a fork leaves handles behind

describe("a host", function()
  local certs, servers_of

  lazy_setup(function()
    host.build()
    certs = certificates()
  end)

  lazy_teardown(function()
    host.remove()
    certs.remove()
  end)

  before_each(function() servers_of = {} end)

  after_each(function()
    for _, server in ipairs(servers_of) do server:close() end
  end)

  local function start(tls)
    local server = servers.start(script, tls and { tls = certs.good } or nil)
    table.insert(servers_of, server)
    return server
  end

  -- Runs code in a host, which has to end well. Gives what it wrote.
  local function run_bare(code, server, more)
    local environment = { URL = server and server.base_url, CA = certs.ca }
    for name, value in pairs(more or {}) do environment[name] = value end
    local output, status = host.run(code, environment)
    assert.equal(0, status, output)
    return output
  end

  local function run(code, ...)
    return run_bare(host.prelude .. code, ...)
  end

  -- The requests that reached the server: path and connection of each, sorted by path.
  local function deliveries(server)
    local list = {}
    for _, note in ipairs(server:notes()) do
      list[#list + 1] = { path = note.note, connection = note.connection }
    end
    table.sort(list, function(a, b) return a.path < b.path end)
    return list
  end

  local function paths(server)
    local list = {}
    for i, delivery in ipairs(deliveries(server)) do list[i] = delivery.path end
    return list
  end

  ---- threads ----

  it("may have threads with a Lua state each", function()
    local server = start()
    run([[
      host.threads(6, [=[]] .. host.prelude .. [[
        local me = ...
        for round = 1, 4 do
          local client <close> = connect { max_connections = 3 }
          local function ask(i)
            local path = ("/%d/%d/%d"):format(me, round, i)
            assert(assert(post(client, path)).path == path)
          end
          for i = 1, 5 do ask(i) end
          assert(raia.map({ 6, 7, 8, 9, 10 }, ask))
        end
      ]=])]], server)
    local seen = {}
    for _, path in ipairs(paths(server)) do
      assert.is_nil(seen[path], "delivered twice")
      seen[path] = true
    end
    assert.equal(6 * 4 * 10, #paths(server))
  end)

  it("may have states that come and go in threads, and many clients", function()
    local server = start()
    run([[
      host.threads(4, [=[
        for round = 1, 8 do
          host.state [==[]] .. host.prelude .. [[
            local clients = {}
            for i = 1, 12 do
              clients[i] = connect()
              clients[i].request(clients[i], "GET", "/", nil, { wait = i % 3 ~= 0 })
            end
          ]==]
        end
      ]=])]], server)
    assert.is_true(#paths(server) >= 4 * 8 * 8)
  end)

  ---- forks ----

  local ends = {
    ["closes the client"] = "client:close() end",
    ["closes its state"] = "end, true",
    ["just ends"] = "end",
  }
  for _, tls in ipairs { false, true } do
    for how, code in pairs(ends) do
      it(("may fork: the parent keeps its %sconnection when a child %s"):format(
        tls and "TLS " or "", how), function()
        local server = start(tls)
        run([[
          local client = connect()
          assert(post(client, "/1"))
          for _, used in ipairs { false, true } do
            local pid = child(function()
              if used then assert(assert(post(client, "/child")).path == "/child") end
              ]] .. code .. [[)
            assert(host.wait(pid) == 0)
            local path = used and "/3" or "/2"
            assert(assert(post(client, path)).path == path)
          end
        ]], server, leaks)
        local list = deliveries(server)
        assert.same({ "/1", "/2", "/3", "/child" }, paths(server))
        assert.same({ 1, 1, 1, 2 }, { list[1].connection, list[2].connection,
          list[3].connection, list[4].connection })
      end)
    end

    it(("may fork with %scalls in flight, queued and waiting: they are the parent's"):format(
      tls and "TLS " or ""), function()
      local server = start(tls)
      run([[
        local later = post(connect(), "/later", { wait = false })
        later:wait(0.5)
        local client = connect { max_connections = 1 }
        local slow = post(client, "/slow/1", { wait = false })
        wait_until_seen "/slow/1"
        slow = { slow, post(client, "/slow/2", { wait = false }),
          post(client, "/slow/3", { wait = false }) }
        local pid = child(function()
          for i, sent in ipairs { "maybe", "no", "no" } do
            local answer, message, err = slow[i]:wait()
            assert(not answer and err.kind == "closed" and err.sent == sent, message)
            assert(message:find "forked", message)
          end
          local _, message, err = later:wait()
          assert(err and err.kind == "closed", message)
          for i = 1, 4 do assert(assert(post(client, "/child/" .. i)).path == "/child/" .. i) end
        end, true)
        local canceller = child(function()
          assert(slow[1]:cancel())
          assert(select(3, slow[1]:wait()).kind == "closed")
          client:close()
        end, true)
        for i, request in ipairs(slow) do
          assert(assert(request:wait()).path == "/slow/" .. i)
        end
        assert(assert(later:wait()).path == "/later")
        assert(host.wait(pid) == 0 and host.wait(canceller) == 0)
      ]], server, leaks)
      assert.same({ "/child/1", "/child/2", "/child/3", "/child/4", "/later", "/later", "/slow/1",
        "/slow/2", "/slow/3" }, paths(server))
    end)
  end

  it("may fork with HTTP/2 in flight", function()
    local agent <close> = assert(io.open(host.directory() .. "/agent.lua", "w"))
    agent:write [[
      return function(message)
        if message == "a" or message == "b" then require "cqueues".sleep(2) end
        return "You said: " .. message
      end
    ]]
    agent:close()
    local sandbox <close> = assert(require "raia.sandbox".start { any_user = true,
      agent = host.directory() .. "/agent.lua", key = "key",
      tls_cert = certs.good.cert, tls_key = certs.good.key })
    local output = run([[
      local client = connect()
      local conversation = assert(client.conversations:create { conversationUserId = "u" })
      local a = conversation:send("a", { wait = false })
      local b = conversation:send("b", { wait = false })
      a:wait(0.5)
      local pid = child(function()
        assert(select(3, a:wait()).kind == "closed")
        assert(select(3, b:wait()).kind == "closed")
        assert(tostring(assert(conversation:send "of the child")) == "You said: of the child")
      end, true)
      assert(tostring(assert(a:wait())) == "You said: a")
      assert(tostring(assert(b:wait())) == "You said: b")
      assert(host.wait(pid) == 0)
      assert(tostring(assert(conversation:send "c")) == "You said: c")
      local said = {}
      for _, message in ipairs(assert(conversation:messages())) do
        if message.senderRole == "conversation_user" then said[#said + 1] = message.message end
      end
      table.sort(said)
      print(table.concat(said, ", "))
    ]], { base_url = sandbox.base_url }, leaks)
    assert.equal("a, b, c, of the child\n", output)
  end)

  it("may fork in a task, and fork again in the child; all of them go on", function()
    local server = start()
    run([[
      local client = connect()
      local function ask(who)
        return function()
          for i = 1, 3 do
            local path = ("/slow/%s/%d"):format(who, i)
            local answer, _, err = post(client, path)
            if not answer then return err.kind end
            assert(answer.path == path)
          end
          return "answered"
        end
      end
      raia.run(function()
        local other = raia.spawn(ask "other")
        local pid, inner
        raia.sleep(0.2)
        pid = host.fork()
        if pid == 0 then
          assert(other:join() == "closed")
          other = raia.spawn(ask "child")
          raia.sleep(0.2)
          inner = host.fork()
          if inner == 0 then
            assert(other:join() == "closed")
            assert(ask "grandchild"() == "answered")
            os.exit(0, true)
          end
        end
        assert(other:join() == "answered")
        if inner then
          assert(host.wait(inner) == 0)
          os.exit(0, true)
        end
        assert(host.wait(pid) == 0)
      end)
    ]], server, leaks)
    assert.equal(9, #paths(server))
    local last
    for _, path in ipairs(paths(server)) do
      assert.not_equal(last, path)
      last = path
    end
  end)

  it("does not spin for what is another's, in parent or child", function()
    local server = start()
    run([[
      local client = connect()
      local function get(path) assert(client:request("GET", path)) end
      get "/last/1"
      get "/2"
      local request = post(client, "/slow/3", { wait = false })
      wait_until_seen "/slow/3"
      local pid = child(function() os.execute "sleep 2" end)
      assert(request:wait())
      get "/last/4"
      local from = os.clock()
      get "/slow/5"
      get "/slow/6"
      assert(os.clock() - from < 0.3, "it spins")
      assert(host.wait(pid) == 0)
      request = post(client, "/slow/7", { wait = false })
      wait_until_seen "/slow/7"
      pid = child(function()
        from = os.clock()
        for i = 8, 11 do assert(client:request("GET", "/slow/" .. i)) end
        assert(os.clock() - from < 0.3, "the child spins")
      end)
      assert(host.wait(pid) == 0)
      assert(assert(request:wait()).path == "/slow/7")
    ]], server, leaks)
  end)

  ---- signals ----

  it("keeps its signal handlers, and its alarms interrupt nothing", function()
    local server = start(true)
    run_bare([[
      host.on_alarm(0.02)
      local before = host.handlers()
      ]] .. host.prelude .. [[
      local client = connect()
      assert(post(client, "/1"))
      local request = post(client, "/slow/2", { wait = false })
      request:wait(0.1)
      assert(host.handlers() == before)
      assert(request:wait())
      assert(not post(connect { base_url = "https://raia.invalid", max_retries = 0 }, "/"))
      client:close()
      assert(host.handlers() == before)
      assert(host.alarms() > 5, host.alarms())
    ]], server)
  end)

  it("may have another thread handle a signal: what its handler wants is not missed", function()
    local server = start()
    run([[
      local client = connect { timeout = 1000, connect_timeout = 1000 }
      host.hook_from_thread(2)
      local good, message = pcall(post, client, "/hang")
      assert(not good and message:find "hooked", message)
    ]], server)
  end)

  for _, tls in ipairs { false, true } do
    it(("lives when its peer has gone%s"):format(tls and ", TLS" or ""), function()
      local server = start(tls)
      run([[
        local client = connect { max_retries = 0 }
        for i = 1, 5 do
          assert(post(client, "/last/" .. i))
          local _, message, err = client:request("POST", "/cut",
            { body = { text = ("x"):rep(8000000) } })
          assert(err and err.kind == "connection", message)
        end
      ]], server)
      assert.equal(5, #paths(server))
    end)
  end

  ---- libcurl and the module ----

  it("may use libcurl itself before, beside and after raia", function()
    local server = start()
    run([[
      local curl = require "host_curl"
      local url = os.getenv "URL"
      assert(curl.init() == 0 and curl.get(url .. "/a") == 200)
      local client = connect()
      local slow = post(client, "/slow/0", { wait = false })
      wait_until_seen "/slow/0"
      assert(curl.get(url .. "/b") == 200)
      curl.cleanup()
      assert(slow:wait())
      assert(post(client, "/c"))
      client:close()
      assert(curl.init() == 0 and curl.get(url .. "/d") == 200)
      curl.cleanup()
      assert(post(connect(), "/e"))
    ]], server)
    assert.same({ "/a", "/b", "/c", "/d", "/e", "/slow/0" }, paths(server))
  end)

  it("may load raia and let it go again and again, and fork in between", function()
    local server = start()
    run_bare([[
      local code = [=[]] .. host.prelude .. [[ assert(post(connect(), "/x")) ]=]
      local function memory()
        for line in io.lines "/proc/self/status" do
          local kilobytes = line:match "^VmRSS:%s+(%d+)"
          if kilobytes then return tonumber(kilobytes) end
        end
      end
      local before
      for i = 1, 60 do
        host.state(code)
        local pid = host.fork()
        if pid == 0 then
          if i % 10 == 0 then host.state(code) end
          os.exit(0)
        end
        assert(host.wait(pid) == 0)
        if i == 20 then before = memory() end
      end
      if before and not os.getenv "LD_PRELOAD" and not os.getenv "HOST_CFLAGS" then
        assert(memory() - before < 2000, ("%d KiB more"):format(memory() - before))
      end
    ]], server, leaks)
    assert.equal(66, #paths(server))
  end)

  it("may close a state whose name look-up hangs, and be there when it returns", function()
    local preload = os.getenv "LD_PRELOAD"
    local shim = host.directory() .. "/slow_resolver.so"
    run_bare([[
      host.state [=[]] .. host.prelude .. [[
        local client = connect { base_url = "https://raia.example", max_retries = 0 }
        local answer, message, err = post(client, "/x", { timeout = 0.2 })
        assert(not answer and err.kind == "timeout", message)
      ]=]
      os.execute "sleep 1.5"
    ]], nil, { RESOLVER_SECONDS = "1", LD_PRELOAD = preload and preload .. " " .. shim or shim })
  end)
end)
