-- Ways to wait, each with an event loop or without, and the server that their specs call.
local busted = require "busted"
local cqueues = require "cqueues"
local uv = require "luv"
local socket = require "socket"
local raia = require "raia"
local scheduler = require "raia.core".scheduler
local servers = require "spec.support.server"

local patience = 20 -- seconds after which a loop is taken to hang

local script = [[
local connection = ...
local request = connection:request()
while request do
  local status, path = 200, request.path
  if path == "/hang" then
    connection:note(connection:wait_close(60) and "closed" or "still open")
    return
  elseif path == "/slow" then
    connection:sleep(0.5)
  elseif path == "/half" then
    connection:send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n{")
    return
  elseif path == "/text" then
    connection:reply(200, "no JSON", { ["Content-Type"] = "text/plain" })
  elseif path == "/large" then
    connection:reply(200, { text = ("x"):rep(5000) })
  else
    connection:reply(tonumber(path:match "%d+") or 200, { path = path })
  end
  if path == "/slow" then connection:reply(200, { path = path }) end
  request = connection:request()
end
]]

-- A loop of our own, as a host might have one: it polls, and resumes coroutines.
local function bare_loop()
  local fd, due, step
  local ready, sleeping = {}, {}
  local loop = {}

  function loop.watch(new_fd, seconds, new_step)
    fd, due, step = new_fd, seconds and scheduler.now() + seconds, new_step
  end

  function loop.current()
    local co = coroutine.running()
    return loop[co] and co or nil
  end

  function loop.suspend(co, seconds)
    sleeping[co] = scheduler.now() + seconds
    coroutine.yield()
  end

  function loop.resume(co)
    if sleeping[co] then
      sleeping[co] = nil
      table.insert(ready, co)
    end
  end

  function loop.wrap(fn)
    local co = coroutine.create(fn)
    loop[co] = true
    table.insert(ready, co)
  end

  local function run_ready()
    for co in function() return table.remove(ready, 1) end do
      assert(coroutine.resume(co))
      if coroutine.status(co) == "dead" then loop[co] = nil end
    end
  end

  local function wait()
    local until_then = due or math.huge
    for _, time in pairs(sleeping) do until_then = math.min(until_then, time) end
    local seconds = math.max(0, until_then - scheduler.now())
    local pollable = { getfd = function() return fd end }
    local readable = socket.select(fd and { pollable } or {}, nil,
      seconds < math.huge and seconds or nil)
    local now = scheduler.now()
    if readable[1] or due and due <= now then
      due = nil
      step()
    end
    for co, time in pairs(sleeping) do
      if time <= now then loop.resume(co) end
    end
  end

  function loop.run()
    local from = scheduler.now()
    run_ready()
    while fd or due or next(sleeping) do
      assert(scheduler.now() - from < patience, "the loop does not end")
      wait()
      run_ready()
    end
  end

  return loop
end

-- A timer that ends uv.run() should it hang; it is no reason to go on by itself. It is never
-- closed: luv does not survive the end of the process with a handle that is just closing.
local watchdog = uv.new_timer()
watchdog:unref()

local function run_luv()
  local hung = false
  uv.update_time() -- it is that of the last run
  watchdog:start(patience * 1000, 0, function()
    hung = true
    uv.stop()
  end)
  uv.run()
  watchdog:stop()
  assert(not hung, "uv.run() does not end")
end

local function run_cqueues(controller)
  assert(controller:loop(patience))
  assert(controller:empty(), "the controller's loop does not end")
end

-- Ways to run fn until it ends and what it began has ended, too: each calls fn(beside), where
-- beside(other) runs another function while fn waits. Gives what pcall of fn gives.
local ways = {}

-- Blocking, nothing can be beside: it happens before.
function ways.blocking(fn)
  return pcall(fn, function(other) other() end)
end

ways["raia.run"] = function(fn)
  return pcall(raia.run, fn, raia.spawn)
end

ways["raia.step"] = function(fn)
  local task = raia.spawn(fn, raia.spawn)
  local from = scheduler.now()
  while not task:done() or scheduler.state() > 0 do
    raia.step(0.05)
    assert(scheduler.now() - from < patience, "stepping does not end")
  end
  return pcall(task.join, task)
end

function ways.cqueues(fn)
  local controller, results = cqueues.new(), nil
  raia.use "cqueues"
  controller:wrap(function()
    results = table.pack(pcall(fn, function(other) controller:wrap(other) end))
  end)
  local good, message = pcall(run_cqueues, controller)
  raia.use(nil)
  assert(good, message)
  return table.unpack(results, 1, results.n)
end

function ways.luv(fn)
  raia.use "luv"
  local task = raia.spawn(fn, raia.spawn)
  local good, message = pcall(run_luv)
  raia.use(nil)
  assert(good, message)
  assert(task:done())
  return pcall(task.join, task)
end

ways["a loop of one's own"] = function(fn)
  local loop, results = bare_loop(), nil
  raia.use(loop)
  loop.wrap(function() results = table.pack(pcall(fn, loop.wrap)) end)
  local good, message = pcall(loop.run)
  raia.use(nil)
  assert(good, message)
  return table.unpack(results, 1, results.n)
end

-- In the block that calls this: one server, handed to hand(server). After each spec no loop is in
-- use and no request is left.
local function provide(hand)
  local server
  busted.setup(function()
    server = servers.start(script)
    hand(server)
  end)
  busted.teardown(function() server:close() end)
  busted.after_each(function()
    raia.use(nil)
    collectgarbage()
    collectgarbage()
    assert(scheduler.state() == 0, "a request is left")
  end)
end

-- How many connections the server has seen closed while it did not answer.
local function closed(server)
  local count = 0
  for _, note in ipairs(server:notes()) do
    if note.note == "closed" then count = count + 1 end
  end
  return count
end

return {
  provide = provide,
  closed = closed,
  bare_loop = bare_loop,
  run_luv = run_luv,
  run_cqueues = run_cqueues,
  ways = ways,
}
