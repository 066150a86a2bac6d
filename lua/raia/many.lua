-- Many tasks as one: run, gather, map and timeout.
-- What is public of it is described in raia/meta.lua.
local coroutine, table, math = coroutine, table, math -- which a host may take away later
local setmetatable, ipairs, xpcall = setmetatable, ipairs, xpcall
local scheduler = require "raia.core".scheduler
local inner = require "raia.task".inner

local spawn_in, home_here, pause = inner.spawn_in, inner.home_here, inner.pause
local is_callable, check_function = inner.is_callable, inner.check_function
local check_seconds = inner.check_seconds
local traceback = scheduler.traceback
local unpack = table.unpack

-- Tasks that end with what has spawned them.
local Scope = {}

-- Cancels what is left. Where memory has run out even for a call, each task is cancelled when it
-- is its turn. What is spawned meanwhile is not part of the scope: it only shrinks.
function Scope:__close()
  self.failures.closing = true
  for task in pairs(self) do
    if type(task) == "table" and coroutine.status(task.co) == "suspended" then task:cancel() end
  end
end

local function new_scope()
  return setmetatable({ failures = { closing = false } }, Scope)
end

local function is_empty(scope)
  for task in pairs(scope) do
    if type(task) == "table" then return false end
  end
  return true
end

local function run(fn, ...)
  check_function(fn, "run")
  local scope <close> = new_scope()
  local main = spawn_in(scope, scope, fn, ...)
  main:join()
  while not is_empty(scope) do
    local task = next(scope)
    if type(task) ~= "table" then task = next(scope, task) end
    pause(function() return task.ended end, function(tell) table.insert(task.waiters, tell) end)
  end
  for _, task in ipairs(scope.failures) do
    if not task.joined then error(task.results[1], 0) end
  end
  return main:join()
end

-- Whether packed results are those of a failed call.
local function failed(results)
  return not results[1] and results[2] ~= nil
end

-- Runs `count` tasks of work(i) and waits until stop() or all are done; the others are cancelled.
-- Raises what one of them raised.
local function run_all(count, work, stop)
  local scope <close> = new_scope()
  local left, tell, broken = count, nil, nil
  for i = 1, count do
    local task = spawn_in(scope, home_here(), work, i)
    table.insert(task.waiters, function()
      left = left - 1
      if task.failed then broken = broken or task end
      if tell then tell() end
    end)
  end
  pause(function() return left == 0 or broken or stop() end, function(to) tell = to end)
  if broken then error(broken.results[1], 0) end
end

local function gather(functions)
  if type(functions) ~= "table" then
    error("raia.gather: a table of functions is needed", 2)
  end
  for _, fn in ipairs(functions) do check_function(fn, "gather") end
  local results, failure = {}, nil
  run_all(#functions, function(i)
    local all = table.pack(functions[i]())
    results[i] = all[1]
    if failed(all) then failure = failure or all end
  end, function() return failure end)
  if failure then return unpack(failure, 1, failure.n) end
  return results
end

local map_options = { concurrency = true, on_progress = true, on_error = true }

local function check_map(list, fn, options)
  if type(list) ~= "table" then error("raia.map: a list is needed", 3) end
  check_function(fn, "map", 4)
  if type(options) ~= "table" then error("raia.map: the options are a table", 3) end
  for name in pairs(options) do
    if not map_options[name] then
      error(("raia.map: unknown option '%s' (there are concurrency, on_progress, on_error)")
        :format(tostring(name)), 3)
    end
  end
  local concurrency = options.concurrency or 16
  if math.type(concurrency) ~= "integer" or concurrency < 1 then
    error("raia.map: concurrency is a whole number from 1", 3)
  end
  local on_error = options.on_error or "stop"
  if on_error ~= "stop" and on_error ~= "collect" then
    error("raia.map: on_error is 'stop' or 'collect'", 3)
  end
  if options.on_progress ~= nil and not is_callable(options.on_progress) then
    error("raia.map: on_progress is a function", 3)
  end
  return concurrency, options.on_progress or function() end, on_error == "collect"
end

local function map(list, fn, options)
  local concurrency, on_progress, collect = check_map(list, fn, options or {})
  local total, taken, done = #list, 0, 0
  local results, failures, failure = {}, {}, nil

  local function one(i)
    if not collect then
      local all = table.pack(fn(list[i], i))
      if failed(all) then
        failure = failure or all
      else
        results[i] = all[1]
      end
      return
    end
    local all = table.pack(xpcall(fn, function(err)
      return type(err) == "string" and traceback(coroutine.running(), err, 2) or err
    end, list[i], i))
    if not all[1] then
      failures[i] = { message = tostring(all[2]), err = all[2] }
    elseif not all[2] and all[3] ~= nil then
      failures[i] = { message = all[3], err = all[4] }
    else
      results[i] = all[2]
    end
  end

  run_all(math.min(concurrency, total), function()
    while taken < total and not failure do
      taken = taken + 1
      one(taken)
      done = done + 1
      on_progress(done, total)
    end
  end, function() return failure end)
  if failure then return unpack(failure, 1, failure.n) end
  if collect then return results, failures end
  return results
end

local function timeout(seconds, fn, ...)
  check_seconds(seconds, "timeout")
  check_function(fn, "timeout")
  local scope <close> = new_scope()
  local task = spawn_in(scope, home_here(), fn, ...)
  pause(function() return task.ended end, function(tell) table.insert(task.waiters, tell) end,
    seconds)
  if task.ended then return task:join() end
  return scheduler.failure("timeout", ("not done within %g s"):format(seconds))
end

return { run = run, gather = gather, map = map, timeout = timeout }
