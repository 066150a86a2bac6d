-- Scheduling: answers at a deadline, polling tasks, errors, scopes, waits of event loops.
local raia = require "raia"
local certificates = require "spec.support.certificates"
local connect = require "spec.support.client" ()
local support = require "spec.support.run"
local shared = require "spec.support.tasks"

describe("tasks", function()
  local server, client
  shared.provide(function(...) server, client = ... end)

  local function get(path, options) return client:request("GET", path, nil, options) end

  -- Computes, so that nothing else has a turn.
  local function be_busy(seconds)
    local from = raia.now()
    while raia.now() - from < seconds do end
  end

  local ways = {
    ["in raia.run"] = raia.run,
    ["in a plain script"] = function(fn) return fn() end,
    ["under cqueues"] = function(fn)
      raia.use "cqueues"
      local controller = require "cqueues".new()
      local results
      controller:wrap(function() results = table.pack(fn()) end)
      local good, message = controller:loop(60)
      raia.use(nil)
      assert(good, message)
      return table.unpack(results, 1, results.n)
    end,
  }

  describe("an answer that has come", function()
    -- It comes after 0.4 s, while the program computes from 0.3 s to 1.3 s; the deadline is 0.9 s.
    for name, way in pairs(ways) do
      it("counts, though a deadline passed while the program computed " .. name, function()
        local path = way(function()
          local busy = raia.spawn(function()
            raia.sleep(0.3)
            be_busy(1)
          end)
          local reply = raia.timeout(0.9, get, "/after/0.4")
          busy:join()
          return reply and reply.path
        end)
        assert.equal("/after/0.4", path)
      end)

      it("counts, though the call's own time passed meanwhile " .. name, function()
        local path = way(function()
          local request = get("/after/0.4", { wait = false, timeout = 0.9 })
          raia.sleep(0.3)
          be_busy(1)
          local reply = request:wait()
          return reply and reply.path
        end)
        assert.equal("/after/0.4", path)
      end)
    end

    it("is never lost: thousands around their deadline, counted by on_event", function()
      local count, arrived = tonumber(os.getenv "DEADLINE_ANSWERS" or 2000), 0
      local many <close> = connect(server, { max_connections = 100, on_event = function(event)
        if event.status == 200 then arrived = arrived + 1 end
      end })
      local list = {}
      for i = 1, count do list[i] = i end
      local given, late = 0, 0
      assert(raia.map(list, function(i)
        local reply, _, err = raia.timeout(0.08 + i % 60 / 1000, function()
          return many:request("GET", "/after/0.1")
        end)
        if reply then given = given + 1 end
        if err and err.kind == "timeout" then late = late + 1 end
        return true
      end, { concurrency = 100 }))
      assert.equal(arrived, given)
      assert.equal(count, given + late)
      assert.is_true(given > 0 and late > 0, ("%d given, %d late"):format(given, late))
    end)

    it("counts for who joins the task that has it", function()
      local path = raia.run(function()
        raia.spawn(function()
          raia.sleep(0.3)
          be_busy(1)
        end)
        local reply = raia.timeout(0.9, function()
          local inner = raia.spawn(function() return raia.spawn(get, "/after/0.4"):join() end)
          return inner:join()
        end)
        return reply and reply.path
      end)
      assert.equal("/after/0.4", path)
    end)

    it("counts for each of more than one look at the sockets finds", function()
      local many <close> = connect(server, { max_connections = 200 })
      local list = {}
      for i = 1, 150 do list[i] = "/after/1/" .. i end
      local arrived = raia.run(function()
        raia.spawn(function()
          raia.sleep(0.9)
          be_busy(2)
        end)
        return raia.map(list, function(path)
          local reply = raia.timeout(2, many.request, many, "GET", path)
          return reply and reply.path
        end, { concurrency = 150 })
      end)
      assert.same(list, arrived)
    end)

    it("counts, if five share a connection of HTTP/2, in several frames", function()
      local made = certificates()
      local path = os.tmpname()
      local file <close> = assert(io.open(path, "w"))
      file:write "return function() return ('x'):rep(10000) end"
      file:close()
      local sandbox <close> = assert(require "raia.sandbox".start {
        delay = 0.4, agent = path, any_user = true,
        tls_cert = made.good.cert, tls_key = made.good.key })
      local secure <close> = connect(sandbox, { ca_file = made.ca,
        secret_key = sandbox.secret_key })
      local conversation = assert(secure.conversations:create { conversationUserId = "u" })
      local arrived = raia.run(function()
        raia.spawn(function()
          raia.sleep(0.3)
          be_busy(2)
        end)
        return raia.map({ 1, 2, 3, 4, 5 }, function()
          return #raia.timeout(1.5, conversation.send, conversation, "Hello").message
        end)
      end)
      os.remove(path)
      made.remove()
      assert.same({ 10000, 10000, 10000, 10000, 10000 }, arrived)
    end)

    it("in a queue is not lost with who is cancelled as it comes", function()
      raia.run(function()
        local queue = raia.queue()
        local got
        local taker = raia.spawn(function() got = queue:take() end)
        raia.sleep(0.01)
        queue:put "value"
        taker:cancel()
        assert.equal("value", got or queue:take(0.1))
      end)
    end)
  end)

  describe("a task that polls", function()
    for name, way in pairs(ways) do
      it("by sleep(0) lets the others go on " .. name, function()
        local reply = way(function()
          local task = raia.spawn(get, "/after/0.1")
          while not task:done() do raia.sleep(0) end
          return (task:join())
        end)
        assert.equal("/after/0.1", reply.path)
      end)

      it("by done() alone lets the others go on " .. name, function()
        local reply = way(function()
          local task = raia.spawn(get, "/after/0.1")
          while not task:done() do end
          return (task:join())
        end)
        assert.equal("/after/0.1", reply.path)
      end)
    end

    it("is ended by its deadline", function()
      local _, _, err = raia.timeout(0.05, function()
        while true do raia.sleep(0) end
      end)
      assert.equal("timeout", err.kind)
    end)
  end)

  it("may be 250 that step, or whose generators sleep", function()
    local count = raia.run(function()
      local tasks, ended = {}, 0
      for i = 1, 250 do
        tasks[i] = raia.spawn(function()
          raia.step(0.01)
          coroutine.wrap(function() raia.sleep(0.01) end)()
          ended = ended + 1
        end)
      end
      for _, task in ipairs(tasks) do task:join() end
      return ended
    end)
    assert.equal(250, count)
  end)

  it("wait as cqueues does, under cqueues", function()
    local cqueues = require "cqueues"
    ways["under cqueues"](function()
      local from = raia.now()
      raia.map({ 1, 2, 3, 4 }, function() cqueues.sleep(0.3) return true end)
      assert.is_true(raia.now() - from >= 0.29 and raia.now() - from < 1)
      local _, _, err = raia.timeout(0.1, cqueues.sleep, 60)
      assert.equal("timeout", err.kind)
    end)
  end)

  describe("an error", function()
    it("that nobody joins ends a run that would go on for ever", function()
      local good, message = pcall(raia.run, function()
        raia.spawn(function()
          raia.sleep(0.01)
          error "in a child"
        end)
        while true do raia.sleep(60) end
      end)
      assert.is_false(good)
      assert.matches("in a child", message)
    end)

    it("comes first, and others after it are warned of", function()
      local output = support.run("lua5.4 -W -", {}, [[
        local raia = require "raia"
        print(pcall(raia.run, function()
          raia.spawn(function()
            local _ <close> = setmetatable({}, { __close = function() error "closing" end })
            error "first"
          end)
          raia.spawn(function() error "second" end)
          raia.sleep(60)
        end))]])
      assert.matches("false\t[^\n]*first", output)
      assert.matches("warning: [^\n]*second", output)
      assert.matches("warning: [^\n]*closing", output)
    end)
  end)

  describe("what is spawned in a call", function()
    local calls = {
      timeout = function(fn) return raia.timeout(60, fn) end,
      gather = function(fn) return raia.gather { fn } end,
      map = function(fn) return raia.map({ 1 }, fn) end,
    }
    for name, call in pairs(calls) do
      it("ends with it: " .. name, function()
        raia.run(function()
          local child
          call(function()
            child = raia.spawn(raia.sleep, 60)
            return true
          end)
          assert.is_true(child:done())
        end)
      end)
    end
  end)

  it("that fail say which element it was, and what the others had come to", function()
    local _, _, err = raia.map({ "/1", "/2", "/after/0.2" }, function(path)
      if path == "/after/0.2" then
        raia.sleep(0.2)
        return nil, "a failure"
      end
      return get(path).path
    end)
    assert.equal(3, err.index)
    assert.same({ "/1", "/2" }, err.results)
    local _, _, late = raia.timeout(0.2, raia.map, { "/1", "/hang" }, function(path)
      return get(path).path
    end)
    assert.same({ "/1" }, late.results)
    assert.has_error(function() raia.map({ a = 1 }, print) end)
  end)

  it("that wait for each other are named", function()
    local good, message = pcall(raia.run, function()
      local one, other
      one = raia.spawn(function() return other:join() end)
      other = raia.spawn(function() return one:join() end)
      one:join()
    end)
    assert.is_false(good)
    assert.matches("waits in join, spec/task_turns_spec.lua:%d+", message)
  end)

  it("go on while a plain script's call blocks", function()
    local task = raia.spawn(function()
      raia.sleep(0.01)
      return get "/x".path
    end)
    get "/after/0.3"
    assert.is_true(task.ended)
    assert.equal("/x", task:join())
  end)

  it("may be joined for a while", function()
    raia.run(function()
      local task = raia.spawn(function()
        raia.sleep(0.1)
        return 5
      end)
      assert.equal("timeout", select(3, task:join(0.01)).kind)
      assert.equal(5, task:join(60))
    end)
  end)

  it("may be waited for in vain time and again: nothing grows", function()
    raia.run(function()
      local task = raia.spawn(raia.sleep, 60)
      local function kilobytes(count)
        for _ = 1, count do
          assert.equal("timeout", select(3, raia.timeout(0.0001, task.join, task)).kind)
        end
        collectgarbage()
        collectgarbage()
        return collectgarbage "count"
      end
      local before = kilobytes(200)
      assert.is_true(kilobytes(2000) - before < 100)
      task:cancel()
    end)
  end)

  it("may be as many as memory has room for: 64,000 that sleep take some seconds", function()
    local before = os.clock()
    raia.run(function()
      for i = 1, 64000 do raia.spawn(raia.sleep, 1 + i * 7919 % 64000 / 64000) end
    end)
    assert.is_true(os.clock() - before < 20) -- twice as many take twice as long: see the bench
  end)
end)
