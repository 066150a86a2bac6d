-- One table of cases, run in every way to wait.
local cqueues = require "cqueues"
local uv = require "luv"
local raia = require "raia"
local connect = require "spec.support.client" ()
local servers = require "spec.support.server"
local loops = require "spec.support.loops"

describe("a call", function()
  local server
  local dead_port = servers.dead_port()
  loops.provide(function(its_server) server = its_server end)

  local function closed() return loops.closed(server) end

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
    { "in raia.timeout, with time enough", function(client)
      return raia.timeout(20, client.request, client, "GET", "/slow")
    end, path = "/slow" },
    { "in raia.timeout, with too little", function(client)
      return raia.timeout(0.2, client.request, client, "GET", "/hang")
    end, kind = "timeout", closes = 1 },
    { "that raia.each gives, the other being slower", function(client)
      local all
      for _, reply, message, err in raia.each({ "/hang", "/ok" }, function(path)
        return client:request("GET", path)
      end) do
        all = all or { reply, message, err }
        if all then break end
      end
      return table.unpack(all, 1, 3)
    end, path = "/ok", closes = 1 },
    { "whose reply a queue hands over", function(client, beside)
      local queue = raia.queue(1)
      beside(function() queue:put(client:request("GET", "/slow")) end)
      return queue:take(20)
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

  for way_name, way in pairs(loops.ways) do
    for _, case in ipairs(cases) do
      it(case[1] .. " comes to the same: " .. way_name, function()
        local options = case.options or {}
        if case.dead then options = { base_url = "http://127.0.0.1:" .. dead_port } end
        local client <close> = connect(server, options)
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
      loops.run_cqueues(controller)
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
      loops.run_luv()
      return ticks
    end,
    ["a loop of one's own"] = function(body)
      local loop, ticks, done = loops.bare_loop(), 0, false
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
      local client <close> = connect(server)
      local path
      assert.is_true(ticker(function() path = client:request("GET", "/slow").path end) > 2)
      assert.equal("/slow", path)
    end)
  end
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
