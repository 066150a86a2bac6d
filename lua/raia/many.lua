-- Many tasks as one: run, gather, map, each and timeout.
-- What is public of it is described in raia/meta.lua.
local table, math = table, math -- which a host may take away later
local ipairs, pairs, type, tostring, xpcall = ipairs, pairs, type, tostring, xpcall
local error = error
local core = require "raia.core".scheduler
local schedule, inner = require "raia.schedule", require "raia.task".inner

local wait, wake = schedule.wait, schedule.wake
local coroutine = schedule.coroutine
local spawn_in, new_scope, results_of = inner.spawn_in, inner.new_scope, inner.results_of
local show_partial = inner.show_partial
local is_callable, check_function = inner.is_callable, inner.check_function
local pack, unpack = table.pack, table.unpack

local function raise_failure(scope)
  local task = scope:failure()
  task.joined = true
  error(task.failure[1], 0)
end

local function run(fn, ...)
  check_function(fn, "run")
  local scope <close> = new_scope()
  local main = spawn_in(scope, scope, fn, ...)
  scope:wait()
  if scope:failure() then raise_failure(scope) end
  return results_of(main)
end

local function not_done(seconds, sent)
  return core.failure("timeout", ("not done within %g s"):format(seconds), sent)
end

local function timeout(seconds, fn, ...)
  inner.check_seconds(seconds, "timeout")
  check_function(fn, "timeout")
  if seconds == 0 then return not_done(seconds, "no") end
  local scope <close> = new_scope()
  local task = spawn_in(scope, scope, fn, ...)
  local function is_over() return task.ended or scope.failed end
  if not wait(scope, is_over, seconds) then
    scope:cancel()
    wait(scope, is_over)
  end
  if scope:failure() then raise_failure(scope) end
  if not task.ended or task.results.cancelled then
    local _, message, err = not_done(seconds, "maybe")
    err.results = task.partial
    return nil, message, err
  end
  return results_of(task)
end

---- Side by side ---------------------------------------------------------------------------------

-- Whether packed results are those of a failed call.
local function is_failed(results)
  return not results[1] and results[2] ~= nil
end

-- Returns packed results of a failed call, whose error says which element failed and what the
-- others had come to.
local function return_failure(failure, index, results)
  local err = failure[3]
  if err == nil then
    failure[3] = select(3, core.failure(nil, tostring(failure[2]), "maybe"))
    failure.n = 3
    err = failure[3]
  end
  if core.is_error(err) then err.index, err.results = index, results end
  return unpack(failure, 1, failure.n)
end

-- Raises what a task of the scope has raised, and says for which element that was.
local function raise_of_element(scope, name, results)
  local failure, index = scope:failure().failure, scope:failure().element
  if index and type(failure[1]) == "string" then
    failure[1] = ("%s\n\t(element %s of raia.%s)"):format(failure[1], index, name)
  elseif index and core.is_error(failure[1]) then
    failure[1].index, failure[1].results = index, results
  end
  raise_failure(scope)
end

-- Runs `workers` tasks of work(task) and waits until they are done or there is `state.failure`;
-- then the others are cancelled.
local function run_all(workers, work, state, name)
  local before = show_partial(state.results)
  local scope <close> = new_scope()
  local function is_over()
    return scope.count == 0 or scope.failed or state.failure or state.ended == workers
  end
  function state.tell()
    if scope.waiter then wake(scope.waiter) end
  end
  for i = 1, workers do
    local task
    task = spawn_in(scope, scope, function() return work(task, i) end)
  end
  wait(scope, is_over)
  show_partial(before)
  if scope:failure() then raise_of_element(scope, name, state.results) end
end

local function check_list(list, name, level)
  if type(list) ~= "table" then error(("raia.%s: expected a list"):format(name), level) end
  local length = #list
  for key in pairs(list) do
    if math.type(key) ~= "integer" or key < 1 or key > length then
      error(("raia.%s: expected a list, but the table has the key '%s'"):format(name,
        tostring(key)), level)
    end
  end
end

local function gather(functions)
  if type(functions) ~= "table" then
    error("raia.gather: expected a table of functions", 2)
  end
  check_list(functions, "gather", 3)
  for _, fn in ipairs(functions) do check_function(fn, "gather") end
  local state = { results = {}, failure = nil, ended = 0 }
  run_all(#functions, function(task, i)
    task.element = i
    local all = pack(functions[i]())
    state.ended = state.ended + 1
    if is_failed(all) then
      if not state.failure then state.failure, state.index = all, i end
    else
      state.results[i] = all[1]
    end
    state.tell()
  end, state, "gather")
  if state.failure then return return_failure(state.failure, state.index, state.results) end
  return state.results
end

local known = {
  map = "concurrency, on_progress, on_error, rate",
  each = "concurrency, rate",
}

local function fail(name, text)
  error(("raia.%s: %s"):format(name, text), 4)
end

local function check_options(name, list, fn, options)
  check_list(list, name, 4)
  check_function(fn, name, 4)
  if type(options) ~= "table" then fail(name, "the options are a table") end
  for key in pairs(options) do
    if not (", " .. known[name] .. ","):find(", " .. tostring(key) .. ",", 1, true) then
      fail(name, ("unknown option '%s' (known options: %s)"):format(tostring(key), known[name]))
    end
  end
  local concurrency = options.concurrency or 16
  if math.type(concurrency) ~= "integer" or concurrency < 1 then
    fail(name, "concurrency must be a whole number of at least 1")
  end
  local rate = options.rate
  if rate ~= nil and (type(rate) ~= "number" or rate ~= rate or rate <= 0) then
    fail(name, "rate must be a positive number of calls per second")
  end
  local on_error = options.on_error or "stop"
  if on_error ~= "stop" and on_error ~= "collect" then
    fail(name, "on_error must be 'stop' or 'collect'")
  end
  if options.on_progress ~= nil and not is_callable(options.on_progress) then
    fail(name, "on_progress must be a function")
  end
  return concurrency, options.on_progress or function() end, on_error == "collect"
end

-- Returns a function to call before each call, so that at most `rate` calls begin per second.
local function pacer(rate)
  local due = 0
  return function()
    if not rate then return end
    local now = core.now()
    local seconds = due - now
    due = math.max(due, now) + 1 / rate
    if seconds > 0 then schedule.sleep(seconds) end
  end
end

local function map(list, fn, options)
  options = options or {}
  local concurrency, on_progress, collect = check_options("map", list, fn, options)
  local total, taken, done = #list, 0, 0
  local pace = pacer(options.rate)
  local failures = {}
  local state = { results = {}, failure = nil, ended = 0 }
  local results = state.results

  local function one(i)
    if not collect then
      local all = pack(fn(list[i], i))
      if not is_failed(all) then
        results[i] = all[1]
      elseif not state.failure then
        state.failure, state.index = all, i
      end
      return
    end
    local all = pack(xpcall(fn, function(err)
      return type(err) == "string" and core.traceback(coroutine.running(), err, 2) or err
    end, list[i], i))
    if not all[1] then
      failures[i] = { message = tostring(all[2]), err = all[2] }
    elseif not all[2] and all[3] ~= nil then
      failures[i] = { message = all[3], err = all[4] }
    else
      results[i] = all[2]
    end
  end

  run_all(math.min(concurrency, total), function(task)
    while taken < total and not state.failure do
      taken = taken + 1
      local i = taken
      pace()
      if state.failure then break end
      task.element = i
      one(i)
      task.element = nil
      done = done + 1
      if state.failure then state.tell() end
      on_progress(done, total)
    end
    state.ended = state.ended + 1
    state.tell()
  end, state, "map")
  if state.failure then return return_failure(state.failure, state.index, results) end
  if collect then return results, failures end
  return results
end

local function each(list, fn, options)
  options = options or {}
  local concurrency = check_options("each", list, fn, options)
  local total, begun, given = #list, 0, 0
  local pace = pacer(options.rate)
  local scope = new_scope()
  local arrived, count = {}, 0 -- packed results, as they come

  local function is_there() return count > given or scope.failed end

  local function begin()
    begun = begun + 1
    local i = begun
    local task
    task = spawn_in(scope, scope, function()
      pace()
      task.element = i
      local results = pack(i, fn(list[i], i))
      count = count + 1
      arrived[count] = results
      if scope.waiter then wake(scope.waiter) end
    end)
  end

  local function next_result()
    while begun < total and begun - given < concurrency do begin() end
    if given == total or not wait(scope, is_there) then return nil end
    if scope.failed then raise_of_element(scope, "each") end
    given = given + 1
    local results = arrived[given]
    arrived[given] = nil
    return unpack(results, 1, results.n)
  end

  return next_result, nil, nil, scope
end

return { run = run, gather = gather, map = map, each = each, timeout = timeout }
