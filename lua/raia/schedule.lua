-- Which task runs next, and how a task waits. Private: the public functions are those of
-- raia/task.lua and what builds on it.
--
-- A waiter is what `wake` takes: a task; a coroutine of the event loop in use ({ loop, token });
-- several of them ({ several = set }); or { expired = task }, by which a task's grace ends.
-- What is waited for, a task, a scope or a queue, has its waiter in the field `waiter`.
local require, next, pairs = require, next, pairs -- which a host may take away later
local setmetatable, error = setmetatable, error
local function no_coroutine() error("raia: this host has no `coroutine`, which tasks need", 0) end
local coroutine = coroutine or {
  isyieldable = function() return false end, running = function() return "the only one" end,
  create = no_coroutine, yield = no_coroutine, resume = no_coroutine, status = no_coroutine,
  close = no_coroutine,
}
local core = require "raia.core".scheduler

local running, isyieldable = coroutine.running, coroutine.isyieldable
local yield, resume_coroutine, status = coroutine.yield, coroutine.resume, coroutine.status
local await, now, interrupt = core.await, core.now, core.interrupt
local pack, unpack, huge = table.pack, table.unpack, math.huge

local GRACE = 5 -- seconds for the <close> handlers of a task that is to end
local GLANCE = 16 -- turns, after which sockets are looked at though tasks are ready
local DEPTH = 12 -- of waits that block within tasks and let the others go on: the C stack is small
local UNDER_TASK = 2 -- functions below a task's own in its stack: body and xpcall

local schedule = { GRACE = GRACE, coroutine = coroutine }

local tasks = {} -- those that have not ended, by their coroutines
local first, last -- the tasks that are ready, linked by `next`
local late_first, late_last -- tasks whose time is up: they run when no other is ready
local depth = 0 -- how many waits block, one within the other
local closing_hard = false -- <close> handlers run that may not wait
local starters = setmetatable({}, { __mode = "k" }) -- the tasks that started requests
local loop -- the event loop in use, if any

---- What the event loop in use is to wait for ----------------------------------------------------

local step_now
local told_fd, told_due = nil, huge -- by the last call of watch

local function tell_loop()
  local in_flight, fd, seconds = core.state()
  if first or late_first then seconds = 0 end
  if in_flight == 0 and not seconds then fd = nil end
  local from = now()
  local due = seconds and from + seconds or huge
  if fd == told_fd and (due == told_due or from < told_due and told_due <= due and due < huge) then
    return -- it may call sooner than it has to
  end
  told_fd, told_due = fd, due
  loop.watch(fd, seconds, step_now)
end

-- Within a step there is no need: it tells the loop at its end.
local function changed()
  if depth == 0 then tell_loop() end
end

local function never() return false end

---- Waking ---------------------------------------------------------------------------------------

local function ready(task, late)
  task.waiting, task.next = false, false
  if late then
    if late_first then late_last.next = task else late_first = task end
    late_last = task
  else
    if first then last.next = task else first = task end
    last = task
  end
  if loop then changed() end
end

-- Needs no memory. `late`: since its time is over.
local function wake(waiter, late)
  if waiter.co then
    if waiter.waiting then ready(waiter, late) end
  elseif waiter.token then
    waiter.loop.resume(waiter.token)
  elseif waiter.several then
    for each in pairs(waiter.several) do wake(each, late) end
  elseif waiter.expired.waiting then
    waiter.expired.overdue = true
    ready(waiter.expired)
  end
end
schedule.wake = wake

-- Adds a waiter to the present one, which may be nil or false; takes it away.
local function with(present, waiter)
  if not present then return waiter end
  if not present.several then present = { several = { [present] = true } } end
  present.several[waiter] = true
  return present
end

local function without(present, waiter)
  if present == waiter then return nil end
  if present and present.several then present.several[waiter] = nil end
  return present
end

local function is_awaited(object)
  local waiter = object.waiter
  return waiter and (not waiter.several or next(waiter.several) ~= nil)
end
schedule.is_awaited = is_awaited

-- Wakes a waiter, besides others, when the request is done; undoes that and returns whether others
-- still wait.
local function await_too(request, waiter)
  local present = await(request, waiter)
  if present then await(request, with(present, waiter)) end
end

local function stop_awaiting(request, waiter)
  local left = without(await(request, nil), waiter)
  if left then await(request, left) end
  return left
end

local function forget_request(task)
  local request = task.request
  task.request = false
  if not stop_awaiting(request, task) and (task.owns or starters[request] == task) then
    request:cancel()
  end
end

-- Detaches a task from what it waits for.
local function leave(task)
  if task.alarm then
    core.off(task.alarm)
    task.alarm = false
  end
  if task.request then forget_request(task) end
  if task.object then
    task.object.waiter = without(task.object.waiter, task)
    task.object = false
  end
  if task.abandon then
    local abandon = task.abandon
    task.abandon = false
    abandon()
  end
end

---- Tasks that are to end ------------------------------------------------------------------------

-- Whether a task has been cancelled and has not raised yet.
local function is_to_raise(task)
  return task.cancelled and not task.delivered and not task.failure
end

-- Makes a waiting task raise where it waits. False while it is in the <close> handler of a block
-- that ended normally: then it raises in its next wait.
local function deliver(task)
  if status(task.co) ~= "dead" and not interrupt(task.co, UNDER_TASK) then return false end
  task.delivered = true
  leave(task)
  ready(task)
  return true
end

-- Makes sure that a task that is to end does not wait for ever.
local function bound(task)
  if not task.grace_alarm then
    task.grace_alarm = core.alarm(math.max(task.grace - now(), 0), { expired = task })
  end
end

-- Asks a task to end, which has until `grace` to do so. One that is ready has its turn first.
function schedule.cancel(task, grace)
  if task.ended or task.cancelled then return end
  task.cancelled, task.ending = true, true
  task.grace = task.grace or grace or now() + GRACE
  if task.arguments then
    schedule.close_hard(task)
  elseif task.waiting and not task.failure and not deliver(task) then
    bound(task)
  end
end

-- Raises in the running task, if it has been cancelled.
local function raise_if_cancelled(task)
  if is_to_raise(task) then
    task.delivered = true
    if not interrupt(task.co, UNDER_TASK) then task.delivered = false end
  end
end

-- What a task that is to end does before it waits.
local function before_last_waits(task)
  raise_if_cancelled(task)
  if task.closes then return end -- it waits for tasks that have their own grace
  bound(task)
  if now() >= task.grace then
    task.overdue = true
    yield()
  end
end

-- Ends a task now; its <close> handlers cannot wait.
local function close_hard(task)
  leave(task)
  local before = closing_hard
  closing_hard = true
  local good, err = coroutine.close(task.co)
  closing_hard = before
  if task.ended then return end
  if good or task.failure or err == core.interrupted then
    schedule.finish(task, false, core.interrupted)
  else
    task.failure = pack(err)
    schedule.finish(task, false)
  end
end
schedule.close_hard = close_hard

---- Turns ----------------------------------------------------------------------------------------

-- Lets the loop in use wait for a foreign value that a task has yielded. False if it cannot.
local function adopt(task, ...)
  if not (loop and loop.adopt) or (...) == nil then return false end
  local abandon = loop.adopt(function(...)
    if not task.abandon then return end
    task.abandon = false
    task.passed = pack(...)
    if task.waiting then ready(task) end
  end, ...)
  task.abandon = abandon
  return abandon
end

-- What follows a task's turn, given what coroutine.resume has returned.
local function settle(task, good, ...)
  if task.waiting or task.ended then return end
  if not good or status(task.co) == "dead" then -- out of memory, or closed by others
    leave(task)
    if not task.failure and not good and (...) ~= "cannot resume dead coroutine" then
      task.failure = pack(...)
    end
    schedule.finish(task, false, core.interrupted)
  elseif not task.ending and adopt(task, ...) then
    task.waiting = true
  else -- it yielded by itself: the others' turn
    task.waiting = true
    if not (is_to_raise(task) and deliver(task)) then ready(task) end
  end
end

local function resume(task)
  if task.overdue then
    close_hard(task)
  elseif task.arguments then
    local arguments = task.arguments
    settle(task, resume_coroutine(task.co, task, task.fn, unpack(arguments, 1, arguments.n)))
  elseif task.passed then
    local passed = task.passed
    task.passed = false
    settle(task, resume_coroutine(task.co, unpack(passed, 1, passed.n)))
  else
    settle(task, resume_coroutine(task.co))
  end
end

-- Gives GLANCE turns, or fewer if no task is ready any more.
local function run_ready()
  for _ = 1, GLANCE do
    local task = first
    if not task then return end
    first = task.next or nil
    if not task.ended then resume(task) end
  end
end

local function promote_late()
  if not late_first then return end
  if first then last.next = late_first else first = late_first end
  last, late_first, late_last = late_last, nil, nil
end

local moved = { waiter = nil } -- is waited for by those that call `step` in tasks

-- Gives the tasks that are ready some turns. Unless done(object) then, waits for at most `seconds`
-- for what is in flight, or only looks if tasks are still ready. False if that would be for ever.
local function turn(seconds, done, object)
  if depth <= DEPTH then
    run_ready()
    if done(object) then return true end
    local late_alone = late_first and not first
    promote_late() -- no other is ready, or these have waited for GLANCE turns
    if late_alone then return true end
  end
  local in_flight, told = core.step(first and 0 or seconds)
  if moved.waiter and told and told > 0 then wake(moved.waiter) end
  return in_flight
end

-- Runs a wait that blocks and lets the others go on; restores `depth` however it ends.
local nested = setmetatable({}, { __close = function()
  depth = depth - 1
  if loop then changed() end
end })

local function step(seconds)
  local _ <close> = nested
  depth = depth + 1
  if depth <= DEPTH then run_ready() end
  core.step(first and 0 or seconds)
  if depth <= DEPTH then
    run_ready()
    promote_late()
    run_ready()
  end
  return (core.state())
end

-- Called by the loop, possibly because the time it was told is up: tell it anew.
function step_now()
  told_due = -huge
  step(0)
end

---- Waiting --------------------------------------------------------------------------------------

-- Suspends a task until it is woken.
local parked = setmetatable({}, { __close = function()
  local task = tasks[running()]
  if task and task.waiting then -- others have closed its coroutine
    leave(task)
    ready(task)
  end
end })

local function park(task)
  local _ <close> = parked
  task.waiting = true
  if loop then changed() end
  yield()
end

-- Ends a wait that is no task's, such as that of a loop's coroutine, however it ends.
local Foreign = {}

function Foreign:__close()
  local object, request = self.object, self.request
  if object then
    object.waiter = without(object.waiter, self)
  elseif request and not stop_awaiting(request, self) and self.owns and not self.returned then
    request:cancel()
  end
end

-- What a wait of the running coroutine suspends: a task, or the token of a coroutine of the loop;
-- nil if it has to block.
local function here()
  local task = tasks[running()]
  if task and isyieldable() then return task end
  local token = loop and loop.current and isyieldable() and loop.current()
  return nil, token and setmetatable({ loop = loop, token = token }, Foreign)
end

-- Waits in a coroutine of the loop.
local function suspend_foreign(waiter, object, done, deadline)
  local _ <close> = waiter
  while not done(object) and not (deadline and now() >= deadline) do
    tell_loop()
    loop.suspend(waiter.token, deadline and deadline - now() or huge)
  end
  -- The loop may have checked its clock before its sockets: what has come counts.
  for _ = 1, depth == 0 and GLANCE or 0 do
    if done(object) then break end
    step_now()
    if not first then break end
  end
  return done(object)
end

-- Waits where nothing can suspend; other tasks go on meanwhile.
local function block(object, done, deadline)
  if closing_hard then return done(object) end
  local task = tasks[running()]
  local _ <close> = nested
  depth = depth + 1
  while not done(object) and not (deadline and now() >= deadline) do
    if task then raise_if_cancelled(task) end
    if not turn(deadline and deadline - now() or huge, done, object) and not first then
      schedule.no_way_on()
    end
  end
  return done(object)
end

-- Waits until done(object), for at most `seconds` if given, and returns whether it is. Whatever
-- changes that wakes object.waiter.
function schedule.wait(object, done, seconds)
  if done(object) then return true end
  local deadline = seconds and now() + seconds
  local task, foreign = here()
  if foreign then
    foreign.object = object
    object.waiter = with(object.waiter, foreign)
    return suspend_foreign(foreign, object, done, deadline)
  elseif not task then
    return block(object, done, deadline)
  end
  repeat
    if task.ending then before_last_waits(task) end
    if seconds then task.alarm = core.alarm(deadline - now(), task) end
    task.object = object
    object.waiter = with(object.waiter, task)
    park(task)
    leave(task)
  until done(object) or deadline and now() >= deadline
  return done(object)
end

-- Sleeps; 0 gives way.
function schedule.sleep(seconds)
  local task, foreign = here()
  if task then
    if task.ending then before_last_waits(task) end
    if seconds > 0 then
      task.alarm = core.alarm(seconds, task)
      park(task)
      leave(task)
    else
      yield()
    end
  elseif foreign then
    local deadline = now() + seconds
    repeat
      tell_loop()
      loop.suspend(foreign.token, math.max(deadline - now(), 0))
    until now() >= deadline
  elseif seconds > 0 then
    block(nil, never, now() + seconds)
  elseif not closing_hard then
    local _ <close> = nested
    depth = depth + 1
    turn(0, never)
  end
end

-- Suspends for a request instead of blocking. `owns`: nobody else can refer to the request. False
-- if the caller has to block.
local function suspend(request, seconds, owns)
  local task, foreign = here()
  if task then
    if task.ending then -- if it raises, nothing of the request must leave
      local guard <close> = setmetatable({ request = request, owns = owns }, Foreign)
      before_last_waits(task)
      guard.returned = true
    end
    if seconds == 0 then
      yield()
      return true
    end
    await_too(request, task)
    task.request, task.owns = request, owns
    if seconds < huge then task.alarm = core.alarm(seconds, task) end
    park(task)
    if task.alarm then -- a request that is not done is not cancelled
      core.off(task.alarm)
      task.alarm = false
      stop_awaiting(request, task)
    end
    task.request = false
    return true
  elseif foreign then
    foreign.request, foreign.owns = request, owns
    local _ <close> = foreign
    await_too(request, foreign)
    tell_loop()
    loop.suspend(foreign.token, seconds)
    if seconds < huge and depth == 0 then step_now() end
    foreign.returned = true
    return true
  elseif closing_hard then
    request:cancel()
    return true
  elseif depth > 0 or not next(tasks) then
    return false
  end
  local guard <close> = setmetatable({ request = request, owns = owns }, Foreign)
  block(request, core.is_done, seconds < huge and now() + seconds)
  guard.returned = true
  return true
end

---- Event loops ----------------------------------------------------------------------------------

local function started(request)
  local task = request and tasks[running()]
  if task then starters[request] = task end
  if loop then changed() end
end

function schedule.use(new)
  if loop and loop ~= new then loop.watch(nil, nil, step_now) end
  loop, told_fd, told_due = new, false, huge
  if loop then changed() end
end

-- Advances everything in flight. In a task, lets the others do that.
function schedule.step(seconds)
  if not here() then return step(seconds) end
  schedule.sleep(0)
  local task = here()
  if seconds > 0 and task then
    task.alarm, task.object = core.alarm(seconds, task), moved
    moved.waiter = with(moved.waiter, task)
    park(task)
    leave(task)
  end
  return (core.state())
end

schedule.tasks = tasks
schedule.ready = ready

core.hooks(suspend, started, wake, function() core.say(schedule.report() .. "\n") end)

return schedule
