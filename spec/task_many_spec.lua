-- gather, map, timeout, sleep, progress, and mistakes in their arguments.
local raia = require "raia"
local scheduler = require "raia.core".scheduler
local support = require "spec.support.run"
local shared = require "spec.support.tasks"

describe("tasks", function()
  local server, client
  shared.provide(function(...) server, client = ... end)

  local function get(path, options) return client:request("GET", path, nil, options) end

  local function closed() return shared.closed(server) end

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
      assert.matches("task_many_spec.lua:%d+: in the function\nstack traceback", message)
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

  describe("a mistake", function()
    local function nothing() end
    local mistakes = {
      { "run without a function", raia.run, {}, "raia.run: expected a function" },
      { "run of a table", raia.run, { {} }, "raia.run: expected a function, .* table" },
      { "spawn of a string", raia.spawn, { "x" }, "raia.spawn: expected a function, .* string" },
      { "gather of a function", raia.gather, { nothing }, "raia.gather: expected a table" },
      { "gather of a number", raia.gather, { { nothing, 1 } },
        "raia.gather: expected a function, .* number" },
      { "map of a string", raia.map, { "x", nothing }, "raia.map: expected a list" },
      { "map with no function", raia.map, { {} }, "raia.map: expected a function" },
      { "map with options of a number", raia.map, { {}, nothing, 5 }, "raia.map: .*options" },
      { "map with an unknown option", raia.map, { {}, nothing, { concurency = 2 } },
        "raia.map: unknown option 'concurency' .*concurrency, on_progress, on_error" },
      { "map with no concurrency", raia.map, { {}, nothing, { concurrency = 0 } },
        "raia.map: concurrency" },
      { "map with half a task", raia.map, { {}, nothing, { concurrency = 1.5 } },
        "raia.map: concurrency" },
      { "map with a strange on_error", raia.map, { {}, nothing, { on_error = "go on" } },
        "raia.map: on_error must be 'stop' or 'collect'" },
      { "map with an on_progress that is none", raia.map, { {}, nothing, { on_progress = 5 } },
        "raia.map: on_progress" },
      { "sleep for nothing", raia.sleep, {}, "raia.sleep: .* number of seconds" },
      { "sleep for a negative time", raia.sleep, { -1 }, "raia.sleep: .* number of seconds" },
      { "sleep for NaN", raia.sleep, { 0 / 0 }, "raia.sleep: .* number of seconds" },
      { "timeout of a string", raia.timeout, { "1", nothing },
        "raia.timeout: .* number of seconds" },
      { "timeout without a function", raia.timeout, { 1 }, "raia.timeout: expected a function" },
      { "step for a negative time", raia.step, { -1 }, "raia.step: .* number of seconds" },
      { "step for a string", raia.step, { "x" }, "raia.step: .* number of seconds" },
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
      assert.matches("^spec/task_many_spec.lua:%d+: ", message)
      good, message = pcall(function() raia.map({}, print, { x = 1 }) end)
      assert.is_false(good)
      assert.matches("^spec/task_many_spec.lua:%d+: ", message)
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
