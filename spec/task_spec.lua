-- lua/raia/task.lua and progress.lua: run, spawn, join, cancel, gather, map, sleep, timeout, step.
local raia = require "raia"
local scheduler = require "raia.core".scheduler
local support = require "spec.support.run"
local shared = require "spec.support.tasks"

local closing = shared.closing

describe("tasks", function()
  local server, client, conversation

  setup(function() server = shared.start() end)
  teardown(function() server:close() end)

  before_each(function()
    client = raia.client { base_url = server.base_url, secret_key = "k", max_retries = 0 }
    conversation = client:conversation "c"
  end)

  after_each(function()
    client:close()
    assert.equal(0, (scheduler.state()))
  end)

  local function get(path, options) return client:request("GET", path, nil, options) end

  -- How many connections the server has seen closed while it did not answer.
  local function closed()
    local notes = server:notes()
    for _, note in ipairs(notes) do assert.equal("closed", note.note) end
    return #notes
  end

  local function join_all(tasks)
    for _, task in ipairs(tasks) do task:join() end
  end

  describe("raia.run", function()
    it("hands on arguments and results, nils included", function()
      local results = table.pack(raia.run(function(...)
        raia.sleep(0)
        return select("#", ...), ...
      end, 1, nil, 3, nil))
      assert.same({ n = 5, 4, 1, nil, 3, nil }, results)
    end)

    it("and the others call what can be called", function()
      local callable = setmetatable({}, { __call = function(_, x) return (x or 0) + 1 end })
      assert.equal(2, raia.run(callable, 1))
      assert.equal(3, raia.spawn(callable, 2):join())
      assert.equal(4, raia.timeout(60, callable, 3))
      assert.same({ 1, 1 }, raia.gather { callable, callable })
      assert.same({ 6 }, raia.map({ 5 }, callable))
    end)

    it("returns when all that was spawned in it has ended", function()
      local ended = {}
      raia.run(function()
        raia.spawn(function()
          raia.spawn(function()
            raia.sleep(0.1)
            ended[#ended + 1] = "inner"
          end)
          ended[#ended + 1] = "outer"
        end)
      end)
      assert.same({ "outer", "inner" }, ended)
    end)

    it("runs inside of run, and suspends only its own task", function()
      local order = {}
      local result = raia.run(function()
        local beside = raia.spawn(function()
          order[#order + 1] = "beside"
        end)
        local inner = raia.run(function()
          raia.spawn(function()
            raia.sleep(0.1)
            order[#order + 1] = "inner's own"
          end)
          return get "/slow".path
        end)
        order[#order + 1] = "outer"
        beside:join()
        return inner
      end)
      assert.equal("/slow", result)
      assert.same({ "beside", "inner's own", "outer" }, order)
    end)

    it("lets calls wait side by side", function()
      local before = #server:requests()
      local paths = raia.run(function()
        local tasks, found = {}, {}
        for i = 1, 20 do
          tasks[i] = raia.spawn(function() return get("/slow/" .. i).path end)
        end
        raia.sleep(0.2)
        found.seen = #server:requests() - before -- all, and none is answered yet
        for i, task in ipairs(tasks) do found[i] = task:join() end
        return found
      end)
      assert.equal(20, paths.seen)
      for i = 1, 20 do assert.equal("/slow/" .. i, paths[i]) end
    end)

    it("cancels what is left when its function raises", function()
      local before, ran = closed(), false
      local good, err = pcall(raia.run, function()
        raia.spawn(function()
          local _ <close> = closing(function() ran = true end)
          get "/hang"
        end)
        raia.sleep(0.2)
        error({ "mine" })
      end)
      assert.is_false(good)
      assert.same({ "mine" }, err)
      assert.is_true(ran)
      assert.equal(before + 1, closed())
    end)

    it("runs many tasks", function()
      local sum = 0
      raia.run(function()
        for i = 1, 10000 do
          raia.spawn(function()
            raia.sleep((i % 10) / 100)
            sum = sum + i
          end)
        end
      end)
      assert.equal(50005000, sum)
    end)
  end)

  describe("an error in a task", function()
    it("reaches join with the task's traceback", function()
      local function deep() error("broken here") end
      local good, message = pcall(raia.run, function()
        return raia.spawn(function()
          raia.sleep(0.01)
          deep()
        end):join()
      end)
      assert.is_false(good)
      assert.matches("^[^\n]*task_spec.lua:%d+: broken here\n", message)
      assert.matches("in upvalue 'deep'", message)
    end)

    for name, value in pairs { table = { 1 }, number = 7, boolean = false, builtin = print } do
      it("that is a " .. name .. " reaches join as itself", function()
        raia.run(function()
          local task = raia.spawn(function()
            raia.sleep(0)
            error(value)
          end)
          local good, err = pcall(task.join, task)
          assert.is_false(good)
          assert.equal(value, err)
          assert.is_true(task:done())
          assert.equal(value, select(2, pcall(task.join, task))) -- each time the same
        end)
      end)
    end

    it("that nobody joins reaches run at once, and the others are cancelled", function()
      local ended = false
      local good, message = pcall(raia.run, function()
        raia.spawn(function() error("nobody's") end)
        raia.spawn(function()
          raia.sleep(60)
          ended = true
        end)
        return 1
      end)
      assert.is_false(good)
      assert.matches("nobody's", message)
      assert.is_false(ended)
    end)

    it("that was joined does not reach run", function()
      assert.equal("fine", raia.run(function()
        local task = raia.spawn(function() error("joined") end)
        pcall(task.join, task)
        return "fine"
      end))
    end)

    it("whose join was cut short still reaches run", function()
      local good, message = pcall(raia.run, function()
        local task = raia.spawn(function()
          raia.sleep(0.3)
          error("late")
        end)
        raia.timeout(0.05, function() task:join() end)
      end)
      assert.is_false(good)
      assert.matches("late", message)
    end)

    local inside = {
      gather = function(fn) return raia.gather { fn } end,
      map = function(fn) return raia.map({ 1 }, fn) end,
      timeout = function(fn) return raia.timeout(30, fn) end,
    }
    for name, wrap in pairs(inside) do
      it("spawned within raia." .. name .. " and joined by nobody is not lost", function()
        local good, message = pcall(raia.run, function()
          wrap(function()
            raia.spawn(function() error("stray") end)
            raia.sleep(0.05)
            return 1
          end)
        end)
        assert.is_false(good)
        assert.matches("stray", message)
      end)
    end

    it("outside of run that nobody joined is told on standard error", function()
      local output, status = support.run("lua5.4 -", nil, [[
        local raia = require "raia"
        raia.spawn(function() error("forgotten") end)
        raia.step()
        collectgarbage()
        collectgarbage()
        print "goes on"]])
      assert.matches("a task that nobody joined failed: [^\n]*forgotten", output)
      assert.matches("goes on", output)
      assert.equal(0, status)
    end)
  end)

  describe("a task", function()
    it("says what state it is in", function()
      raia.run(function()
        local good = raia.spawn(function() raia.sleep(0.01) end)
        assert.matches("^raia.task %(not begun, spec/task_spec.lua:%d+%)$", tostring(good))
        assert.is_false(good:done())
        assert.matches("^raia.task %(waits in sleep, spec/task_spec.lua:%d+%)$", tostring(good))
        good:join()
        local bad = raia.spawn(function() error("x") end)
        pcall(bad.join, bad)
        assert.is_true(good:done())
        assert.equal("raia.task (done)", tostring(good))
        assert.equal("raia.task (failed)", tostring(bad))
      end)
    end)

    it("can be joined by many, and more than once", function()
      local results = raia.run(function()
        local task = raia.spawn(function()
          raia.sleep(0.1)
          return "a", nil, "c"
        end)
        local joiners = {}
        for i = 1, 3 do
          joiners[i] = raia.spawn(function() return table.pack(task:join()) end)
        end
        local all = { table.pack(task:join()), table.pack(task:join()) }
        for _, joiner in ipairs(joiners) do all[#all + 1] = joiner:join() end
        return all
      end)
      assert.equal(5, #results)
      for _, result in ipairs(results) do assert.same({ n = 3, "a", nil, "c" }, result) end
    end)

    it("is run by who joins it, or sleeps, outside of run", function()
      local task = raia.spawn(function() return get "/slow".path end)
      assert.equal("/slow", task:join())
      local slept = false
      task = raia.spawn(function()
        raia.sleep(0.05)
        slept = true
      end)
      raia.sleep(0.5)
      assert.is_true(slept)
      assert.is_true(task:done())
    end)

    it("goes on though nobody holds it", function()
      local path
      raia.spawn(function() path = get "/slow/unheld".path end)
      raia.step(0)
      collectgarbage()
      collectgarbage()
      raia.sleep(1)
      assert.equal("/slow/unheld", path)
    end)

    it("that sleeps goes on though nobody holds it", function()
      local slept = false
      raia.spawn(function()
        raia.sleep(0.05)
        slept = true
      end)
      raia.step(0)
      collectgarbage()
      collectgarbage()
      raia.sleep(0.5)
      assert.is_true(slept)
    end)

    it("that yields by itself lets the others have their turn", function()
      local order = {}
      raia.run(function()
        for i = 1, 2 do
          raia.spawn(function()
            for round = 1, 3 do
              order[#order + 1] = i .. round
              assert.equal(0, select("#", coroutine.yield("nobody's business")))
            end
          end)
        end
      end)
      assert.same({ "11", "21", "12", "22", "13", "23" }, order)
    end)

    it("that yields by itself does not hold up what is in flight", function()
      local turns, path = 0, nil
      raia.run(function()
        local task = raia.spawn(function() path = get "/slow".path end)
        while not task:done() do
          turns = turns + 1
          coroutine.yield()
        end
      end)
      assert.equal("/slow", path)
      assert.is_true(turns > 1)
    end)

    it("may step, and so let the others go on", function()
      local done = 0
      raia.run(function()
        for _ = 1, 5 do
          raia.spawn(function()
            raia.step(0.01)
            raia.sleep(0.01)
            done = done + 1
          end)
        end
      end)
      assert.equal(5, done)
    end)
  end)

  describe("cancel", function()
    it("ends the request that the task waits for at once", function()
      local before = closed()
      local kind, seen = raia.run(function()
        local task = raia.spawn(function() return get "/hang" end)
        raia.sleep(0.2)
        assert.is_true(task:cancel())
        local seen = closed()
        local value, message, err = task:join()
        assert.is_nil(value)
        assert.equal(message, tostring(err))
        return err.kind, seen
      end)
      assert.equal("cancelled", kind)
      assert.equal(before + 1, seen)
    end)

    it("says whether there was something to cancel", function()
      raia.run(function()
        local task = raia.spawn(raia.sleep, 60)
        assert.is_true(task:cancel())
        assert.is_true(task:done())
        assert.is_false(task:cancel())
        local other = raia.spawn(function() return 5 end)
        other:join()
        assert.is_false(other:cancel())
        assert.equal(5, other:join())
      end)
    end)

    it("of a task that has not begun means that it never does", function()
      local begun = false
      raia.run(function()
        raia.spawn(function() begun = true end):cancel()
      end)
      assert.is_false(begun)
    end)

    it("runs the task's <close> variables, the last first", function()
      local order = {}
      raia.run(function()
        local task = raia.spawn(function()
          local _ <close> = closing(function() order[#order + 1] = "first" end)
          local _ <close> = closing(function() order[#order + 1] = "second" end)
          raia.sleep(60)
        end)
        raia.sleep(0)
        raia.timeout(0.05, raia.sleep, 60) -- the task has had its turn
        task:cancel()
        order[#order + 1] = "cancelled"
      end)
      assert.same({ "second", "first", "cancelled" }, order)
    end)

    it("lets a <close> variable call and sleep", function()
      local path
      raia.run(function()
        local task = raia.spawn(function()
          local _ <close> = closing(function()
            raia.sleep(0.01)
            path = get "/farewell".path
          end)
          get "/hang"
        end)
        raia.sleep(0.1)
        task:cancel()
        assert.equal("/farewell", path)
      end)
    end)

    it("with an error in <close> fails the task: join raises it", function()
      local err = raia.run(function()
        local task = raia.spawn(function()
          local _ <close> = closing(function() error({ "while closing" }) end)
          raia.sleep(60)
        end)
        raia.sleep(0.01)
        assert.is_true(task:cancel())
        return select(2, pcall(task.join, task))
      end)
      assert.same({ "while closing" }, err)
    end)

    it("with an error in <close> that nobody joins reaches run", function()
      local good, err = pcall(raia.run, function()
        local task = raia.spawn(function()
          local _ <close> = closing(function() error({ "while closing" }) end)
          raia.sleep(60)
        end)
        raia.sleep(0.01)
        task:cancel()
      end)
      assert.is_false(good)
      assert.same({ "while closing" }, err)
    end)

    it("of oneself raises", function()
      local task
      local good, message = pcall(raia.run, function()
        task = raia.spawn(function()
          raia.sleep(0)
          task:cancel()
        end)
        task:join()
      end)
      assert.is_false(good)
      assert.matches("a task cannot cancel itself", message)
    end)

    it("of oneself from a generator raises, too", function()
      local task
      raia.run(function()
        task = raia.spawn(function()
          return coroutine.wrap(function() return pcall(task.cancel, task) end)()
        end)
        assert.is_false((task:join()))
      end)
    end)

    it("wakes those who join", function()
      raia.run(function()
        local sleeper = raia.spawn(raia.sleep, 60)
        local joiner = raia.spawn(function() return select(3, sleeper:join()).kind end)
        raia.sleep(0.01)
        sleeper:cancel()
        assert.equal("cancelled", joiner:join())
      end)
    end)

    it("of a task that has spawned others leaves those alone", function()
      local ended = false
      raia.run(function()
        local parent = raia.spawn(function()
          raia.spawn(function()
            raia.sleep(0.1)
            ended = true
          end)
          raia.sleep(60)
        end)
        raia.sleep(0.01)
        parent:cancel()
      end)
      assert.is_true(ended)
    end)

    it("of a task within run, gather, map or timeout cancels what is in these", function()
      local before = closed()
      local waits = {
        function() raia.run(get, "/hang") end,
        function() raia.gather { function() return get "/hang" end } end,
        function() raia.map({ "/hang", "/hang" }, function(path) return get(path) end) end,
        function() raia.timeout(60, get, "/hang") end,
      }
      raia.run(function()
        for _, wait in ipairs(waits) do
          local task = raia.spawn(wait)
          raia.sleep(0.2)
          task:cancel()
        end
      end)
      assert.equal(before + 5, closed())
    end)
  end)

  describe("a request", function()
    it("can be waited for by two tasks", function()
      raia.run(function()
        local request = get("/slow", { wait = false })
        local tasks = {}
        for i = 1, 2 do tasks[i] = raia.spawn(function() return request:wait() end) end
        assert.equal("/slow", tasks[1]:join().path)
        assert.equal(tasks[1]:join(), tasks[2]:join())
      end)
    end)

    it("cancelled by one task wakes those that wait for it", function()
      local before = closed()
      raia.run(function()
        local request = get("/hang", { wait = false })
        local tasks = {}
        for i = 1, 2 do
          tasks[i] = raia.spawn(function() return select(3, request:wait()).kind end)
        end
        raia.sleep(0.2)
        assert.is_true(request:cancel())
        assert.equal("cancelled", tasks[1]:join())
        assert.equal("cancelled", tasks[2]:join())
      end)
      assert.equal(before + 1, closed())
    end)

    it("whose wait runs out goes on", function()
      raia.run(function()
        local request = get("/slow", { wait = false })
        local value, message, err = request:wait(0.01)
        assert.is_nil(value)
        assert.equal("string", type(message))
        assert.is_nil(err)
        assert.is_false(request:done())
        assert.equal("/slow", request:wait(60).path)
        assert.is_true(request:done())
        assert.equal("/slow", request:result().path)
        assert.equal("/slow", request:wait(0).path)
      end)
    end)

    it("whose client is closed by another task ends as closed", function()
      local before = closed()
      raia.run(function()
        local task = raia.spawn(function() return select(3, get "/hang").kind end)
        raia.sleep(0.2)
        client:close()
        assert.equal("closed", task:join())
      end)
      assert.equal(before + 1, closed())
    end)

    it("whose on_event raises raises that in its task", function()
      local own <close> = raia.client { base_url = server.base_url, secret_key = "k",
        on_event = function() error({ "event" }) end }
      raia.run(function()
        local task = raia.spawn(function() return own:request("GET", "/x") end)
        assert.same({ "event" }, select(2, pcall(task.join, task)))
      end)
    end)
  end)

  describe("gather", function()
    it("gives the first results in order", function()
      local results = raia.run(function()
        return raia.gather {
          function() return get "/slow/1".path, "second" end,
          function() return get "/2".path end,
          function() return nil end,
          function() return false end,
        }
      end)
      assert.same({ "/slow/1", "/2", nil, false }, results)
    end)

    it("works outside of run, and with nothing to do", function()
      assert.same({ "/a" }, raia.gather { function() return get "/a".path end })
      assert.same({}, raia.gather {})
    end)

    it("returns the first failure and cancels the others", function()
      local before = closed()
      local value, message, err = raia.run(raia.gather, {
        function() return get "/hang" end,
        function() return get "/status/404" end,
        function() return get "/hang" end,
      })
      assert.is_nil(value)
      assert.matches("404", message)
      assert.equal(404, err.status)
      assert.equal(before + 2, closed())
    end)

    it("raises what one raises and cancels the others", function()
      local before = closed()
      local good, err = pcall(raia.gather, {
        function() return get "/hang" end,
        function()
          raia.sleep(0.2)
          error({ "raised" })
        end,
      })
      assert.is_false(good)
      assert.same({ "raised" }, err)
      assert.equal(before + 1, closed())
    end)
  end)

  describe("map", function()
    local list = {}
    for i = 1, 40 do list[i] = i end

    it("gives results in the order of the list, whatever ends first", function()
      local results = raia.run(raia.map, list, function(element, index)
        assert.equal(element, index)
        raia.sleep((41 - element) / 200)
        return get("/" .. element).path
      end, { concurrency = 40 })
      assert.equal(40, #results)
      for i = 1, 40 do assert.equal("/" .. i, results[i]) end
    end)

    for _, limit in ipairs { 1, 3, 16 } do
      it("runs as many at a time as it may: " .. limit, function()
        local now, most = 0, 0
        assert(raia.map(list, function()
          now = now + 1
          most = math.max(most, now)
          raia.sleep(0.01)
          now = now - 1
          return true
        end, limit ~= 16 and { concurrency = limit } or nil)) -- 16 is the default
        assert.equal(limit, most)
        assert.equal(0, now)
      end)
    end

    it("calls on_progress after each", function()
      local calls = {}
      assert(raia.map(list, function(i)
        raia.sleep((i % 7) / 500)
        return i
      end, { on_progress = function(done, total) calls[#calls + 1] = { done, total } end }))
      assert.equal(40, #calls)
      for i, call in ipairs(calls) do assert.same({ i, 40 }, call) end
    end)

    it("does nothing for an empty list", function()
      assert.same({}, raia.map({}, error))
      local results, failures = raia.map({}, error, { on_error = "collect" })
      assert.same({ {}, {} }, { results, failures })
    end)

    it("stops at the first failure, cancels what is under way, begins nothing more", function()
      local before, begun = closed(), 0
      local value, message, err = raia.map(list, function(i)
        begun = begun + 1
        if i == 3 then return get "/status/500" end
        return get "/hang"
      end, { concurrency = 5 })
      assert.is_nil(value)
      assert.matches("500", message)
      assert.equal(500, err.status)
      assert.equal(5, begun)
      assert.equal(before + 4, closed())
    end)

    it("raises what its function raises, with the traceback", function()
      local before = closed()
      local good, message = pcall(raia.map, list, function(i)
        if i == 2 then error("in the function") end
        return get "/hang"
      end, { concurrency = 3 })
      assert.is_false(good)
      assert.matches("task_spec.lua:%d+: in the function\nstack traceback", message)
      assert.is_true(closed() <= before + 2) -- those that had come so far
    end)

    for _, mode in ipairs { "stop", "collect" } do
      it("raises what on_progress raises: " .. mode, function()
        local good, err = pcall(raia.map, list, function(i) return i end, {
          on_error = mode,
          on_progress = function(done) if done == 5 then error({ "progress" }) end end,
        })
        assert.is_false(good)
        assert.same({ "progress" }, err)
      end)
    end

    it("collects failures beside results, and loses none", function()
      local calls = 0
      local results, failures = raia.map(list, function(i)
        if i % 4 == 0 then return get("/status/404") end
        if i % 4 == 1 then error("raised " .. i) end
        if i % 4 == 2 then error({ i }) end
        return get("/" .. i).path
      end, { on_error = "collect", on_progress = function() calls = calls + 1 end })
      assert.equal(40, calls)
      for i = 1, 40 do
        local failure = failures[i]
        if i % 4 == 3 then
          assert.equal("/" .. i, results[i])
          assert.is_nil(failure)
        else
          assert.is_nil(results[i])
          assert.equal("string", type(failure.message))
        end
        if i % 4 == 0 then assert.equal(404, failure.err.status) end
        if i % 4 == 1 then assert.matches("raised " .. i .. "\nstack traceback", failure.err) end
        if i % 4 == 2 then assert.same({ i }, failure.err) end
      end
    end)

    it("runs inside of map", function()
      local results = raia.run(raia.map, { 1, 2, 3 }, function(i)
        return table.concat(raia.map({ 1, 2 }, function(k) return get("/" .. i .. k).path end))
      end)
      assert.same({ "/11/12", "/21/22", "/31/32" }, results)
    end)
  end)

  describe("timeout", function()
    it("returns what its function returns, and passes arguments", function()
      local results = table.pack(raia.run(raia.timeout, 60, function(...)
        raia.sleep(0.01)
        return ...
      end, nil, 2, nil))
      assert.same({ n = 3, nil, 2, nil }, results)
      assert.equal("/a", raia.timeout(60, get, "/a").path)
    end)

    for name, call in pairs { ["in a task"] = function(...) return raia.run(raia.timeout, ...) end,
      ["outside of run"] = raia.timeout } do
      it("cancels what takes longer " .. name, function()
        local before = closed()
        local value, message, err = call(0.2, get, "/hang")
        assert.is_nil(value)
        assert.equal(message, tostring(err))
        assert.equal("timeout", err.kind)
        assert.equal(before + 1, closed())
      end)

      it("raises what its function raises " .. name, function()
        local good, err = pcall(call, 60, error, { "raised" })
        assert.is_false(good)
        assert.same({ "raised" }, err)
      end)
    end

    it("holds inside of a longer one, and ends with a shorter one", function()
      raia.run(function()
        local _, _, err = raia.timeout(60, raia.timeout, 0.05, raia.sleep, 60)
        assert.equal("timeout", err.kind)
        _, _, err = raia.timeout(0.05, raia.timeout, 60, raia.sleep, 60)
        assert.equal("timeout", err.kind)
      end)
    end)
  end)

  describe("sleep", function()
    it("takes its time, in a task and without", function()
      for _, call in ipairs { raia.sleep, function(s) raia.run(raia.sleep, s) end } do
        local from = scheduler.now()
        call(1)
        assert.is_true(scheduler.now() - from >= 1)
      end
    end)

    it("wakes the soonest first", function()
      local order = {}
      raia.run(function()
        for _, seconds in ipairs { 0.9, 0.1, 0.5 } do
          raia.spawn(function()
            raia.sleep(seconds)
            order[#order + 1] = seconds
          end)
        end
      end)
      assert.same({ 0.1, 0.5, 0.9 }, order)
    end)
  end)

  describe("step", function()
    it("moves tasks and requests along and counts those in flight", function()
      local first, second = get("/slow", { wait = false }), get("/slow", { wait = false })
      assert.equal(2, raia.step())
      local task = raia.spawn(function() return first:wait().path .. second:wait().path end)
      for _ = 1, 1000 do
        if task:done() then break end
        raia.step(0.1)
      end
      assert.is_true(task:done())
      assert.equal("/slow/slow", task:join())
      assert.equal(0, raia.step())
    end)

    it("counts a request that a task has begun in the same step", function()
      local task = raia.spawn(function()
        for i = 1, 3 do get("/slow/" .. i) end
        return "done"
      end)
      local steps = 0
      repeat
        local in_flight = raia.step(0.05)
        steps = steps + 1
      until in_flight == 0 or steps == 1000
      assert.is_true(task:done())
    end)

    it("waits at most so long when nothing happens", function()
      local request = get("/hang", { wait = false })
      local from = scheduler.now()
      repeat
        assert.equal(1, raia.step(0.5))
      until scheduler.now() - from >= 1
      request:cancel()
      assert.equal(0, raia.step(0))
    end)
  end)

  describe("tasks that wait for each other", function()
    local cases = {
      ["two that join each other"] = function()
        local first, second
        first = raia.spawn(function() second:join() end)
        second = raia.spawn(function() first:join() end)
        first:join()
      end,
      ["one that joins itself"] = function()
        local task
        task = raia.spawn(function() task:join() end)
        task:join()
      end,
      ["two that nobody joins"] = function()
        local first, second
        first = raia.spawn(function() second:join() end)
        second = raia.spawn(function() first:join() end)
      end,
    }
    for name, body in pairs(cases) do
      it("are an error, not a hang: " .. name, function()
        local good, message = pcall(raia.run, body)
        assert.is_false(good)
        assert.matches("every task waits", message)
      end)
    end

    it("are an error outside of run, too", function()
      local first, second
      first = raia.spawn(function() second:join() end)
      second = raia.spawn(function() first:join() end)
      local good, message = pcall(first.join, first)
      assert.is_false(good)
      assert.matches("every task waits", message)
      first:cancel()
      second:cancel()
    end)
  end)

  describe("a generator that calls", function()
    local function generator()
      return coroutine.wrap(function()
        for i = 1, 3 do
          local answer = assert(conversation:send("question " .. i))
          coroutine.yield(i, tostring(answer))
        end
      end)
    end

    local function consume()
      local next_one, got = generator(), {}
      for i = 1, 3 do got[i] = { next_one() } end
      assert.same({ { 1, "question 1" }, { 2, "question 2" }, { 3, "question 3" } }, got)
      return true
    end

    local ways = {
      ["in a plain script"] = consume,
      ["in a task"] = function() return raia.run(consume) end,
      ["in a coroutine of cqueues"] = function()
        local cqueues = require "cqueues"
        local controller, result = cqueues.new(), nil
        raia.use "cqueues"
        controller:wrap(function() result = consume() end)
        local good, message = controller:loop(60)
        raia.use(nil)
        assert(good, message)
        return result
      end,
    }
    for name, way in pairs(ways) do
      it(name .. " blocks, and yields only its own values", function()
        assert.is_true(way())
      end)
    end

    it("or sleeps or joins in a task harms no other task", function()
      local ended = {}
      raia.run(function()
        local tasks = {}
        for i = 1, 4 do
          tasks[i] = raia.spawn(function()
            if i == 1 then
              coroutine.wrap(function() raia.sleep(0.05) end)()
            elseif i == 2 then
              coroutine.wrap(function() raia.spawn(raia.sleep, 0.05):join() end)()
            else
              raia.sleep(0.1)
            end
            ended[i] = true
          end)
        end
        join_all(tasks)
      end)
      assert.same({ true, true, true, true }, ended)
    end)
  end)

  describe("Ctrl-C", function()
    local bodies = {
      ["a call in a task"] = [[raia.run(function()
        local _ <close> = setmetatable({}, { __close = function() print "closed" end })
        raia.spawn(raia.sleep, 60)
        client:request("GET", "/hang")
      end)]],
      ["sleeping tasks"] = [[raia.run(function()
        local _ <close> = setmetatable({}, { __close = function() print "closed" end })
        raia.spawn(raia.sleep, 60)
        raia.sleep(60)
      end)]],
      ["a join outside of run"] = [[
        local _ <close> = setmetatable({}, { __close = function() print "closed" end })
        raia.spawn(client.request, client, "GET", "/hang"):join()]],
      ["map"] = [[raia.map({ 1, 2, 3 }, function()
        local _ <close> = setmetatable({}, { __close = function() print "closed" end })
        return client:request("GET", "/hang")
      end)]],
    }
    for name, body in pairs(bodies) do
      it("ends " .. name, function()
        local output, status = support.run("lua5.4 -", { URL = server.base_url }, [[
          local raia = require "raia"
          local client = raia.client { base_url = os.getenv "URL", secret_key = "k" }
          os.execute "(sleep 1; kill -INT $PPID) >/dev/null 2>&1 &"
          local from = os.time()
          local function body() ]] .. body .. [[ end
          print(pcall(body))
          print(os.time() - from < 20 and "soon" or "late")]])
        assert.matches("false\t[^\n]*interrupted!", output)
        assert.matches("closed\n", output)
        assert.matches("soon\n", output)
        assert.equal(0, status)
      end)
    end
  end)

  describe("a mistake", function()
    local function nothing() end
    local mistakes = {
      { "run without a function", raia.run, {}, "raia.run: a function" },
      { "run of a table", raia.run, { {} }, "raia.run: a function .* table" },
      { "spawn of a string", raia.spawn, { "x" }, "raia.spawn: a function .* string" },
      { "gather of a function", raia.gather, { nothing }, "raia.gather: a table" },
      { "gather of a number", raia.gather, { { nothing, 1 } },
        "raia.gather: a function .* number" },
      { "map of a string", raia.map, { "x", nothing }, "raia.map: a list" },
      { "map with no function", raia.map, { {} }, "raia.map: a function" },
      { "map with options of a number", raia.map, { {}, nothing, 5 }, "raia.map: .*options" },
      { "map with an unknown option", raia.map, { {}, nothing, { concurency = 2 } },
        "raia.map: unknown option 'concurency' .*concurrency, on_progress, on_error" },
      { "map with no concurrency", raia.map, { {}, nothing, { concurrency = 0 } },
        "raia.map: concurrency" },
      { "map with half a task", raia.map, { {}, nothing, { concurrency = 1.5 } },
        "raia.map: concurrency" },
      { "map with a strange on_error", raia.map, { {}, nothing, { on_error = "go on" } },
        "raia.map: on_error is 'stop' or 'collect'" },
      { "map with an on_progress that is none", raia.map, { {}, nothing, { on_progress = 5 } },
        "raia.map: on_progress" },
      { "sleep for nothing", raia.sleep, {}, "raia.sleep: seconds" },
      { "sleep for a negative time", raia.sleep, { -1 }, "raia.sleep: seconds" },
      { "sleep for NaN", raia.sleep, { 0 / 0 }, "raia.sleep: seconds" },
      { "timeout of a string", raia.timeout, { "1", nothing }, "raia.timeout: seconds" },
      { "timeout without a function", raia.timeout, { 1 }, "raia.timeout: a function" },
      { "step for a negative time", raia.step, { -1 }, "raia.step: seconds" },
      { "step for a string", raia.step, { "x" }, "raia.step: seconds" },
      { "progress with options of a number", raia.progress, { "x", 5 },
        "raia.progress: .*options" },
      { "progress with an unknown option", raia.progress, { "x", { quit = true } },
        "raia.progress: .*'quit'" },
    }
    for _, mistake in ipairs(mistakes) do
      local name, fn, arguments, pattern = table.unpack(mistake)
      it("is named: " .. name, function()
        local good, message = pcall(fn, table.unpack(arguments))
        assert.is_false(good)
        assert.matches(pattern, message)
      end)
    end

    it("is told of where it was made", function()
      local good, message = pcall(function() raia.spawn("x") end)
      assert.is_false(good)
      assert.matches("^spec/task_spec.lua:%d+: ", message)
      good, message = pcall(function() raia.map({}, print, { x = 1 }) end)
      assert.is_false(good)
      assert.matches("^spec/task_spec.lua:%d+: ", message)
    end)
  end)

  describe("progress", function()
    local source = [[
      local raia = require "raia"
      raia.map({ 1, 2, 3, 4 }, function(i) raia.sleep(0.2) return i end,
        { concurrency = 1, on_progress = raia.progress("asked" OPTIONS) })]]

    local function child(command, options)
      local path = os.tmpname()
      local file = assert(io.open(path, "w"))
      file:write((source:gsub("OPTIONS", options)))
      file:close()
      local output, status = support.run(command:format(path))
      os.remove(path)
      assert.equal(0, status)
      return output
    end

    it("tells in lines where there is no terminal: at first and at the end", function()
      local output = child("lua5.4 %s", "")
      assert.matches("^asked 1 of 4, [%d.]+/s, %d+:%d%d left\n"
        .. "asked 4 of 4, [%d.]+/s, %d+:%d%d\n$", output)
    end)

    it("says nothing when quiet", function()
      assert.equal("", child("lua5.4 %s", ", { quiet = true }"))
    end)

    it("has no need of a label", function()
      local output = support.run("lua5.4 -", nil, [[require "raia".progress()(1, 1)]])
      assert.matches("^ ?1 of 1, ", output)
    end)

    if os.execute "command -v script >/dev/null && script -qec true /dev/null >/dev/null 2>&1" then
      it("draws a bar on a terminal", function()
        local output = child("script -qec 'lua5.4 %s' /dev/null", "")
        local bar = "\r\27[K[" .. ("#"):rep(7) .. ("."):rep(23) .. "] asked 1 of 4"
        assert.is_truthy(output:find(bar, 1, true))
        assert.matches("%[" .. ("#"):rep(30) .. "%] asked 4 of 4, [%d.]+/s, %d+:%d%d\r?\n", output)
      end)
    end
  end)
end)
