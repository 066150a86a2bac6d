-- Tasks: run, spawn, join, errors, step, and generators that call.
local raia = require "raia"
local scheduler = require "raia.core".scheduler
local support = require "spec.support.run"
local shared = require "spec.support.tasks"

local closing = shared.closing

describe("tasks", function()
  local server, client, conversation
  shared.provide(function(...) server, client, conversation = ... end)

  local function get(path, options) return client:request("GET", path, nil, options) end

  local function closed() return shared.closed(server) end

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
end)
