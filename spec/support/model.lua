-- Random programs of tasks: generated, run by raia's own files on a virtual clock, and predicted
-- by a model that knows neither tasks nor turns, only when each part begins and ends.
local core = require "raia.core".scheduler

local model = {}

---- raia on a virtual clock ---------------------------------------------------------------------

local FILES = { ["raia.schedule"] = true, ["raia.task"] = true, ["raia.many"] = true,
  ["raia.queue"] = true }

-- Loads raia's files anew, with a clock that moves when all wait. `random` decides what time does
-- not: whether clocks fire in the step in which answers have come, or in the next. `busy`: now and
-- then the program computes for a while, so that more than one thing has come.
function model.new_world(random, busy)
  local world = { time = 0, requests = {}, alarms = {}, sent = {} }
  local hooks, loaded, made = {}, {}, 0

  local function next_due()
    local due = math.huge
    for request in pairs(world.requests) do due = math.min(due, request.due) end
    for alarm in pairs(world.alarms) do due = math.min(due, alarm.due) end
    return due
  end

  -- In the order of their making, so that a seed means one program and one run of it.
  local function take_due(set)
    local list = {}
    for object in pairs(set) do
      if object.due <= world.time then list[#list + 1] = object end
    end
    table.sort(list, function(a, b)
      return a.due < b.due or a.due == b.due and a.number < b.number
    end)
    return list
  end

  local fake = setmetatable({}, { __index = core })

  function fake.now() return world.time end

  function fake.alarm(seconds, waiter)
    made = made + 1
    local alarm = { due = world.time + seconds, waiter = waiter, number = made }
    world.alarms[alarm] = true
    return alarm
  end

  function fake.off(alarm) world.alarms[alarm] = nil end

  function fake.await(request, waiter)
    local before = request.waiter
    request.waiter = waiter
    return before
  end

  function fake.is_done(request) return request.done end

  function fake.hooks(suspend, _, wake) hooks.suspend, hooks.wake = suspend, wake end

  function fake.state() return next(world.requests) and 1 or 0, nil, nil end

  local function end_requests()
    local told = 0
    for _, request in ipairs(take_due(world.requests)) do
      world.requests[request] = nil
      request.done, told = true, told + 1
      if request.waiter then
        request.awaited = true
        hooks.wake(request.waiter, false)
      end
    end
    return told
  end

  local function fire_alarms()
    local told = 0
    for _, alarm in ipairs(take_due(world.alarms)) do
      if world.alarms[alarm] then
        world.alarms[alarm], told = nil, told + 1
        hooks.wake(alarm.waiter, true)
      end
    end
    return told
  end

  function fake.step(seconds)
    local due = next_due()
    if due == math.huge and seconds == math.huge then return nil end
    world.time = math.max(world.time, math.min(due, world.time + seconds))
    if busy and random(4) == 1 then world.time = world.time + random(5) end
    local told = end_requests()
    if told == 0 or random(2) == 1 then told = told + fire_alarms() end
    return fake.state(), told
  end

  local env = setmetatable({}, { __index = _G })
  function env.require(name)
    if name == "raia.core" then return { scheduler = fake } end
    if not FILES[name] then return require(name) end
    if not loaded[name] then
      local path = assert(package.searchpath(name, package.path))
      loaded[name] = assert(loadfile(path, "t", env))()
    end
    return loaded[name]
  end

  local task, many = env.require "raia.task", env.require "raia.many"
  world.raia = { run = many.run, timeout = many.timeout, gather = many.gather, map = many.map,
    each = many.each, spawn = task.spawn, sleep = task.sleep, queue = env.require "raia.queue" }
  world.tasks = env.require "raia.schedule".tasks

  -- Asks a question that is answered after some time.
  function world.send(name, seconds)
    made = made + 1
    local request = { due = world.time + seconds, number = made, name = name }
    function request:cancel()
      world.requests[self] = nil
      self.done = true
    end
    world.requests[request], world.sent[name] = true, request
    local suspended = hooks.suspend(request, math.huge, true)
    assert(suspended and request.done, "a task went on without its answer")
    request.taken = true
    return name
  end

  -- The name of an answer that has come for a task and that it did not get, or nil.
  function world.lost()
    for name, request in pairs(world.sent) do
      if request.awaited and not request.taken then return name end
    end
  end

  return world
end

---- Programs ------------------------------------------------------------------------------------

-- A program is a tree: { op, ... }, of which parts are programs in turn. Each results in a string,
-- fails (nil, message) or raises (a table with a message).
local leaves = { "sleep", "send", "send", "fail", "raise", "pipeline" }
local inner = { "seq", "seq", "timeout", "timeout", "gather", "map", "each", "join", "cancel" }

-- Makes one of at most `depth` levels, of which each leaf takes at most `most` seconds. `calm`:
-- nothing in it may raise. `count` numbers the questions.
function model.program(random, depth, most, calm, count)
  count = count or { 0 }
  local op = depth == 0 and leaves[random(#leaves)] or inner[random(#inner)]
  local bad = op == "raise" or op == "fail"
  if op == "raise" and calm or bad and random(3) > 1 then op = "send" end
  local function part(is_calm)
    return model.program(random, depth - 1, most, calm or is_calm, count)
  end
  if op == "sleep" or op == "fail" or op == "raise" then return { op, random(most) } end
  if op == "send" then
    count[1] = count[1] + 1
    return { op, random(most), name = "answer " .. count[1] }
  end
  if op == "pipeline" then return { op, random(4), random(0, 2), random(5), random(5) } end
  if op == "timeout" then return { op, random(2 * most), part() } end
  if op == "join" or op == "cancel" then return { op, random(most), part(op == "cancel") } end
  local parts = {}
  for i = 1, random(3) do parts[i] = part() end
  if op == "map" then return { op, random(2), parts } end
  if op == "each" then return { op, random(#parts), parts } end
  return { op, 0, parts }
end

---- Running one ---------------------------------------------------------------------------------

local play

local function play_parts(world, parts)
  local functions = {}
  for i, part in ipairs(parts) do functions[i] = function() return play(world, part) end end
  return functions
end

local function join_words(list) return "(" .. table.concat(list, " ") .. ")" end

local ops = {}

function ops.sleep(world, program)
  world.raia.sleep(program[2])
  return "slept"
end

function ops.send(world, program) return world.send(program.name, program[2]) end

function ops.fail(world, program)
  world.raia.sleep(program[2])
  return nil, "failed"
end

function ops.raise(world, program)
  world.raia.sleep(program[2])
  error({ "raised" })
end

function ops.pipeline(world, program)
  local _, count, room, put_seconds, take_seconds = table.unpack(program)
  local queue = world.raia.queue(room)
  return world.raia.run(function()
    world.raia.spawn(function()
      for i = 1, count do
        world.raia.sleep(put_seconds)
        queue:put(i)
      end
      queue:close()
    end)
    local taken = {}
    for i in queue do
      taken[#taken + 1] = i
      world.raia.sleep(take_seconds)
    end
    return join_words(taken)
  end)
end

function ops.seq(world, program)
  local list = {}
  for i, part in ipairs(program[3]) do
    local word, message = play(world, part)
    if not word then return nil, message end
    list[i] = word
    if #program[3] > 1 then world.raia.sleep(0) end
  end
  return join_words(list)
end

-- The name of the question that a program does nothing but send, by whatever way, or nil.
local function only_send(program)
  local parts = program[3]
  if program[1] == "send" then return program.name end
  if program[1] == "join" then return only_send(parts) end
  if type(parts) == "table" and #parts == 1 and program[1] ~= "cancel" then
    return only_send(parts[1])
  end
end

function ops.timeout(world, program)
  local part = program[3]
  local word, message = world.raia.timeout(program[2], play, world, part)
  if not word and message:find "^not done" then
    local request = world.sent[only_send(part) or ""]
    assert(not request or not request.taken, "an answer came to a task, and its timeout hid it")
    return nil, "late"
  end
  return word, message
end

function ops.gather(world, program)
  local list, message = world.raia.gather(play_parts(world, program[3]))
  if not list then return nil, message end
  return join_words(list)
end

function ops.map(world, program)
  local list, message = world.raia.map(program[3], function(part) return play(world, part) end,
    { concurrency = program[2] })
  if not list then return nil, message end
  return join_words(list)
end

function ops.each(world, program)
  local list = {}
  for i, word, message in world.raia.each(program[3],
      function(part) return play(world, part) end) do
    list[#list + 1] = i .. ":" .. (word or message)
    if #list == program[2] then break end
  end
  return join_words(list)
end

function ops.join(world, program)
  return world.raia.spawn(play, world, program[3]):join()
end

function ops.cancel(world, program)
  local task = world.raia.spawn(world.raia.run, play, world, program[3]) -- with what it spawns
  world.raia.sleep(program[2])
  task:cancel()
  local word, message = task:join()
  return word or message:find "cancelled" and "cancelled" or message
end

function play(world, program) return ops[program[1]](world, program) end

-- Runs a program; returns when it ended, and its word, or the message of its failure or error.
function model.run(world, program)
  local good, word, message = pcall(world.raia.run, play, world, program)
  if not good then
    if type(word) ~= "table" or not word[1] then error(word, 0) end
    return world.time, "raises " .. word[1]
  end
  return world.time, word or "fails " .. tostring(message)
end

---- The model -----------------------------------------------------------------------------------

-- reckon[op](program, from, cut, tie) returns when the program ends, a kind ("ok", "fail", "raise"
-- or, if it would go on beyond `cut`, "cut") and the word or message. It calls tie() where two
-- things come at the same time and their order matters.
local reckon = {}

local function part_of(program, from, cut, tie)
  local finish, kind, word = reckon[program[1]](program, from, cut, tie)
  if kind ~= "cut" and finish == cut then tie() end
  if finish > cut then return cut, "cut" end
  return finish, kind, word
end

local function leaf(kind, word)
  return function(program, from) return from + program[2], kind, word or program.name end
end
reckon.sleep, reckon.send = leaf("ok", "slept"), leaf "ok"
reckon.fail, reckon.raise = leaf("fail", "failed"), leaf("raise", "raised")

function reckon.pipeline(program, from)
  local _, count, room, put_seconds, take_seconds = table.unpack(program)
  local taken, put, free = {}, from, from -- when each was taken; the last put; the taker's time
  for i = 1, count do
    local offered = put + put_seconds
    put = math.max(offered, room > 0 and taken[i - room] or 0)
    taken[i] = math.max(room > 0 and put or offered, free)
    if room == 0 then put = taken[i] end
    free = taken[i] + take_seconds
  end
  local words = {}
  for i = 1, count do words[i] = i end
  return math.max(free, put), "ok", join_words(words)
end

function reckon.seq(program, from, cut, tie)
  local list = {}
  for i, part in ipairs(program[3]) do
    local finish, kind, word = part_of(part, from, cut, tie)
    if kind ~= "ok" then return finish, kind, word end
    from, list[i] = finish, word
  end
  return from, "ok", join_words(list)
end

function reckon.timeout(program, from, cut, tie)
  local own = from + program[2]
  local finish, kind, word = part_of(program[3], from, math.min(own, cut), tie)
  if kind ~= "cut" then return finish, kind, word end
  if own > cut then return cut, "cut" end
  if own == cut then tie() end
  return own, "fail", "late"
end

-- Parts side by side, each from its own time: the first to fail or raise cuts the others short.
local function side_by_side(parts, starts, cut, tie, fails)
  local finish, first, kind_of_first, word_of_first = 0, math.huge, nil, nil
  local words, ends = {}, {}
  for i, part in ipairs(parts) do
    if starts[i] then
      local kind, word
      ends[i], kind, word = part_of(part, starts[i], cut, tie)
      words[i] = word
      if kind == "cut" then ends[i] = math.huge end
      if kind == "raise" or kind == "fail" and fails then
        if ends[i] == first then tie() end
        if ends[i] < first then first, kind_of_first, word_of_first = ends[i], kind, word end
      end
      finish = math.max(finish, ends[i])
    end
  end
  for i in pairs(ends) do
    if first < math.huge and ends[i] == first and words[i] ~= word_of_first then tie() end
  end
  if first < math.huge and first <= cut then return first, kind_of_first, word_of_first end
  if finish > cut then return cut, "cut" end
  return finish, "ok", words
end

function reckon.gather(program, from, cut, tie)
  local starts = {}
  for i = 1, #program[3] do starts[i] = from end
  local finish, kind, word = side_by_side(program[3], starts, cut, tie, true)
  return finish, kind, kind == "ok" and join_words(word) or word
end

function reckon.map(program, from, cut, tie)
  local parts, free, starts, stop = program[3], {}, {}, math.huge
  for i = 1, program[2] do free[i] = from end
  for i, part in ipairs(parts) do
    table.sort(free)
    if free[1] == stop then tie() end
    if free[1] >= stop or free[1] > cut then break end
    starts[i] = free[1]
    local finish, kind = part_of(part, starts[i], cut, tie)
    free[1] = kind == "cut" and math.huge or finish
    if kind == "raise" or kind == "fail" then stop = math.min(stop, finish) end
  end
  local finish, kind, word = side_by_side(parts, starts, cut, tie, true)
  if kind == "ok" and #word < #parts then return cut, "cut" end
  return finish, kind, kind == "ok" and join_words(word) or word
end

function reckon.each(program, from, cut, tie)
  local parts, order, raised = program[3], {}, math.huge
  for i, part in ipairs(parts) do
    local finish, kind, word = part_of(part, from, cut, tie)
    if kind == "raise" then raised = math.min(raised, finish) end
    if kind ~= "cut" then order[#order + 1] = { finish, i .. ":" .. word, kind } end
  end
  table.sort(order, function(a, b) return a[1] < b[1] end)
  local list = {}
  for i, one in ipairs(order) do
    if order[i + 1] and order[i + 1][1] == one[1] then tie() end
    if one[3] == "raise" then return one[1], "raise", "raised" end
    list[i] = one[2]
    if i == program[2] then return one[1], "ok", join_words(list) end
  end
  return cut, "cut"
end

function reckon.join(program, from, cut, tie)
  return part_of(program[3], from, cut, tie)
end

function reckon.cancel(program, from, cut, tie)
  local own = from + program[2]
  if own == cut then tie() end
  if own > cut then return cut, "cut" end
  local _, kind, word = part_of(program[3], from, own, tie)
  return own, "ok", kind == "cut" and "cancelled" or word
end

-- When the program ends, how, and whether the order of what comes at one time could change that.
function model.reckon(program)
  local tied = false
  local finish, kind, word = part_of(program, 0, math.huge, function() tied = true end)
  local prefix = kind == "raise" and "raises " or kind == "fail" and "fails " or ""
  return finish, prefix .. word, tied
end

return model
