-- Abandoned requests and tasks are reported: a request that nobody holds, a program or client that
-- ends, a task that never ran. Each runs in its own process, whose warnings are checked.
local calls = require "spec.support.calls"
local server = require "spec.support.server"
local support = require "spec.support.run"

-- Answers /answer; /busy is told to come again after a while; others get no answer.
local SCRIPT = [[
  local connection = ...
  local request = connection:request()
  while request do
    if request.path == "/answer" or request.path == "/external/x" then
      connection:reply(200, "{}")
    elseif request.path == "/busy" then
      connection:reply(429, "{}", { ["Retry-After"] = "30" })
    else
      return connection:wait_close(30)
    end
    request = connection:request()
  end]]

local UNSENT, REFUSED, TAKEN = "nothing of it was sent", "it was not carried out",
  "it may have been carried out"

local peer

setup(function() peer = server.start(SCRIPT) end)
teardown(function() peer:close() end)

-- What a program writes; `warnings` and `log` are how it is started.
local function run(code, way)
  way = way or {}
  local output, status = support.run(("lua5.4 %s -"):format(way.warnings == false and "" or "-W"),
    { RAIA_LOG = way.log or false, RAIA_BASE_URL = peer.base_url,
      RAIA_AGENT_SECRET_KEY = "a-key" },
    [[
      local raia = require "raia"
      local function leave(client, path, options)
        options = options or {}
        options.wait = false
        return client:request("POST", path, { body = {} }, options)
      end
      local function collect() collectgarbage() collectgarbage() end
      local function wait(client, request) -- until it has left
        for _ = 1, 3 do request:wait(0.1) end
        return request
      end
    ]] .. code)
  assert.equal(way.status or 0, status, output)
  return output
end

local function warning(text) return ("Lua warning: raia: %s\n"):format(text) end

local function of_request(path, reach, call)
  return warning(("%s (%s) was dropped unfinished: %s"):format(call or "client:request",
    call and path or "POST " .. path, reach))
end

describe("a request that is dropped is warned of,", function()
  local cases = {
    { "collected before it has left", [[
      local client = raia.client()
      leave(client, "/x")
      collect()
      print "collected"]], of_request("/x", UNSENT) .. "collected\n" },
    { "collected after it has left", [[
      local client = raia.client()
      wait(client, leave(client, "/x"))
      collect()]], of_request("/x", TAKEN) },
    { "collected while it waits for its next attempt", [[
      local client = raia.client()
      wait(client, leave(client, "/busy"))
      collect()]], of_request("/busy", REFUSED) },
    { "collected while it is queued", [[
      local client = raia.client { max_connections = 1 }
      local held = wait(client, leave(client, "/x"))
      wait(client, leave(client, "/queued"))
      collect()
      held:cancel()]], of_request("/queued", UNSENT) },
    { "collected with its client, all that is queued there, too", [[
      do
        local client = raia.client { max_connections = 1 }
        for i = 1, 3 do leave(client, "/" .. i) end
      end
      collect()]], of_request("/3", UNSENT) .. of_request("/2", UNSENT)
        .. of_request("/1", UNSENT) },
    { "at the end of its client's scope", [[
      do
        local client <close> = raia.client()
        leave(client, "/x")
      end
      collect()]], of_request("/x", UNSENT) },
    { "at the end of its client's scope, by an error", [[
      pcall(function()
        local client <close> = raia.client()
        wait(client, leave(client, "/x"))
        error "own words"
      end)
      collect()]], of_request("/x", TAKEN) },
    { "at the program's end", [[
      local client = raia.client()
      leave(client, "/x")]], of_request("/x", UNSENT) },
    { "at the program's end, though it is held", [[
      client = raia.client()
      request = wait(client, leave(client, "/x"))]], of_request("/x", TAKEN) },
    { "at the program's end by os.exit that closes the state", [[
      client = raia.client()
      request = leave(client, "/x")
      os.exit(0, true)]], of_request("/x", UNSENT) },
    { "at the program's end by an error", [[
      local client = raia.client()
      leave(client, "/x")
      io.stderr:setvbuf "no"
      error(setmetatable({}, { __tostring = function() return "own words" end }))]],
      "lua5.4: own words\n" .. of_request("/x", UNSENT), status = 1 },
    { "left behind by raia.run", [[
      local client = raia.client()
      raia.run(function()
        leave(client, "/x")
        client:request("GET", "/answer")
      end)
      collect()]], of_request("/x", TAKEN) },
    { "left behind by a coroutine that is dropped in its midst", [[
      local cqueues = require "cqueues"
      raia.use "cqueues"
      local client = raia.client()
      do
        local controller = cqueues.new()
        controller:wrap(function() client:request("POST", "/x") end)
        for _ = 1, 3 do controller:step(0.1) end
      end
      raia.use(nil)
      collect()
      collect()]], of_request("/x", TAKEN) },
    { "ended by an error in on_event that nobody hears", [[
      local client = raia.client { on_event = function() error "own words" end }
      local request = leave(client, "/busy")
      raia.sleep(0.3)
      request = nil
      collect()]], of_request("/busy", REFUSED) },
  }
  for _, case in ipairs(cases) do
    it(case[1], function()
      assert.equal(case[3], run(case[2], case))
    end)
  end

  for name, call in pairs(calls) do
    it("and named: " .. name, function()
      local output = run(([[
        local client = raia.client()
        require "spec.support.calls"[%q](client, { wait = false })
        collect()]]):format(name))
      assert.is_function(call)
      local owner = (name == "send" or name == "messages" or name == "refresh") and "conversation"
        or name == "request" and "client" or "conversations"
      assert.matches(("^Lua warning: raia: %s:%s %%(%%u+ /[%%w/-]+%%) was dropped unfinished: "
        .. "%s\n$"):format(owner, name, UNSENT), output)
    end)
  end

  it("also by a collector that knows generations, and at every step", function()
    for _, mode in ipairs { 'collectgarbage "generational"',
      'collectgarbage("setpause", 1) collectgarbage("setstepmul", 1000)' } do
      local output = run(mode .. [[
        local client = raia.client { max_connections = 2 }
        for i = 1, 20 do
          leave(client, "/" .. i)
          assert(client:request("GET", "/external/x", nil, { max_retries = 0 }))
          for _ = 1, 10 do collectgarbage "step" end
        end
        collect()]])
      for i = 1, 20 do
        local text = of_request("/" .. i, ""):gsub("\n", "")
        assert.equal(1, select(2, output:gsub(text:gsub("%p", "%%%0"), "")), output)
      end
    end
  end)

  it("in a line of the log, too, and without warnings there alone", function()
    local code = 'local client = raia.client() leave(client, "/x") collect()'
    local line = ("raia: client:request (POST /x) was dropped unfinished: %s\n"):format(UNSENT)
    assert.equal("", run(code, { warnings = false }))
    assert.equal(line, run(code, { warnings = false, log = "info" }))
    assert.equal(line .. "Lua warning: " .. line, run(code, { log = "info" }))
  end)

  it("with a path that is cut where it is long, and never the key", function()
    local output = run [[
      local client = raia.client()
      leave(client, "/" .. ("x"):rep(5000))
      collect()]]
    assert.is_true(#output < 400)
    assert.is_nil(output:find("a-key", 1, true))
  end)
end)

describe("nothing is warned of", function()
  local cases = {
    ["a request that is done"] = 'leave(client, "/answer"):wait()',
    ["a request that ended while nobody looked"] = [[
      local request = leave(client, "/answer")
      raia.sleep(0.3)
      assert(request:done())]],
    ["one that the program cancelled"] = 'leave(client, "/x"):cancel()',
    ["one that was cancelled after it had left"] = 'wait(client, leave(client, "/x")):cancel()',
    ["one that was cancelled with its task"] = [[
      raia.run(function()
        local task = raia.spawn(function() client:request("POST", "/x") end)
        raia.sleep(0.2)
        task:cancel()
      end)]],
    ["one whose time was up"] = 'raia.timeout(0.2, function() client:request("POST", "/x") end)',
    ["what client:close() ended"] = 'wait(client, leave(client, "/x")) client:close()',
    ["what the end of a scope ended, where somebody asked what came of it"] = [[
      local request
      do
        local inner <close> = raia.client()
        request = leave(inner, "/x")
      end
      assert(select(3, request:wait()).kind == "closed")]],
    ["a call that was not sound"] =
      "client.conversations:create({}, { wait = false })",
    ["a call on a client that is closed"] = 'client:close() leave(client, "/x")',
    ["a call that blocked"] = 'client:request("GET", "/answer")',
    ["a call that timed out"] = 'client:request("POST", "/x", nil, { timeout = 0.2 })',
    ["tasks that have ended, been cancelled, or failed before somebody"] = [[
      raia.run(function()
        raia.spawn(function() client:request("GET", "/answer") end)
        raia.spawn(raia.sleep, 10):cancel()
      end)
      local task = raia.spawn(error, "own words")
      pcall(task.join, task)]],
  }
  for name, code in pairs(cases) do
    it(name, function()
      assert.equal("", run("local client = raia.client() " .. code .. " collect()"))
    end)
  end

  it("a call that is the parent's in the child of a fork", function()
    local host = require "spec.support.host"
    finally(host.remove)
    host.build()
    local output, status = host.run([[
      warn "@on"
      local raia = require "raia"
      local client = raia.client()
      local request = client:request("POST", "/x", nil, { wait = false })
      request:wait(0.2)
      local pid = host.fork()
      if pid == 0 then
        request = nil
        collectgarbage()
        collectgarbage()
        host.quit(0)
      end
      assert(host.wait(pid) == 0)
      assert(request:cancel())]],
      { RAIA_LOG = false, RAIA_BASE_URL = peer.base_url, RAIA_AGENT_SECRET_KEY = "a-key",
        ASAN_OPTIONS = "detect_leaks=0" }) -- the child leaves handles behind
    assert.equal("", output)
    assert.equal(0, status)
  end)
end)

describe("a task that is dropped is warned of,", function()
  it("that never had a turn", function()
    assert.equal(warning "a task (stdin:12) was dropped before it had begun",
      run "raia.spawn(function() print 'never' end)")
  end)

  it("that is no function of Lua's, and never had a turn", function()
    assert.equal(warning "a task (a C function) was dropped before it had begun",
      run "raia.spawn(print)")
  end)

  it("that waits where the program ends", function()
    assert.equal(warning "a task (stdin:14) was dropped unfinished", run [[

      raia.spawn(function()
        raia.sleep(1000)
      end)
      raia.step()]])
  end)

  it("with the call that it waits for", function()
    local output = run [[
      local client = raia.client()
      raia.spawn(function() client:request("POST", "/x") end)
      raia.step()]]
    assert.is_truthy(output:find(warning "a task (stdin:13) was dropped unfinished", 1, true))
    assert.is_truthy(output:find(of_request("/x", ""):sub(1, -2), 1, true))
  end)

  it("where os.exit ends the state within raia.run", function()
    local output = run [[
      raia.run(function()
        raia.spawn(raia.sleep, 1000)
        raia.sleep(0)
        os.exit(0, true)
      end)]]
    assert.is_truthy(output:find("was dropped unfinished", 1, true), output)
  end)
end)
