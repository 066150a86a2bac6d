-- Tasks: coroutines that wait for requests, for time and for each other, side by side.
-- What is public of it is described in raia/meta.lua.
local require, table, ipairs = require, table, ipairs -- which a host may take away later
local setmetatable, getmetatable = setmetatable, getmetatable
local coroutine = coroutine or setmetatable({ isyieldable = function() return false end }, {
  __index = function() error("raia: this host has no `coroutine`, which tasks need", 0) end,
})
local scheduler = require "raia.core".scheduler

local unpack, huge = table.unpack, math.huge

local tasks = {} -- those that have not ended, by their coroutines
local first, last -- of a queue of tasks to be resumed, linked by their `next`
local turns = 0 -- how often a task has been put there
local no_memory = table.pack("not enough memory")
local loop -- the event loop in use, if any

local function nothing() end

local changed -- tells the loop that there is something else to wait for

---- Where a wait suspends -------------------------------------------------------------------

local function wake(task) -- needs no memory
  if task.waiting then
    turns = turns + 1
    task.waiting, task.next, task.turn = false, false, turns
    if first then last.next = task else first = task end
    last = task
    changed()
  end
end

-- Tasks as a loop of their own: its tokens are the tasks.
local own = { resume = wake }

function own.suspend(task, seconds)
  local alarm <close> = seconds < huge -- luacheck: ignore
    and scheduler.alarm(seconds, function() wake(task) end) or nil
  task.waiting = true
  coroutine.yield()
end

-- The loop that may suspend the running coroutine, and its token for it; nil: it has to block.
local function here()
  if not coroutine.isyieldable() then return nil end
  local task = tasks[coroutine.running()]
  if task then return own, task end
  local token = loop and loop.current and loop.current()
  if token then return loop, token end
end

-- Ends a wait, however it ends: cut short, it cancels the request that was waited for.
local Guard = {}

function Guard:__close()
  scheduler.on_done(self.request, self.wake, true)
  if not self.returned then self.request:cancel() end
end

-- The wait of a call, in place of blocking; false where it has to block.
local function suspend(request, seconds)
  local where, token = here()
  if not where then return false end
  local function wake_here() where.resume(token) end
  local guard <close> = setmetatable({ request = request, wake = wake_here }, Guard)
  scheduler.on_done(request, wake_here)
  changed()
  where.suspend(token, seconds)
  guard.returned = true
  return true
end

---- Running tasks -----------------------------------------------------------------------------

local function tell_waiters(task)
  tasks[task.co] = nil
  if task.scope then task.scope[task] = nil end
  for _, tell in ipairs(task.waiters) do tell() end
end

local function finish(task, failed, ...)
  local results = table.pack(...)
  if failed and task.scope then
    task.scope.failures[#task.scope.failures + 1] = task
  end
  task.ended, task.failed, task.results = true, failed, results
  tell_waiters(task)
end

local function settle(task, good, ...)
  if not good then
    local err = ...
    if type(err) == "string" then err = scheduler.traceback(task.co, err) end
    local closed, second = coroutine.close(task.co)
    if not closed and second ~= (...) then err = second end
    finish(task, true, err)
  elseif coroutine.status(task.co) == "dead" then
    finish(task, false, ...)
  elseif not task.waiting then -- it yielded by itself: the others' turn
    task.waiting = true
    wake(task)
  end
end

-- Gives a task its turn. One whose end there is no memory for has failed for that.
local function resume(task)
  local arguments = task.arguments or nil
  task.arguments, task.fn = false, false
  local good, err
  if arguments then
    good, err = pcall(settle, task,
      coroutine.resume(task.co, unpack(arguments, 1, arguments.n)))
  else
    good, err = pcall(settle, task, coroutine.resume(task.co))
  end
  if good then return end
  if not task.ended and coroutine.status(task.co) == "dead" then
    task.ended, task.failed, task.results = true, true, no_memory
    tell_waiters(task)
  end
  error(err, 0)
end

-- Gives each task that is ready now one turn.
local function run_ready()
  local stop = turns
  while first and first.turn <= stop do -- a task may call this, too
    local task = first
    first = task.next or nil
    if not task.ended then
      if task.scope and task.scope.failures.closing then task:cancel() else resume(task) end
    end
  end
end

-- Moves everything along, for at most so many seconds while there is nothing to tell.
local function step(seconds)
  run_ready()
  scheduler.step(first and 0 or seconds)
  run_ready()
  changed()
  return (scheduler.state())
end

local function step_now() step(0) end

function changed()
  if not loop then return end
  local in_flight, fd, seconds = scheduler.state()
  if first then seconds = 0 end
  if in_flight == 0 and not seconds then fd = nil end
  loop.watch(fd, seconds, step_now)
end

-- Waits until done(), which says so after wake has been called: arm(wake) sees to that.
local function pause(done, arm, seconds)
  seconds = seconds or huge
  local until_then = scheduler.now() + seconds
  local where, token = here()
  if where then
    local waiting = true
    arm(function()
      if waiting then where.resume(token) end
    end)
    while not done() and scheduler.now() < until_then do
      changed()
      where.suspend(token, seconds < huge and until_then - scheduler.now() or huge)
    end
    waiting = false
    return
  end
  local alarm <close> = seconds < huge -- luacheck: ignore
    and scheduler.alarm(seconds, nothing) or nil
  run_ready()
  while not done() and scheduler.now() < until_then do
    local in_flight, _, patience = scheduler.state()
    if first then
      patience = 0
    elseif in_flight == 0 and not patience then
      error("raia: every task waits for another one, and nothing is in flight", 0)
    end
    scheduler.step(patience or huge)
    run_ready()
  end
end

---- Task --------------------------------------------------------------------------------------

local Task = { __name = "raia.task" }
Task.__index = Task

function Task:__tostring()
  local state = not self.ended and "under way" or self.failed and "failed" or "done"
  return ("raia.task (%s)"):format(state)
end

-- Where in the program a task is, or what it would have begun with.
local function place(task)
  if task.arguments then
    local at = scheduler.place(task.fn)
    return at ~= "" and at or "a C function"
  end
  local level = 0
  while true do
    local at = scheduler.place(task.co, level)
    if not at then return "?" end
    if at ~= "" and not at:find "raia[/\\]%a+%.lua:%d+$" then return at end
    level = level + 1
  end
end

function Task:__gc()
  if not self.ended and tasks[self.co] then
    scheduler.warn(("a task (%s) was dropped %s"):format(place(self),
      self.arguments and "before it had begun" or "unfinished"))
  elseif self.failed and not self.joined and not self.scope then
    scheduler.say("raia: a task that nobody joined failed: " .. tostring(self.results[1]) .. "\n")
  end
end

-- A task that ends with `scope`; what it spawns ends with `home`. nil: with nothing.
local function spawn_in(scope, home, fn, ...)
  if scope and scope.failures.closing then scope = nil end
  local callable = fn
  if type(fn) ~= "function" then fn = function(...) return callable(...) end end
  local task = setmetatable({ waiters = {}, scope = scope, home = home, waiting = true,
    ended = false, failed = false, results = false, joined = false, next = false, turn = 0,
    arguments = false, co = false, fn = fn }, Task)
  task.co = coroutine.create(fn)
  task.arguments = table.pack(...)
  tasks[task.co] = task
  if scope then scope[task] = true end
  wake(task)
  return task
end

local function check_seconds(seconds, name)
  if type(seconds) ~= "number" or seconds < 0 or seconds ~= seconds then
    error(("raia.%s: seconds are needed, not negative"):format(name), 3)
  end
end

local function is_callable(fn)
  local meta = getmetatable(fn)
  return type(fn) == "function" or type(meta) == "table" and meta.__call ~= nil
end

local function check_function(fn, name, level)
  if not is_callable(fn) then
    error(("raia.%s: a function is needed, not a %s"):format(name, type(fn)), level or 3)
  end
end

-- Where a task that is spawned here belongs.
local function home_here()
  local parent = tasks[coroutine.running()]
  return parent and parent.home
end

local function spawn(fn, ...)
  check_function(fn, "spawn")
  return spawn_in(home_here(), home_here(), fn, ...)
end

function Task:join()
  if not self.ended then
    pause(function() return self.ended end, function(tell) table.insert(self.waiters, tell) end)
  end
  self.joined = true
  if self.failed then error(self.results[1], 0) end
  return unpack(self.results, 1, self.results.n)
end

function Task:done()
  return self.ended
end

local function finish_cancelled(task, closed, err)
  if closed then
    finish(task, false, scheduler.failure("cancelled", "the task was cancelled"))
  else
    finish(task, true, err)
  end
end

function Task:cancel()
  if self.ended then return false end
  local status = coroutine.status(self.co)
  if status == "running" or status == "normal" then
    error("raia: a task cannot cancel itself: return from it", 2)
  end
  -- What its <close> variables do cannot come back to it, and is no failure yet.
  self.ended, self.failed, self.results, self.joined = true, true, no_memory, true
  local closed, closing_error = coroutine.close(self.co)
  self.joined = false
  local good, err = pcall(finish_cancelled, self, closed, closing_error)
  if self.results == no_memory then
    tell_waiters(self)
  elseif not good then
    error(err, 0)
  end
  return true
end

local function sleep(seconds)
  check_seconds(seconds, "sleep")
  pause(function() return false end, nothing, seconds)
end

---- Event loops -------------------------------------------------------------------------------

local function use(name)
  local new = name
  if type(name) == "string" then
    local found, result = pcall(require, "raia.loop." .. name)
    if not found then
      error(("raia.use: no event loop '%s' here: %s"):format(name, result), 2)
    end
    new = result
  end
  if new ~= nil and (type(new) ~= "table" or type(new.watch) ~= "function") then
    error("raia.use: the name of an event loop, a table that is one, or nil is needed", 2)
  end
  if loop and loop ~= new then loop.watch(nil, nil, step_now) end
  loop = new
  scheduler.hooks(suspend, loop and changed)
  changed()
end

scheduler.hooks(suspend)

return {
  spawn = spawn, sleep = sleep, use = use,
  step = function(seconds)
    check_seconds(seconds or 0, "step")
    return step(seconds or 0)
  end,
  -- for raia/many.lua
  inner = {
    spawn_in = spawn_in, home_here = home_here, pause = pause,
    is_callable = is_callable, check_function = check_function, check_seconds = check_seconds,
  },
}
