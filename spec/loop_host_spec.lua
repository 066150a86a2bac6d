-- What raia does to the event loop it runs in: cqueues, luv, one of the program's own.
local cqueues = require "cqueues"
local uv = require "luv"
local socket = require "socket"
local raia = require "raia"
local scheduler = require "raia.core".scheduler
local connect = require "spec.support.client" ()
local support = require "spec.support.run"
local loops = require "spec.support.loops"

describe("a call", function()
  local server
  loops.provide(function(its_server) server = its_server end)

  local function closed() return loops.closed(server) end

  describe("under cqueues", function()
    before_each(function() raia.use "cqueues" end)

    it("made without waiting moves along while its coroutine sleeps there", function()
      local client <close> = connect(server)
      local controller, path = cqueues.new(), nil
      controller:wrap(function()
        local request = client:request("GET", "/slow", nil, { wait = false })
        cqueues.sleep(3)
        path = request:result().path
      end)
      loops.run_cqueues(controller)
      assert.equal("/slow", path)
    end)

    it("made without waiting, and dropped, keeps the loop from nothing", function()
      local client <close> = connect(server)
      local controller, before = cqueues.new(), closed()
      controller:wrap(function()
        client:request("GET", "/hang", nil, { wait = false })
        cqueues.sleep(0.2)
        collectgarbage()
        collectgarbage()
      end)
      loops.run_cqueues(controller)
      assert.equal(before + 1, closed())
    end)

    it("ends when the coroutine that waits for it is collected", function()
      local client <close> = connect(server)
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
      local client <close> = connect(server)
      assert.equal("/slow", client:request("GET", "/slow").path)
      assert.equal("/slow", coroutine.wrap(function()
        return client:request("GET", "/slow").path
      end)())
    end)

    it("may be made in tasks that a coroutine spawns, gathers and runs", function()
      local client <close> = connect(server)
      local controller, results = cqueues.new(), nil
      local function get(path) return client:request("GET", path).path end
      controller:wrap(function()
        local task = raia.spawn(get, "/spawned")
        local gathered = raia.gather { function() return get "/slow" end }
        results = { task:join(), gathered[1], raia.run(get, "/run"), raia.timeout(60, get, "/t") }
      end)
      loops.run_cqueues(controller)
      assert.same({ "/spawned", "/slow", "/run", "/t" }, results)
    end)

    it("may be made in a controller within another", function()
      local client <close> = connect(server)
      local outer, inner, paths = cqueues.new(), cqueues.new(), {}
      for i, controller in ipairs { outer, inner, inner } do
        controller:wrap(function()
          paths[i] = client:request("GET", i == 2 and "/ok" or "/slow").path
        end)
      end
      outer:wrap(function() assert(inner:loop()) end)
      loops.run_cqueues(outer)
      assert.is_true(inner:empty())
      assert.same({ "/slow", "/ok", "/slow" }, paths)
    end)

    it("may be made in one controller after the other", function()
      local client <close> = connect(server)
      for i = 1, 3 do
        local controller, path = cqueues.new(), nil
        controller:wrap(function() path = client:request("GET", "/" .. 200 + i).path end)
        loops.run_cqueues(controller)
        assert.equal("/" .. 200 + i, path)
      end
    end)
  end)

  describe("under luv", function()
    before_each(function() raia.use "luv" end)

    it("made without waiting moves along while uv.run() does", function()
      local client <close> = connect(server)
      local request = client:request("GET", "/slow", nil, { wait = false })
      loops.run_luv()
      assert.equal("/slow", request:wait(0).path)
    end)

    it("made without waiting, and dropped, keeps uv.run() from nothing", function()
      local client <close> = connect(server)
      local before = closed()
      client:request("GET", "/hang", nil, { wait = false })
      local timer = uv.new_timer()
      timer:start(200, 0, function()
        timer:close()
        collectgarbage()
        collectgarbage()
      end)
      loops.run_luv()
      assert.equal(before + 1, closed())
    end)

    it("that blocks in a callback lets uv.run() end", function()
      local client <close> = connect(server)
      local timer, path = uv.new_timer(), nil
      local request = client:request("GET", "/slow", nil, { wait = false })
      timer:start(100, 0, function()
        timer:close()
        path = request:wait().path
      end)
      loops.run_luv()
      assert.equal("/slow", path)
    end)

    it("goes on in a task that nobody holds", function()
      local client <close> = connect(server)
      local path, timer = nil, uv.new_timer()
      raia.spawn(function() path = client:request("GET", "/slow").path end)
      timer:start(100, 0, function()
        timer:close()
        collectgarbage()
        collectgarbage()
      end)
      loops.run_luv()
      assert.equal("/slow", path)
    end)

    it("lets many tasks wait side by side", function()
      local client <close> = connect(server)
      local count = 0
      for _ = 1, 30 do
        raia.spawn(function()
          if client:request("GET", "/slow").path == "/slow" then count = count + 1 end
        end)
      end
      loops.run_luv()
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
      local loop = loops.bare_loop()
      raia.use { watch = loop.watch }
      local client <close> = connect(server)
      local path
      raia.spawn(function() path = client:request("GET", "/slow").path end)
      loop.run()
      assert.equal("/slow", path)
    end)

    it("that is cancelled makes its descriptor readable until the next step", function()
      local client <close> = connect(server)
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
      local client <close> = connect(server)
      local request = client:request("GET", "/slow", nil, { wait = false })
      assert.is_truthy(watched.fd or watched.seconds)
      local from = scheduler.now()
      while (watched.fd or watched.seconds) and scheduler.now() - from < 20 do
        socket.sleep(0.01)
        watched.step()
      end
      assert.same({ step = watched.step }, watched)
      assert.equal("/slow", request:result().path)
    end)
  end)
end)
