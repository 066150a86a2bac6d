-- Cancelling tasks: where it takes effect, their clean-up, their requests, Ctrl-C.
local raia = require "raia"
local support = require "spec.support.run"
local shared = require "spec.support.tasks"

local closing = shared.closing

describe("tasks", function()
  local server, client
  shared.provide(function(...) server, client = ... end)

  local function get(path, options) return client:request("GET", path, nil, options) end

  local function closed() return shared.closed(server) end

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

  describe("a cancelled task", function()
    it("is not kept by pcall", function()
      local rounds = 0
      raia.run(function()
        local task = raia.spawn(function()
          while true do
            rounds = rounds + 1
            pcall(function() xpcall(raia.sleep, tostring, 60) end)
          end
        end)
        raia.sleep(0.01)
        task:cancel()
        assert.equal("cancelled", select(3, task:join()).kind)
      end)
      assert.equal(1, rounds)
    end)

    it("may call in <close> handlers, within pcall, too, and the others go on", function()
      local ticks, paths = 0, {}
      raia.run(function()
        local tasks = {}
        for i = 1, 5 do
          tasks[i] = raia.spawn(function()
            local _ <close> = closing(function() table.insert(paths, get("/after/0.2").path) end)
            pcall(function()
              local _ <close> = closing(function() table.insert(paths, get("/after/0.1").path) end)
              get "/hang"
            end)
            error "never here"
          end)
        end
        raia.sleep(0.1)
        local ticker = raia.spawn(function()
          while true do
            raia.sleep(0.01)
            ticks = ticks + 1
          end
        end)
        local from = raia.now()
        raia.gather { function() tasks[1]:cancel() end, function() tasks[2]:cancel() end,
          function() tasks[3]:cancel() end, function() tasks[4]:cancel() end,
          function() tasks[5]:cancel() end }
        assert.is_true(raia.now() - from < 1.2, "side by side")
        ticker:cancel()
      end)
      assert.equal(10, #paths)
      assert.is_true(ticks >= 5)
    end)

    it("has some seconds for its <close> handlers, no more", function()
      local from = raia.now()
      raia.run(function()
        local task = raia.spawn(function()
          local _ <close> = closing(function() get "/hang" end)
          raia.sleep(60)
        end)
        raia.sleep(0.01)
        task:cancel()
      end)
      assert.is_true(raia.now() - from < 20)
    end)

    it("ends a <close> handler that runs normally", function()
      local finished, after = false, false
      raia.run(function()
        local task = raia.spawn(function()
          do
            local _ <close> = closing(function()
              raia.sleep(0.1)
              finished = true
            end)
          end
          raia.sleep(60)
          after = true
        end)
        raia.sleep(0.01)
        task:cancel()
      end)
      assert.is_true(finished)
      assert.is_false(after)
    end)

    it("may be the one that has spawned who cancels it", function()
      local ended = raia.run(function()
        local parent
        parent = raia.spawn(function()
          raia.timeout(60, function()
            raia.sleep(0.01)
            parent:cancel()
          end)
        end)
        return select(3, parent:join()).kind
      end)
      assert.equal("cancelled", ended)
    end)

    it("may have been closed by others", function()
      local kind = raia.run(function()
        local co
        local task = raia.spawn(function()
          co = coroutine.running()
          get "/hang"
        end)
        raia.sleep(0.1)
        coroutine.close(co)
        return select(3, task:join()).kind
      end)
      assert.equal("cancelled", kind)
    end)

    it("that had not begun has sent nothing", function()
      raia.run(function()
        local task = raia.spawn(get, "/x")
        task:cancel()
        assert.equal("no", select(3, task:join()).sent)
      end)
      assert.equal("no", select(3, raia.timeout(0, get, "/x")).sent)
    end)

    it("sends nothing more, though it has its turn first", function()
      local before = #server:requests()
      raia.run(function()
        local task = raia.spawn(function()
          raia.sleep(0)
          get "/never"
        end)
        raia.sleep(0) -- it has begun, and is ready
        task:cancel()
        raia.sleep(0.1)
      end)
      for i, request in ipairs(server:requests()) do
        assert.is_true(i <= before or request.path ~= "/never")
      end
    end)

    it("leaves a request to others that wait for it", function()
      local path = raia.run(function()
        local request = get("/after/0.2", { wait = false })
        local first = raia.spawn(request.wait, request)
        local second = raia.spawn(request.wait, request)
        raia.sleep(0.01)
        first:cancel()
        return second:join().path
      end)
      assert.equal("/after/0.2", path)
    end)
  end)
end)
