-- What may run during a wait: coroutines, the garbage collector, signals.
local cqueues = require "cqueues"
local server = require "spec.support.server"
local support = require "spec.support.run"

-- Lua in a process that is ended after so long, whatever it does with signals.
local LIMITED = "timeout --foreground --signal=KILL 10 lua5.4"

local connect = require "spec.support.client" ()
local given = require "spec.support.requests"

local ECHO, GATE, HOLD, BUSY = given.ECHO, given.GATE, given.HOLD, given.BUSY
local start, get, eventually = given.start, given.get, given.eventually

describe("in a coroutine", function()
  it("a call blocks, and yields nothing of its own", function()
    local peer <close> = server.start(ECHO)
    local client <close> = connect(peer)
    local got = {}
    for id in coroutine.wrap(function()
      for i = 1, 3 do
        coroutine.yield(get(client, "/" .. i))
        local request = start(client, "/waited-" .. i)
        coroutine.yield(assert(request:wait()).id)
        coroutine.yield(select(2, pcall(get, client, "/protected")))
      end
    end) do
      got[#got + 1] = id
    end
    assert.same({ "/1", "/waited-1", "/protected", "/2", "/waited-2", "/protected", "/3",
      "/waited-3", "/protected" }, got)
  end)

  it("that has died, a client was made, and goes on", function()
    local peer <close> = server.start(ECHO)
    local events = 0
    local function make()
      local client = connect(peer, { on_event = function() events = events + 1 end })
      local request = start(client, "/a")
      request:wait(0)
      coroutine.yield(client, request)
      error("it dies")
    end
    for _, finish in ipairs { coroutine.resume, coroutine.close, type } do
      local thread = coroutine.create(make)
      local _, client, request = coroutine.resume(thread)
      finish(thread)
      thread = nil -- luacheck: ignore 311
      collectgarbage()
      collectgarbage()
      assert.equal("/a", assert(request:wait()).id)
      assert.equal("/b", get(client, "/b"))
      client:close()
    end
    assert.equal(6, events)
  end)
end)

describe("the garbage collector", function()
  local modes = {
    ["at every step"] = 'debug.sethook(function() collectgarbage() end, "", 1)',
    ["at every function"] = 'debug.sethook(function() collectgarbage() end, "cr")',
    ["in steps of the least"] =
      'debug.sethook(function() collectgarbage("step", 0) end, "", 1)',
    ["without pause"] = 'collectgarbage("incremental", 1, 1000, 1)',
    ["by generations"] = 'collectgarbage("generational", 1, 1)',
    ["by generations at every step"] = 'collectgarbage("generational")'
      .. ' debug.sethook(function() collectgarbage("step") end, "", 1)',
  }
  for name, code in pairs(modes) do
    it("may run " .. name, function()
      local peer <close> = server.start [[
        local connection = ...
        local request = connection:request()
        while request do
          count = (count or 0) + 1
          local status = request.path == "/bad" and 404 or count % 6 == 0 and 503 or 200
          connection:reply(status, '{"id":"c-1","conversationId":"c-1","message":"Hi","details":'
            .. '[{"a":[null,1]}],"messages":[{"id":"m"}]}')
          request = connection:request()
        end]]
      local output = support.run("lua5.4 -", { RAIA_LOG = false }, ([[
        %s
        local raia = require "raia"
        local events = 0
        local client = raia.client { secret_key = "k", base_url = %q, headers = { ["X-A"] = "b" },
          on_event = function(event) events = events + event.attempt end }
        local options = { headers = { ["X-B"] = "c" }, max_retries = 3 }
        for i = 1, 2 do
          local conversation = client:conversation("c-1")
          assert(conversation:refresh(options))
          local messages = assert(conversation:messages(options))
          assert(raia.totable(messages[1]).id == "m")
          assert(client.conversations:delete_all("u", options))
          local answer = conversation:send("Hello", options) or "Hi"
          assert(tostring(answer) == "Hi")
          local request = conversation:messages { wait = false, max_retries = 3 }
          client:request("GET", "/left", { query = { a = i } }, { wait = false })
          client:request("GET", "/cancelled", nil, { wait = false }):cancel()
          assert(#assert(request:wait()) == 1)
          local _, message, err = client:request("GET", "/bad", nil, { max_retries = 9 })
          assert(message == tostring(err))
          assert(err.status == 404 and err.details[1].a[2] == 1)
          _, _, err = client.conversations:create { conversationUserId = "u", title = print }
          assert(err.kind == "invalid" and err.field == "title")
          assert(not pcall(client.request, client, "GET", "/x", nil, { unknown = true }))
          _, _, err = client.conversations:create { conversationUserId = "u",
            customData = { list = { 1, { deep = 0 / 0 } } } }
          assert(err.field == "customData.list[2].deep")
        end
        assert(events >= 12)
        client:close()
        print "done"]]):format(code, peer.base_url))
      assert.equal("done\n", output)
    end)
  end
end)

describe("Ctrl-C", function()
  -- Runs code in a process, sends it SIGINT so many seconds after the server has a request, and
  -- gives its output and the seconds that it took to end.
  local function interrupt(code, script, after)
    local peer <close> = server.start(script)
    local path = os.tmpname()
    finally(function() os.remove(path) end)
    local file = assert(io.open(path, "w"))
    file:write(([[
      print((io.open("/proc/self/stat"):read("n")))
      io.stdout:flush()
      local raia = require "raia"
      local client = raia.client { secret_key = "k", base_url = %q }
      local conversation = client:conversation("c-1")
      ]]):format(peer.base_url), code)
    file:close()
    local pipe = assert(io.popen(("exec env -u RAIA_LOG %s %s " .. LIMITED .. " %s 2>&1"):format(
      support.quote("LUA_PATH_5_4=" .. package.path),
      support.quote("LUA_CPATH_5_4=" .. package.cpath), path), "r"))
    local pid = assert(pipe:read("n"))
    eventually(function() return #peer:requests() > 0 end)
    cqueues.sleep(after)
    assert.is_true(os.execute(("kill -INT %d"):format(pid)))
    local since = cqueues.monotime()
    local output = pipe:read("a")
    local seconds = cqueues.monotime() - since
    pipe:close()
    return output, seconds, peer
  end

  local blocked = {
    ["a call"] = 'conversation:send("Hello")',
    ["a call in a coroutine"] = 'coroutine.wrap(function() conversation:send("Hello") end)()',
    ["a call in a coroutine of a coroutine"] = [[
      coroutine.wrap(function()
        coroutine.wrap(function() conversation:send("Hello") end)()
      end)()]],
    ["a request that is waited for"] = 'conversation:send("Hello", { wait = false }):wait()',
    ["a request that is waited for so long"] =
      'conversation:send("Hello", { wait = false }):wait(1000)',
    ["a generator"] = [[
      for answer in coroutine.wrap(function()
        coroutine.yield(conversation:send("Hello"))
      end) do print(answer) end]],
    ["a task among others"] = [[
      raia.run(function()
        raia.spawn(raia.sleep, 1000)
        conversation:send("Hello")
      end)]],
    ["raia.map"] = [[
      raia.map({ "Hello", "Goodbye" }, function(text) return conversation:send(text) end)]],
    ["raia.sleep"] = 'client:request("GET", "/answer") raia.sleep(1000)',
    ["raia.step"] = [[
      local request = conversation:send("Hello", { wait = false })
      repeat until raia.step(1000) == 0
      print(request)]],
  }
  for when, after in pairs { ["that has just begun"] = 0.1, ["that is quiet"] = 1.1 } do
    for name, code in pairs(blocked) do
      it(("ends %s, in a wait %s"):format(name, when), function()
        local output, seconds = interrupt(code .. " print 'still here'", HOLD, after)
        assert.matches("interrupted!", output)
        assert.matches("stack traceback:", output)
        assert.is_nil(output:find("still here", 1, true), output)
        assert.is_true(seconds < 5, seconds)
      end)
    end
  end

  it("ends a wait for the next attempt", function()
    local output, seconds = interrupt('client:request("GET", "/x") print "still here"', BUSY, 1.2)
    assert.matches("interrupted!", output)
    assert.is_nil(output:find("still here", 1, true), output)
    assert.is_true(seconds < 5, seconds)
  end)

  it("cancels the call, and a program that catches it goes on", function()
    local output, seconds, peer = interrupt([[
      print(pcall(conversation.send, conversation, "Hello"))
      print(client:request("GET", "/answer").id)]], HOLD, 1.2)
    assert.matches("^%s*false\t.*interrupted!\n/answer\n$", output)
    assert.is_true(seconds < 5, seconds)
    assert.equal("closed", peer:notes()[1].note)
  end)

  it("ends a call also when it comes right before the wait", function()
    local peer <close> = server.start(HOLD)
    local shim = os.tmpname()
    finally(function() os.remove(shim) end)
    local output, status = support.run("cc -D_GNU_SOURCE -shared -fPIC -o " .. support.quote(shim)
      .. " spec/c/late_signal.c", { LD_PRELOAD = false })
    assert.equal(0, status, output)
    local preload = os.getenv "LD_PRELOAD"
    output = support.run("exec " .. LIMITED .. " -", { URL = peer.base_url,
      LD_PRELOAD = preload and preload .. " " .. shim or shim }, [[
      local raia = require "raia"
      local client = raia.client { secret_key = "k", base_url = os.getenv "URL" }
      print(pcall(client.request, client, "POST", "/x"))
      client:close()]])
    assert.matches("^false\t.*interrupted!\n$", output)
  end)

  it("may be a signal that is blocked, and the mask is as it was", function()
    local peer <close> = server.start(GATE)
    local output, status = support.run("exec env --block-signal=USR1,USR2 " .. LIMITED .. " -",
      { URL = peer.base_url }, [[
      local function line(name)
        for text in io.lines "/proc/self/status" do
          if text:find(name, 1, true) then return text end
        end
      end
      local blocked = line "SigBlk"
      print(blocked)
      local raia = require "raia"
      local pid = io.open("/proc/self/stat"):read("n")
      local function kill_later(signal)
        os.execute(("(sleep 1; kill -%s %d) &"):format(signal, pid))
      end
      local client = raia.client { secret_key = "k", base_url = os.getenv "URL", max_retries = 0,
        on_event = function(event)
          assert(line "SigBlk" == blocked)
          if event.path == "/error" then error "an error in on_event" end
        end }
      local function get(path, options) return client:request("GET", path, nil, options) end
      assert(select(3, get("/late", { timeout = 1 })).kind == "timeout")
      assert(not pcall(get, "/error", { timeout = 1 }))
      kill_later "USR1"
      raia.sleep(2)
      kill_later "INT"
      local good, message = pcall(raia.sleep, 20)
      assert(not good and message:find "interrupted!")
      raia.run(function()
        raia.spawn(raia.sleep, 1)
        assert(line "SigBlk" == blocked)
        raia.sleep(1.5)
        assert(line "SigBlk" == blocked)
      end)
      assert(client:request("POST", "/release"))
      assert(line "SigBlk" == blocked)
      print(line "SigPnd", line "ShdPnd")]])
    assert.equal(0, status, output)
    assert.matches("^SigBlk:%s*0000000000000a00\n.*ShdPnd:%s*0000000000000200\n$", output)
  end)

  it("is not all that may break a wait: so does a hook that looks at the clock", function()
    local peer <close> = server.start(HOLD)
    local output = support.run("exec " .. LIMITED .. " -", { URL = peer.base_url }, [[
      local raia = require "raia"
      local client = raia.client { secret_key = "k", base_url = os.getenv "URL" }
      local thread = coroutine.create(function() return client:request("GET", "/x") end)
      local deadline = os.time() + 2
      debug.sethook(thread, function()
        if os.time() > deadline then
          debug.sethook(thread)
          error("too late", 0)
        end
      end, "c")
      print(coroutine.resume(thread))]])
    assert.equal("false\ttoo late\n", output)
  end)

  it("is not a hook that the program sets during a wait", function()
    local output = support.run("exec " .. LIMITED .. " -", nil, [[
      local raia = require "raia"
      local client = raia.client { secret_key = "k", base_url = "http://127.0.0.1:1",
        max_retries = 1, on_event = function() debug.sethook(function() end, "c") end }
      print(select(3, client:request("GET", "/x")).kind)]])
    assert.equal("connection\n", output)
  end)
end)
