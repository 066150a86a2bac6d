-- Closing a Lua state at any moment, and errors of the program that must reach their caller.
local host = require "spec.support.host"
local servers = require "spec.support.server"

-- Answers with the path; of /slow/… after ten seconds.
local script = [[
local connection = ...
local request = connection:request()
while request do
  if request.path:find "^/slow" then connection:wait_close(10) end
  connection:reply(200, { path = request.path })
  request = connection:request()
end
]]

-- What a state may be doing when it is closed.
local moments = {
  ["requests in flight, queued and done"] = [[
    local client = connect { max_connections = 2 }
    requests = {}
    for i = 1, 3 do requests[i] = post(client, "/slow/" .. i, { wait = false }) end
    requests[4] = post(connect(), "/4", { wait = false })
    raia.step(0.01)]],
  ["requests that wait to be tried again"] = [[
    request = connect { base_url = "http://127.0.0.1:1" }:request("GET", "/", nil,
      { wait = false })
    request:wait(0.02)]],
  ["tasks suspended, and others ready"] = [[
    local client = connect()
    for i = 1, 4 do raia.spawn(post, client, "/slow/" .. i) end
    tasks = { raia.spawn(raia.sleep, 100), raia.spawn(function() tasks[1]:join() end) }
    raia.step(0.01)
    raia.spawn(post, client, "/9")]],
  ["tasks with <close> variables that call raia"] = [[
    local client = connect()
    local function closing()
      return setmetatable({}, { __close = function() post(client, "/closing") end })
    end
    task = raia.spawn(function()
      local _ <close> = closing()
      post(client, "/slow")
    end)
    raia.step(0.01)
    finalized = setmetatable({}, { __gc = function() pcall(post, client, "/finalizer") end })]],
  ["a finalizer that calls between those of a request and its client"] = [[
    local client = connect()
    finalized = setmetatable({}, { __gc = function() assert(post(client, "/finalizer")) end })
    post(client, "/1")]],
  ["a coroutine collected that had made the client"] = [[
    local request
    do
      local co = coroutine.create(function()
        local client <close> = connect()
        local held = post(client, "/slow", { wait = false })
        coroutine.yield(post(connect(), "/slow", { wait = false }))
        return held
      end)
      request = select(2, coroutine.resume(co))
    end
    collectgarbage()
    collectgarbage()
    assert(not request:done())]],
  ["a loop of cqueues"] = [[
    raia.use "cqueues"
    controller = require "cqueues".new()
    local client = connect()
    for i = 1, 3 do controller:wrap(post, client, "/slow/" .. i) end
    controller:wrap(function() raia.spawn(post, client, "/slow/4"):join() end)
    controller:step(0.01)]],
  ["a loop of luv"] = [[
    raia.use "luv"
    local client = connect()
    for i = 1, 3 do raia.spawn(post, client, "/slow/" .. i) end
    require "luv".run "nowait"]],
  ["a loop of luv that had another one before"] = [[
    local client = connect()
    for _, loop in ipairs { "luv", "cqueues", "luv" } do
      raia.use(loop)
      raia.spawn(post, client, "/slow/" .. loop)
      raia.step(0.01)
    end
    raia.use(nil)]],
}

-- From where a program may end itself, its state closed on the way.
local exits = {
  on_event = [[
    local client = connect { on_event = function() os.exit(0, true) end }
    client:request("GET", "/")]],
  on_progress = [[
    local client = connect()
    raia.map({ "/1", "/2", "/slow" }, function(path) return post(client, path) end,
      { on_progress = function() os.exit(0, true) end })]],
  ["a task"] = [[
    local client = connect()
    raia.spawn(post, client, "/slow")
    raia.run(function()
      assert(post(client, "/1"))
      os.exit(0, true)
    end)]],
  ["a coroutine of cqueues"] = [[
    raia.use "cqueues"
    local client = connect()
    local controller = require "cqueues".new()
    controller:wrap(post, client, "/slow")
    controller:wrap(function()
      assert(post(client, "/1"))
      os.exit(0, true)
    end)
    controller:loop()]],
  ["a callback of luv"] = [[
    raia.use "luv"
    local client = connect()
    raia.spawn(post, client, "/slow")
    raia.spawn(function()
      assert(post(client, "/1"))
      os.exit(0, true)
    end)
    require "luv".run()]],
  ["__close"] = [[
    local client = connect()
    raia.spawn(function()
      local _ <close> = setmetatable({}, { __close = function() os.exit(0, true) end })
      post(client, "/slow")
    end):cancel()
    local task = raia.spawn(function()
      local _ <close> = setmetatable({}, { __close = function() os.exit(0, true) end })
      post(client, "/slow")
    end)
    raia.step(0.01)
    task:cancel()]],
}

local server

lazy_setup(function()
  host.build()
  server = servers.start(script)
end)

lazy_teardown(function()
  server:close()
  host.remove()
end)

describe("a state", function()
  local function run(code)
    local output, status = host.run(code, { URL = server.base_url })
    assert.equal(0, status, output)
    assert.equal("", output)
  end

  for what, code in pairs(moments) do
    it("may be closed with " .. what, function()
      run(("for i = 1, 10 do host.state [=[%s %s]=] end"):format(host.prelude, code))
    end)
  end

  for where, code in pairs(exits) do
    it("may be closed from within " .. where, function()
      run(host.prelude .. code .. " error 'it goes on'")
    end)
  end
end)

describe("an error", function()
  -- In each, raised() is a table that some code of the program raises, and caught(fn) calls fn
  -- and asserts that this very table comes out.
  local places = {
    on_event = [[
      local client = connect { on_event = raised }
      local request = post(client, "/a", { wait = false })
      caught(request.wait, request)
      caught(post, client, "/b")]],
    on_progress = [[
      local client = connect()
      caught(raia.map, { "/a", "/b" }, function(path) return post(client, path) end,
        { on_progress = raised })]],
    ["a task in run"] = [[
      caught(raia.run, function()
        post(connect(), "/a")
        post(connect(), "/b")
        raia.spawn(raised)
        raia.sleep(60)
      end)]],
    ["a task joined"] = [[
      local task = raia.spawn(function()
        post(connect(), "/a")
        post(connect(), "/b")
        raised()
      end)
      caught(task.join, task)]],
    ["__close of a task"] = [[
      local task = raia.spawn(function()
        local _ <close> = setmetatable({}, { __close = raised })
        post(connect(), "/a")
        post(connect(), "/b")
      end)
      caught(task.join, task)]],
    ["gather"] = [[
      local client = connect()
      caught(raia.gather, { function() return post(client, "/a") end, function()
        post(client, "/b")
        raia.sleep(0.3)
        raised()
      end })]],
    ["a loop's watch"] = [[
      local armed
      raia.use { watch = function() if armed then armed = false; raised() end end }
      local client = connect()
      armed = true
      caught(post, client, "/a")
      assert(post(client, "/b"))]],
  }
  for place, code in pairs(places) do
    it(("in %s reaches its caller, and others get their answers"):format(place), function()
      local before = #server:requests()
      local output, status = host.run(host.prelude .. [[
        local mark = {}
        local function raised() error(mark) end
        local function caught(fn, ...)
          local good, err = pcall(fn, ...)
          assert(not good, "nothing was raised")
          assert(err == mark, tostring(err))
        end
        local bystander = connect()
        local other = post(bystander, "/other", { wait = false })
        local another = raia.spawn(post, bystander, "/another")
        ]] .. code .. [[
        assert(assert(other:wait()).path == "/other")
        assert(assert(another:join()).path == "/another")
        assert(assert(post(bystander, "/after")).path == "/after")
      ]], { URL = server.base_url })
      assert.equal(0, status, output)
      local paths = {}
      for i, request in ipairs(server:requests()) do
        if i > before then paths[#paths + 1] = request.path end
      end
      table.sort(paths)
      assert.same({ "/a", "/after", "/another", "/b", "/other" }, paths)
    end)
  end
end)
