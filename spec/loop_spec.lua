-- One table of cases run in every way there is to wait; and what each event loop owes its host.
local cqueues = require "cqueues"
local uv = require "luv"
local socket = require "socket"
local raia = require "raia"
local scheduler = require "raia.core".scheduler
local servers = require "spec.support.server"
local support = require "spec.support.run"

local patience = 20 -- seconds after which a loop is taken to hang

local script = [[
local connection = ...
local request = connection:request()
while request do
  local status, path = 200, request.path
  if path == "/hang" then
    connection:note(connection:wait_close(60) and "closed" or "still open")
    return
  elseif path == "/slow" then
    connection:sleep(0.5)
  elseif path == "/half" then
    connection:send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n{")
    return
  elseif path == "/text" then
    connection:reply(200, "no JSON", { ["Content-Type"] = "text/plain" })
  elseif path == "/large" then
    connection:reply(200, { text = ("x"):rep(5000) })
  else
    connection:reply(tonumber(path:match "%d+") or 200, { path = path })
  end
  if path == "/slow" then connection:reply(200, { path = path }) end
  request = connection:request()
end
]]

-- A loop of our own, as a host might have one: it polls, and resumes coroutines.
local function bare_loop()
  local fd, due, step
  local ready, sleeping = {}, {}
  local loop = {}

  function loop.watch(new_fd, seconds, new_step)
    fd, due, step = new_fd, seconds and scheduler.now() + seconds, new_step
  end

  function loop.current()
    local co = coroutine.running()
    return loop[co] and co or nil
  end

  function loop.suspend(co, seconds)
    sleeping[co] = scheduler.now() + seconds
    coroutine.yield()
  end

  function loop.resume(co)
    if sleeping[co] then
      sleeping[co] = nil
      table.insert(ready, co)
    end
  end

  function loop.wrap(fn)
    local co = coroutine.create(fn)
    loop[co] = true
    table.insert(ready, co)
  end

  local function run_ready()
    for co in function() return table.remove(ready, 1) end do
      assert(coroutine.resume(co))
      if coroutine.status(co) == "dead" then loop[co] = nil end
    end
  end

  local function wait()
    local until_then = due or math.huge
    for _, time in pairs(sleeping) do until_then = math.min(until_then, time) end
    local seconds = math.max(0, until_then - scheduler.now())
    local pollable = { getfd = function() return fd end }
    local readable = socket.select(fd and { pollable } or {}, nil,
      seconds < math.huge and seconds or nil)
    local now = scheduler.now()
    if readable[1] or due and due <= now then
      due = nil
      step()
    end
    for co, time in pairs(sleeping) do
      if time <= now then loop.resume(co) end
    end
  end

  function loop.run()
    local from = scheduler.now()
    run_ready()
    while fd or due or next(sleeping) do
      assert(scheduler.now() - from < patience, "the loop does not end")
      wait()
      run_ready()
    end
  end

  return loop
end

-- A timer that ends uv.run() should it hang; it is no reason to go on by itself. It is never
-- closed: luv does not survive the end of the process with a handle that is just closing.
local watchdog = uv.new_timer()
watchdog:unref()

local function run_luv()
  local hung = false
  uv.update_time() -- it is that of the last run
  watchdog:start(patience * 1000, 0, function()
    hung = true
    uv.stop()
  end)
  uv.run()
  watchdog:stop()
  assert(not hung, "uv.run() does not end")
end

local function run_cqueues(controller)
  assert(controller:loop(patience))
  assert(controller:empty(), "the controller's loop does not end")
end

-- Ways to run fn until it ends and what it began has ended, too: each calls fn(beside), where
-- beside(other) runs another function while fn waits. Gives what pcall of fn gives.
local ways = {}

-- Blocking, nothing can be beside: it happens before.
function ways.blocking(fn)
  return pcall(fn, function(other) other() end)
end

ways["raia.run"] = function(fn)
  return pcall(raia.run, fn, raia.spawn)
end

ways["raia.step"] = function(fn)
  local task = raia.spawn(fn, raia.spawn)
  local from = scheduler.now()
  while not task:done() or scheduler.state() > 0 do
    raia.step(0.05)
    assert(scheduler.now() - from < patience, "stepping does not end")
  end
  return pcall(task.join, task)
end

function ways.cqueues(fn)
  local controller, results = cqueues.new(), nil
  raia.use "cqueues"
  controller:wrap(function()
    results = table.pack(pcall(fn, function(other) controller:wrap(other) end))
  end)
  local good, message = pcall(run_cqueues, controller)
  raia.use(nil)
  assert(good, message)
  return table.unpack(results, 1, results.n)
end

function ways.luv(fn)
  raia.use "luv"
  local task = raia.spawn(fn, raia.spawn)
  local good, message = pcall(run_luv)
  raia.use(nil)
  assert(good, message)
  assert(task:done())
  return pcall(task.join, task)
end

ways["a loop of one's own"] = function(fn)
  local loop, results = bare_loop(), nil
  raia.use(loop)
  loop.wrap(function() results = table.pack(pcall(fn, loop.wrap)) end)
  local good, message = pcall(loop.run)
  raia.use(nil)
  assert(good, message)
  return table.unpack(results, 1, results.n)
end

describe("a call", function()
  local server, dead_port

  setup(function()
    server = servers.start(script)
    dead_port = servers.dead_port()
  end)

  teardown(function() server:close() end)

  after_each(function()
    raia.use(nil)
    collectgarbage()
    collectgarbage()
    assert.equal(0, (scheduler.state()))
  end)

  local function new_client(options)
    local all = { base_url = server.base_url, secret_key = "k", max_retries = 0 }
    for name, value in pairs(options or {}) do all[name] = value end
    return raia.client(all)
  end

  local function closed()
    local count = 0
    for _, note in ipairs(server:notes()) do
      if note.note == "closed" then count = count + 1 end
    end
    return count
  end

  -- A name, what is done, and what comes of it: a path; the kind of a failure; or an error.
  local cases = {
    { "that succeeds", function(client) return client:request("GET", "/ok") end, path = "/ok" },
    { "that is answered late", function(client) return client:request("GET", "/slow") end,
      path = "/slow" },
    { "that the server refuses", function(client) return client:request("GET", "/404") end,
      kind = "http", status = 404 },
    { "that nobody listens to", function(client) return client:request("GET", "/ok") end,
      kind = "connection", dead = true },
    { "whose reply is cut short", function(client) return client:request("GET", "/half") end,
      kind = "connection" },
    { "that takes too long", function(client)
      return client:request("GET", "/hang", nil, { timeout = 0.3 })
    end, kind = "timeout", closes = 1 },
    { "that is invalid", function(client)
      return client.conversations:create { conversationUserId = 5 }
    end, kind = "invalid" },
    { "whose reply is too large", function(client) return client:request("GET", "/large") end,
      kind = "too_large", options = { max_response_bytes = 1000 } },
    { "whose reply makes no sense", function(client) return client:request("GET", "/text") end,
      kind = "decode" },
    { "that is cancelled", function(client, beside)
      local request = client:request("GET", "/hang", nil, { wait = false })
      beside(function()
        raia.sleep(0.2)
        request:cancel()
      end)
      return request:wait()
    end, kind = "cancelled", closes = 1 },
    { "whose client is closed meanwhile", function(client, beside)
      local request = client:request("GET", "/hang", nil, { wait = false })
      beside(function()
        raia.sleep(0.2)
        client:close()
      end)
      return request:wait()
    end, kind = "closed", closes = 1 },
    { "on a client that is closed", function(client)
      client:close()
      return client:request("GET", "/ok")
    end, kind = "closed" },
    { "followed by an error", function(client)
      client:request("GET", "/ok")
      error({ "raised" })
    end, error = { "raised" } },
    { "whose coroutine is collected", function(client)
      local co = coroutine.create(function()
        local request = client:request("GET", "/hang", nil, { wait = false })
        coroutine.yield()
        return request
      end)
      assert(coroutine.resume(co))
      raia.sleep(0.2)
      co = nil -- luacheck: ignore 311
      collectgarbage()
      collectgarbage()
      return { path = "collected" }
    end, path = "collected", closes = 1 },
    { "that moves along while its caller sleeps", function(client)
      local request = client:request("GET", "/slow", nil, { wait = false })
      raia.sleep(2)
      return request:result()
    end, path = "/slow" },
    { "whose wait runs out first", function(client)
      local request = client:request("GET", "/slow", nil, { wait = false })
      local value, message, err = request:wait(0.05)
      assert(value == nil and type(message) == "string" and err == nil)
      return request:wait()
    end, path = "/slow" },
    { "one of fifty side by side", function(client)
      local list = {}
      for i = 1, 50 do list[i] = "/200/" .. i end
      local results = assert(raia.map(list, function(path)
        return client:request("GET", path)
      end, { concurrency = 50 }))
      for i, result in ipairs(results) do assert(result.path == list[i]) end
      return results[50]
    end, path = "/200/50" },
  }

  for way_name, way in pairs(ways) do
    for _, case in ipairs(cases) do
      it(case[1] .. " comes to the same: " .. way_name, function()
        local options = case.options or {}
        if case.dead then options = { base_url = "http://127.0.0.1:" .. dead_port } end
        local client <close> = new_client(options)
        local before = closed()
        local good, value, message, err = way(function(beside)
          return case[2](client, beside)
        end)
        assert.equal(before + (case.closes or 0), closed())
        if case.error then
          assert.is_false(good)
          assert.same(case.error, value)
        elseif case.kind then
          assert.is_true(good)
          assert.is_nil(value)
          assert.equal(message, tostring(err))
          assert.equal(case.kind, err.kind)
          if case.status then assert.equal(case.status, err.status) end
        else
          assert(good, value)
          assert(value, message)
          assert.equal(case.path, value.path)
        end
      end)
    end
  end

  -- What else a loop does goes on.
  local tickers = {
    cqueues = function(body)
      local controller, ticks, done = cqueues.new(), 0, false
      raia.use "cqueues"
      controller:wrap(function()
        body()
        done = true
      end)
      controller:wrap(function()
        while not done do
          cqueues.sleep(0.02)
          ticks = ticks + 1
        end
      end)
      run_cqueues(controller)
      return ticks
    end,
    luv = function(body)
      local ticks, timer = 0, uv.new_timer()
      raia.use "luv"
      timer:start(20, 20, function() ticks = ticks + 1 end)
      raia.spawn(function()
        body()
        timer:close()
      end)
      run_luv()
      return ticks
    end,
    ["a loop of one's own"] = function(body)
      local loop, ticks, done = bare_loop(), 0, false
      raia.use(loop)
      loop.wrap(function()
        body()
        done = true
      end)
      loop.wrap(function()
        while not done do
          loop.suspend(coroutine.running(), 0.02)
          ticks = ticks + 1
        end
      end)
      loop.run()
      return ticks
    end,
  }
  for name, ticker in pairs(tickers) do
    it("leaves the loop to others meanwhile: " .. name, function()
      local client <close> = new_client()
      local path
      assert.is_true(ticker(function() path = client:request("GET", "/slow").path end) > 2)
      assert.equal("/slow", path)
    end)
  end

  describe("under cqueues", function()
    before_each(function() raia.use "cqueues" end)

    it("made without waiting moves along while its coroutine sleeps there", function()
      local client <close> = new_client()
      local controller, path = cqueues.new(), nil
      controller:wrap(function()
        local request = client:request("GET", "/slow", nil, { wait = false })
        cqueues.sleep(3)
        path = request:result().path
      end)
      run_cqueues(controller)
      assert.equal("/slow", path)
    end)

    it("made without waiting, and dropped, keeps the loop from nothing", function()
      local client <close> = new_client()
      local controller, before = cqueues.new(), closed()
      controller:wrap(function()
        client:request("GET", "/hang", nil, { wait = false })
        cqueues.sleep(0.2)
        collectgarbage()
        collectgarbage()
      end)
      run_cqueues(controller)
      assert.equal(before + 1, closed())
    end)

    it("ends when the coroutine that waits for it is collected", function()
      local client <close> = new_client()
      local before = closed()
      do
        local controller = cqueues.new()
        controller:wrap(function() client:request("GET", "/hang") end)
        assert(controller:loop(0.3))
      end
      assert.equal(1, (scheduler.state()))
      collectgarbage()
      collectgarbage()
      assert.equal(0, (scheduler.state()))
      assert.equal(before + 1, closed())
    end)

    it("blocks outside of the loop's coroutines", function()
      local client <close> = new_client()
      assert.equal("/slow", client:request("GET", "/slow").path)
      assert.equal("/slow", coroutine.wrap(function()
        return client:request("GET", "/slow").path
      end)())
    end)

    it("may be made in tasks that a coroutine spawns, gathers and runs", function()
      local client <close> = new_client()
      local controller, results = cqueues.new(), nil
      local function get(path) return client:request("GET", path).path end
      controller:wrap(function()
        local task = raia.spawn(get, "/spawned")
        local gathered = raia.gather { function() return get "/slow" end }
        results = { task:join(), gathered[1], raia.run(get, "/run"), raia.timeout(60, get, "/t") }
      end)
      run_cqueues(controller)
      assert.same({ "/spawned", "/slow", "/run", "/t" }, results)
    end)

    it("may be made in a controller within another", function()
      local client <close> = new_client()
      local outer, inner, paths = cqueues.new(), cqueues.new(), {}
      for i, controller in ipairs { outer, inner, inner } do
        controller:wrap(function()
          paths[i] = client:request("GET", i == 2 and "/ok" or "/slow").path
        end)
      end
      outer:wrap(function() assert(inner:loop()) end)
      run_cqueues(outer)
      assert.is_true(inner:empty())
      assert.same({ "/slow", "/ok", "/slow" }, paths)
    end)

    it("may be made in one controller after the other", function()
      local client <close> = new_client()
      for i = 1, 3 do
        local controller, path = cqueues.new(), nil
        controller:wrap(function() path = client:request("GET", "/" .. 200 + i).path end)
        run_cqueues(controller)
        assert.equal("/" .. 200 + i, path)
      end
    end)
  end)

  describe("under luv", function()
    before_each(function() raia.use "luv" end)

    it("made without waiting moves along while uv.run() does", function()
      local client <close> = new_client()
      local request = client:request("GET", "/slow", nil, { wait = false })
      run_luv()
      assert.equal("/slow", request:wait(0).path)
    end)

    it("made without waiting, and dropped, keeps uv.run() from nothing", function()
      local client <close> = new_client()
      local before = closed()
      client:request("GET", "/hang", nil, { wait = false })
      local timer = uv.new_timer()
      timer:start(200, 0, function()
        timer:close()
        collectgarbage()
        collectgarbage()
      end)
      run_luv()
      assert.equal(before + 1, closed())
    end)

    it("that blocks in a callback lets uv.run() end", function()
      local client <close> = new_client()
      local timer, path = uv.new_timer(), nil
      local request = client:request("GET", "/slow", nil, { wait = false })
      timer:start(100, 0, function()
        timer:close()
        path = request:wait().path
      end)
      run_luv()
      assert.equal("/slow", path)
    end)

    it("goes on in a task that nobody holds", function()
      local client <close> = new_client()
      local path, timer = nil, uv.new_timer()
      raia.spawn(function() path = client:request("GET", "/slow").path end)
      timer:start(100, 0, function()
        timer:close()
        collectgarbage()
        collectgarbage()
      end)
      run_luv()
      assert.equal("/slow", path)
    end)

    it("lets many tasks wait side by side", function()
      local client <close> = new_client()
      local count = 0
      for _ = 1, 30 do
        raia.spawn(function()
          if client:request("GET", "/slow").path == "/slow" then count = count + 1 end
        end)
      end
      run_luv()
      assert.equal(30, count)
    end)

    local ends = {
      ["raia.use(nil)"] = "raia.use(nil)",
      ["raia.step"] = "repeat until raia.step(0.1) == 0",
      ["a call that blocks"] = "request:wait()",
      ["client:close"] = "client:close()",
      ["nothing"] = "",
      ["uv.run"] = "require 'luv'.run()",
    }
    for name, last in pairs(ends) do
      it("leaves the process whole, the last thing being " .. name, function()
        local output, status = support.run("lua5.4 -", { URL = server.base_url }, [[
          require "luv"
          local raia = require "raia"
          raia.use "luv"
          local client = raia.client { base_url = os.getenv "URL", secret_key = "k" }
          local request = client:request("GET", "/ok", nil, { wait = false })
          ]] .. last .. [[

          print(request and "the end")]])
        assert.equal("the end\n", output)
        assert.equal(0, status)
      end)
    end
  end)

  describe("in a loop of one's own", function()
    it("needs no more of it than watch", function()
      local loop = bare_loop()
      raia.use { watch = loop.watch }
      local client <close> = new_client()
      local path
      raia.spawn(function() path = client:request("GET", "/slow").path end)
      loop.run()
      assert.equal("/slow", path)
    end)

    it("that is cancelled makes its descriptor readable until the next step", function()
      local client <close> = new_client()
      local watched
      raia.use { watch = function(fd, _, step) watched = { fd = fd, step = step } end }
      local request = client:request("GET", "/hang", nil, { wait = false })
      local other = client:request("GET", "/hang", nil, { wait = false })
      local descriptor = watched.fd
      local function readable()
        local pollable = { getfd = function() return descriptor end }
        return #socket.select({ pollable }, nil, 0) == 1
      end
      assert.is_nil((request:wait(0.5)))
      watched.step()
      assert.is_false(readable())
      request:cancel()
      assert.is_true(readable())
      watched.step()
      assert.is_false(readable())
      other:cancel()
    end)

    it("tells it what to wait for: nothing, in the end", function()
      local watched = {}
      raia.use { watch = function(fd, seconds, step)
        watched = { fd = fd, seconds = seconds, step = step }
      end }
      assert.same({ step = watched.step }, watched)
      assert.equal("function", type(watched.step))
      local client <close> = new_client()
      local request = client:request("GET", "/slow", nil, { wait = false })
      assert.is_truthy(watched.fd or watched.seconds)
      local from = scheduler.now()
      while (watched.fd or watched.seconds) and scheduler.now() - from < patience do
        socket.sleep(0.01)
        watched.step()
      end
      assert.same({ step = watched.step }, watched)
      assert.equal("/slow", request:result().path)
    end)
  end)
end)

describe("raia.use", function()
  local mistakes = {
    { "a loop that nobody knows", "no_such_loop", "no event loop 'no_such_loop'" },
    { "a number", 5, "the name of an event loop" },
    { "a function", print, "the name of an event loop" },
    { "an empty table", {}, "the name of an event loop" },
    { "a table whose watch is none", { watch = 1 }, "the name of an event loop" },
  }
  for _, mistake in ipairs(mistakes) do
    it("raises when it is given " .. mistake[1], function()
      local good, message = pcall(raia.use, mistake[2])
      assert.is_false(good)
      assert.matches("raia.use: .*" .. mistake[3], message)
    end)
  end

  it("with nil goes back, and tells the loop to wait for nothing", function()
    local calls = 0
    local last
    raia.use { watch = function(...)
      calls = calls + 1
      last = table.pack(...)
    end }
    raia.spawn(raia.sleep, 0):join()
    local before = calls
    assert.is_true(before > 0)
    raia.use(nil)
    assert.equal(before + 1, calls)
    assert.is_nil(last[1])
    assert.is_nil(last[2])
    raia.spawn(raia.sleep, 0):join()
    assert.equal(before + 1, calls)
  end)
end)

describe("a hundred calls in flight and nothing arriving", function()
  local server

  setup(function() server = servers.start(script) end)
  teardown(function() server:close() end)

  -- Each waits for about two seconds between two calls of mark().
  local bodies = {
    blocking = [[
      mark()
      start()[1]:wait(0.5)
      mark()
      start()[1]:wait(2)
      mark()]],
    ["raia.run"] = [[raia.run(function()
      for _, request in ipairs(start()) do raia.spawn(function() request:wait() end) end
      raia.sleep(0.5)
      mark()
      raia.sleep(2)
      mark()
      os.exit(0, true)
    end)]],
    cqueues = [[
      local cqueues = require "cqueues"
      raia.use "cqueues"
      local controller = cqueues.new()
      for _ = 1, 100 do controller:wrap(function() client:request("GET", "/hang") end) end
      controller:wrap(function()
        cqueues.sleep(0.5)
        mark()
        cqueues.sleep(2)
        mark()
        os.exit(0, true)
      end)
      controller:loop(30)]],
    luv = [[
      local uv = require "luv"
      raia.use "luv"
      for _ = 1, 100 do raia.spawn(function() client:request("GET", "/hang") end) end
      local timer = uv.new_timer()
      timer:start(500, 0, function()
        mark()
        timer:start(2000, 0, function()
          mark()
          os.exit(0, false)
        end)
      end)
      uv.run()]],
    ["raia.step"] = [[
      start()
      raia.step(0.5)
      mark()
      local from = os.time()
      while os.time() - from < 3 do raia.step(1) end
      mark()]],
  }
  for name, body in pairs(bodies) do
    it("cost next to no CPU time: " .. name, function()
      local output = support.run("lua5.4 -", { URL = server.base_url }, [[
        local raia = require "raia"
        local scheduler = require "raia.core".scheduler
        local client = raia.client { base_url = os.getenv "URL", secret_key = "k",
          max_connections = 200 }
        local requests = {}
        local function start()
          for i = #requests + 1, 100 do
            requests[i] = client:request("GET", "/hang", nil, { wait = false })
          end
          return requests
        end
        local marked
        local function mark()
          if marked then print(scheduler.state(), os.clock() - marked) end
          marked = os.clock()
        end
        ]] .. body)
      local in_flight, seconds = output:match("(%d+)\t?%S*\t?%S*\t(%S+)\n$")
      assert.equal("100", in_flight, output)
      assert.is_true(tonumber(seconds) < 0.1, output)
    end)
  end
end)
