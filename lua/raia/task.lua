-- Tasks: coroutines that wait for requests, for time and for each other, side by side.
-- What is public of it is described in raia/meta.lua.
local require, next, pairs = require, next, pairs -- which a host may take away later
local setmetatable, getmetatable, type, tostring = setmetatable, getmetatable, type, tostring
local pcall, xpcall, error, select = pcall, xpcall, error, select
local table = table
local core = require "raia.core".scheduler
local schedule = require "raia.schedule"
local coroutine = schedule.coroutine

local running, create = coroutine.running, coroutine.create
local wake, wait, tasks = schedule.wake, schedule.wait, schedule.tasks
local pack, unpack = table.pack, table.unpack

local Task = { __name = "raia.task" }
Task.__index = Task

---- What a task does, in words -------------------------------------------------------------------

-- Where in the program a task is, and the name of what it has called there.
local function place(task)
  if task.arguments then
    local at = core.place(task.fn)
    return at ~= "" and at or "a C function"
  end
  local level, called = 0, nil
  while true do
    local at, name = core.place(task.co, level)
    if not at then return "?", called end
    if at ~= "" and not at:find "raia[/\\]%a+%.lua:%d+$" then return at, called end
    level, called = level + 1, name or called
  end
end

function Task:__tostring()
  if self.ended then
    return ("raia.task (%s)"):format(self.failure and "failed" or self.results.cancelled
      and "cancelled" or "done")
  end
  local at, called = place(self)
  local what = self.arguments and "not begun" or not self.waiting and "ready"
    or called and "waits in " .. called or "waits"
  return ("raia.task (%s, %s)"):format(what, at)
end

-- One line for each task that has not ended, up to a limit.
function schedule.report()
  local lines, left = {}, 0
  for _, task in pairs(tasks) do
    if #lines < 20 then lines[#lines + 1] = "  " .. tostring(task) else left = left + 1 end
  end
  table.sort(lines)
  if left > 0 then lines[#lines + 1] = ("  and %d more"):format(left) end
  return ("raia: %d tasks\n%s"):format(#lines + left, table.concat(lines, "\n"))
end

-- Nothing is in flight and every task waits. A task whose coroutine was closed from outside has
-- ended; one that had no memory for its turn is given another; otherwise this is a deadlock, which
-- is an error.
function schedule.no_way_on()
  for co, task in pairs(tasks) do
    local status = coroutine.status(co)
    if status == "dead" then return schedule.close_hard(task) end
    if status == "suspended" and not task.waiting then return schedule.ready(task) end
  end
  local report = schedule.report():gsub("^.-\n", "", 1)
  if next(tasks) == nil then report = "  the program itself" end
  error("raia: deadlock: every task waits for another one and nothing is in flight:\n"
    .. report, 0)
end

local function warn_of(task, what)
  core.warn(("%s (%s): %s"):format(what, task.place or "?", tostring(task.failure[1])))
end

---- How a task ends ------------------------------------------------------------------------------

local no_memory, nothing = pack("not enough memory"), pack()

-- table.pack, but what is empty is one table for all.
local function pack_some(...)
  return select("#", ...) == 0 and nothing or pack(...)
end

-- What says, once collected, that nobody has joined a task that failed.
local Unheard = {}

function Unheard:__gc()
  if not self.task.joined then
    core.say("raia: a task that nobody joined failed: " .. tostring(self.task.failure[1]) .. "\n")
  end
end

local function leave_scope(task)
  local scope = task.scope
  task.left = true
  if task.older then task.older.younger = task.younger end
  if task.younger then task.younger.older = task.older else scope.youngest = task.older end
  scope.count = scope.count - 1
  if task.failure and not task.joined then
    if scope.failed or scope.closing then
      warn_of(task, "another task failed")
    elseif task.end_of and task.end_of.waiter then
      scope.unheard = scope.unheard or task -- who has cancelled it may still join it
    else
      scope.failed = task
    end
  end
  if scope.waiter then wake(scope.waiter) end
end

-- Ends a task, given what xpcall has returned.
local function finish(task, good, ...)
  task.ended, task.waiting = true, false
  tasks[task.co] = nil
  if task.grace_alarm then core.off(task.grace_alarm) end
  if good then
    task.results = pack_some(...)
  elseif not task.failure and (...) == core.interrupted then
    task.results = pack(core.failure("cancelled", "the task was cancelled",
      task.fn and "no" or "maybe"))
    task.results[3].results = task.partial
    task.results.cancelled = true
  else
    task.failure = task.failure or pack(...)
    if not task.scope then task.unheard = setmetatable({ task = task }, Unheard) end
  end
  if schedule.is_awaited(task) then task.joined = true end
  if task.waiter then wake(task.waiter) end
  if task.end_of and task.end_of.waiter then wake(task.end_of.waiter) end
  if task.scope then leave_scope(task) end
end

-- It ends even when memory has run out.
function schedule.finish(task, ...)
  local good, err = pcall(finish, task, ...)
  if good then return end
  if not task.results then task.failure = task.failure or no_memory end
  if task.waiter then wake(task.waiter) end
  if task.scope and not task.left then leave_scope(task) end
  error(err, 0)
end

-- The message handler for errors that no pcall in the task catches. Runs before its <close>
-- handlers.
local function failing(err)
  local task = tasks[running()]
  if not task or err == core.interrupted then return err end
  if type(err) == "string" then err = core.traceback(task.co, err, 2) end
  if task.failure then
    core.warn(("a <close> handler failed, too (%s): %s"):format(task.place, tostring(err)))
    return err
  end
  task.failure, task.place = pack(err), place(task)
  task.ending, task.grace = true, task.grace or core.now() + schedule.GRACE
  return err
end

-- The function of a task's coroutine. Below its own function there are two: this and xpcall.
local function body(task, fn, ...)
  task.arguments, task.fn = false, false -- it has begun
  return schedule.finish(task, xpcall(fn, failing, ...))
end

---- Scopes: tasks that end with the call they were spawned in ------------------------------------

local Scope = {}
Scope.__index = Scope

-- Sets what the error that cuts the running task short shows of its results; returns the previous.
local function show_partial(results)
  local task = tasks[running()]
  if not task then return nil end
  local before = task.partial
  task.partial = results
  return before
end

local function is_over(scope) return scope.count == 0 or scope.failed end

-- Waits until no task is left or one has failed, for at most `seconds`. Returns whether.
function Scope:wait(seconds)
  return wait(self, is_over, seconds)
end

-- The task whose error the scope's call must raise, or nil.
function Scope:failure()
  return self.failed or self.unheard and not self.unheard.joined and self.unheard or nil
end

function Scope:cancel()
  local task, grace = self.youngest, nil
  local parent = tasks[running()]
  if parent and parent.ending then grace = parent.grace end
  while task do
    local older = task.older
    schedule.cancel(task, grace)
    task = older
  end
end

-- Whether no task is left that can end. A task that is running the present code cannot, as when it
-- calls os.exit.
local function is_closed(scope)
  local task = scope.youngest
  while task do
    if coroutine.status(task.co) ~= "normal" then return false end
    task = task.older
  end
  return true
end

local function wait_until_closed(scope)
  local parent = tasks[running()]
  local before = parent and parent.closes
  if parent then parent.closes = true end
  wait(scope, is_closed)
  if parent then parent.closes = before end
end

-- Ends the tasks that are left; at once, if they cannot be waited for.
function Scope:__close()
  self.closing = true
  if self.count == 0 then return end
  local good, err = pcall(self.cancel, self)
  if good then good, err = pcall(wait_until_closed, self) end
  local task = self.youngest
  while task do -- should there be no memory to end it now, it ends when it is resumed
    task.overdue, task = true, task.older
  end
  task = self.youngest
  while task do
    local older = task.older
    if coroutine.status(task.co) ~= "normal" then schedule.close_hard(task) end
    task = older
  end
  if not good then error(err, 0) end
end

local function new_scope()
  return setmetatable({ count = 0, failed = false, closing = false, waiter = false,
    youngest = false }, Scope)
end

-- The scope of a task spawned here.
local function scope_here()
  local parent = tasks[running()]
  return parent and parent.home
end

---- Task -----------------------------------------------------------------------------------------

-- What is collected as the program ends, and warns of the tasks that have not ended.
schedule.last_words = setmetatable({}, { __gc = function()
  for _, task in pairs(tasks) do
    core.warn(("a task (%s) was dropped %s"):format(place(task),
      task.arguments and "before it had begun" or "unfinished"))
  end
end })

-- Creates a task that ends with `scope`; what it spawns ends with `home`. false: with no scope.
local function spawn_in(scope, home, fn, ...)
  local callable = fn
  if type(fn) ~= "function" then fn = function(...) return callable(...) end end
  local task = setmetatable({
    co = create(body), fn = fn, arguments = pack_some(...), scope = scope or false,
    home = home or false, waiting = true, next = false, waiter = false, unheard = false,
    ended = false, joined = false, results = false, failure = false,
    ending = false, cancelled = false, delivered = false, overdue = false,
    alarm = false, request = false, object = false, owns = false, older = false, younger = false,
  }, Task)
  if scope and scope.closing then -- by a <close> handler
    task.ending, task.grace = true, core.now() + schedule.GRACE
  end
  tasks[task.co] = task
  if scope then
    local youngest = scope.youngest
    task.older = youngest
    if youngest then youngest.younger = task end
    scope.youngest = task
    scope.count = scope.count + 1
  end
  schedule.ready(task)
  return task
end

local function has_ended(task) return task.ended end

-- The results of a task that has ended.
local function results_of(task)
  task.joined = true
  if task.failure then error(task.failure[1], 0) end
  return unpack(task.results, 1, task.results.n)
end

local function check_seconds(seconds, name)
  if type(seconds) ~= "number" or seconds < 0 or seconds ~= seconds then
    error(("raia.%s: expected a non-negative number of seconds"):format(name), 3)
  end
end

local function is_callable(fn)
  local meta = getmetatable(fn)
  return type(fn) == "function" or type(meta) == "table" and meta.__call ~= nil
end

local function check_function(fn, name, level)
  if not is_callable(fn) then
    error(("raia.%s: expected a function, got a %s"):format(name, type(fn)), level or 3)
  end
end

-- Checks the object that a method of the class is called on.
local function check_self(object, class)
  if getmetatable(object) ~= class then
    error(("%s expected, got %s (called with a colon?)"):format(class.__name, type(object)), 3)
  end
end

function Task:join(seconds)
  check_self(self, Task)
  if seconds ~= nil then check_seconds(seconds, "task.join") end
  if not wait(self, has_ended, seconds) then
    return core.failure(seconds and "timeout" or "cancelled", seconds
      and ("the task has not ended within %g s"):format(seconds) or "the task was not waited for",
      "maybe")
  end
  return results_of(self)
end

function Task:done()
  check_self(self, Task)
  if not self.ended then schedule.sleep(0) end
  return self.ended
end

function Task:cancel()
  check_self(self, Task)
  if self.ended then return false end
  local status = coroutine.status(self.co)
  if status == "running" or status == "normal" and not tasks[running()] then
    error("raia: a task cannot cancel itself: return from it", 2)
  end
  schedule.cancel(self)
  -- Cancelling does not join: an error in its <close> handlers is still reported.
  self.end_of = self.end_of or { waiter = false, task = self }
  wait(self.end_of, function(end_of) return end_of.task.ended end)
  return true
end

return {
  spawn = function(fn, ...)
    check_function(fn, "spawn")
    local home = scope_here()
    return spawn_in(home, home, fn, ...)
  end,
  sleep = function(seconds)
    check_seconds(seconds, "sleep")
    schedule.sleep(seconds)
  end,
  step = function(seconds)
    check_seconds(seconds or 0, "step")
    return schedule.step(seconds or 0)
  end,
  use = function(name)
    local new = name
    if type(name) == "string" then
      local found, result = pcall(require, "raia.loop." .. name)
      if not found then
        error(("raia.use: no event loop '%s' here: %s"):format(name, result), 2)
      end
      new = result
    end
    if new ~= nil and (type(new) ~= "table" or type(new.watch) ~= "function") then
      error("raia.use: expected the name of an event loop, a table that is one, or nil", 2)
    end
    schedule.use(new)
  end,
  now = core.now,
  -- for raia/many.lua and raia/queue.lua
  inner = {
    spawn_in = spawn_in, new_scope = new_scope, results_of = results_of,
    show_partial = show_partial,
    is_callable = is_callable, check_self = check_self,
    check_function = check_function, check_seconds = check_seconds,
  },
}
