-- A crash hunt: random steps of tasks, requests, clients and collections, in every kind of loop.
-- hunt(seed, steps, sandbox, server) → a table of what came of it; raises when something hangs.
local cqueues = require "cqueues"
local uv = require "luv"
local raia = require "raia"
local scheduler = require "raia.core".scheduler

local patience = 120 -- seconds after which a part of the hunt is taken to hang
local steps_of_part = 60
local most_tasks, most_requests = 60, 40

-- The script of a server that misbehaves as the path says; /ok/ANYTHING is answered.
local script = [[
local connection = ...
local request = connection:request()
while request do
  local what = request.path:match "^/(%w+)"
  if what == "close" then return end
  if what == "reset" then return connection:reset() end
  if what == "hang" then return connection:wait_close(5) end
  if what == "half" then
    connection:send("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"path\"")
    return
  elseif what == "garbage" then
    connection:send("this is no HTTP\r\n\r\n")
    return
  elseif what == "text" then
    connection:reply(200, "no JSON")
  elseif what == "large" then
    connection:reply(200, { text = ("x"):rep(100000) })
  elseif what == "slow" then
    connection:sleep(0.02)
    connection:reply(200, { path = request.path })
  else
    connection:reply(tonumber(what) or 200, { path = request.path })
  end
  request = connection:request()
end
]]

local misdeeds = { "close", "reset", "hang", "half", "garbage", "text", "large", "slow", "429",
  "500", "503", "404", "ok", "ok" }

local kinds = { connection = true, timeout = true, http = true, decode = true, too_large = true,
  cancelled = true, closed = true }

local Hunt = {}
Hunt.__index = Hunt

local function pick(list) return #list > 0 and list[math.random(#list)] or nil end

local function maybe(percent) return math.random(100) <= percent end

-- What is raised on purpose.
local function raise()
  if maybe(50) then error({ hunt = true }) end
  error("of the hunt")
end

local function on_purpose(err)
  if type(err) == "table" then return err.hunt end
  return tostring(err):find("of the hunt", 1, true) ~= nil
end

function Hunt:complain(...)
  self.complaints[#self.complaints + 1] = table.concat({ ... }, " ")
end

-- Takes down what a call gave: `wanted` is what it had to be, were it to succeed.
function Hunt:check(wanted, value, message, err)
  if value then
    self.answered = self.answered + 1
    local got = type(value) == "userdata" and value.message or value.path or value.text
    if got ~= wanted and not (value.text and #value.text == 100000) then
      self:complain("asked for", wanted, "got", tostring(got))
    end
  elseif not (err and kinds[err.kind] and err.message == message and tostring(err) == message) then
    self:complain("a strange failure:", tostring(message), tostring(err and err.kind))
  else
    self.failed = self.failed + 1
  end
  return value, message, err
end

function Hunt:new_client()
  local broken = maybe(40)
  local client
  client = raia.client {
    base_url = broken and self.server.base_url or self.sandbox.base_url,
    secret_key = self.sandbox.secret_key,
    timeout = maybe(20) and 0.02 or 0.3, max_retries = maybe(80) and 0 or 1,
    max_connections = math.random(10),
    on_event = maybe(30) and function()
      if maybe(5) then error({ hunt = true }) end
      if maybe(3) then client:close() end
      local other = maybe(10) and self.requests[math.random(most_requests)]
      if other then other.request:cancel() end
      if maybe(5) then collectgarbage() end
    end or nil,
  }
  return { client = client, broken = broken }
end

-- Makes a call of its own with these options; gives what it does, and what has to come of it.
function Hunt:call(options)
  self.asked = self.asked + 1
  local from = pick(self.clients)
  if from.broken then
    local path = "/" .. pick(misdeeds) .. "/" .. self.asked
    return path, from.client:request("GET", path, nil, options)
  end
  local question = "question " .. self.asked
  return "You said: " .. question,
    from.client:conversation(self.conversation):send(question, options)
end

function Hunt:ask() return self:check(self:call()) end

local held = { wait = false }

function Hunt:hold()
  local wanted, request = self:call(held)
  self.requests[math.random(most_requests)] = { wanted = wanted, request = request }
end

-- Of a request: a raise is on_event's; nothing but a message means that it goes on.
function Hunt:look(entry, ...)
  local results = table.pack(pcall(entry.request.wait, entry.request, ...))
  if not results[1] then
    if not on_purpose(results[2]) then self:complain("raised:", tostring(results[2])) end
  elseif results[2] or results[4] then
    self:check(entry.wanted, table.unpack(results, 2, 4))
  end
end

function Hunt:spawn(fn)
  if #self.tasks >= most_tasks then self:forget() end
  local quiet = maybe(50)
  local task = raia.spawn(function()
    local _ <close> = setmetatable({}, { __close = function()
      if maybe(5) then self:ask() end
      if maybe(2) then raia.sleep(0.001) end
      if maybe(2) then collectgarbage() end
      if maybe(2) and not quiet then raise() end
    end })
    if quiet then return pcall(fn) end
    return fn()
  end)
  if quiet then
    self.quiet[task] = true -- nobody has to join it
    if maybe(30) then return end
  end
  table.insert(self.tasks, task)
end

-- Joins the tasks that are done, and drops one of the others.
function Hunt:forget()
  local left = {}
  for _, task in ipairs(self.tasks) do
    if task:done() then self:join(task) else left[#left + 1] = task end
  end
  self.tasks = left
  for i, task in ipairs(left) do
    if #left >= most_tasks and self.quiet[task] then return table.remove(left, i) end
  end
end

function Hunt:join(task)
  local good, err = pcall(task.join, task)
  if not good and not on_purpose(err) then self:complain("joined:", tostring(err)) end
end

local function nap() raia.sleep(math.random(0, 5) / 1000) end

-- One of the things that a task does.
function Hunt:work()
  local what = math.random(13)
  if what <= 4 then
    self:ask()
  elseif what == 5 then
    local several = {}
    for i = 1, math.random(4) do several[i] = function() return self:ask() end end
    if maybe(10) then table.insert(several, raise) end
    raia.gather(several)
  elseif what == 6 then
    local list = {}
    for i = 1, math.random(0, 12) do list[i] = i end
    raia.map(list, function(i)
      if maybe(3) then raise() end
      if maybe(10) then nap() end
      self:ask()
      return i
    end, { concurrency = math.random(6), on_error = maybe(50) and "collect" or "stop",
      on_progress = maybe(20) and function() if maybe(3) then raise() end end or nil })
  elseif what == 7 then
    raia.timeout(math.random(0, 20) / 1000, self.work, self)
  elseif what == 8 then
    nap()
  elseif what == 9 then
    raise()
  elseif what == 10 then -- a generator, which blocks
    coroutine.wrap(function()
      if maybe(50) then self:ask() else nap() end
      coroutine.yield()
    end)()
  elseif what == 11 then
    raia.run(self.work, self)
  elseif what == 12 then
    local entry = self.requests[math.random(most_requests)]
    if entry then self:look(entry, maybe(50) and 0.003 or nil) end
  else
    coroutine.yield()
  end
end

-- Every chance means one step of so many hundred; they are what happens from outside of tasks.
local chances = {
  { 30, function(self) self:spawn(function() self:work() end) end },
  { 12, Hunt.hold },
  { 3, function(self) self:call(held) end }, -- dropped
  { 8, function(self) self.requests[math.random(most_requests)] = nil end },
  { 6, function(self)
    local entry = self.requests[math.random(most_requests)]
    if entry then entry.request:cancel() end
  end },
  { 6, function(self)
    local entry = self.requests[math.random(most_requests)]
    if entry then self:look(entry, pick { 0, 0.001, 0.01 }) end
  end },
  { 4, function(self)
    local entry = self.requests[math.random(most_requests)]
    if entry and entry.request:done() then self:look(entry) end
  end },
  { 10, function(self)
    local task = pick(self.tasks)
    if not task then return end
    local good, err = pcall(task.cancel, task) -- one that blocks, in a generator, can't be
    if not good and not on_purpose(err) and not tostring(err):find "cannot cancel" then
      self:complain("cancelled:", tostring(err))
    end
  end },
  { 6, function(self)
    local task = pick(self.tasks)
    if not task then return end
    local good, err = pcall(raia.timeout, 0.005, task.join, task)
    if not good and not on_purpose(err) then self:complain("joined:", tostring(err)) end
  end },
  { 4, function(self)
    local i = math.random(#self.clients)
    if maybe(70) then self.clients[i].client:close() end
    self.clients[i] = self:new_client()
  end },
  { 5, function() collectgarbage(pick { "collect", "step", "step", "step" }) end },
  { 1, function() collectgarbage(pick { "incremental", "generational" }) end },
  { 2, function(self) -- a client made in a coroutine that nobody holds, with a call under way
    local request
    coroutine.wrap(function()
      local client <close> = self:new_client().client
      request = client:request("GET", "/slow/0", nil, held)
      coroutine.yield()
    end)()
    if maybe(50) then pcall(request.done, request) end
  end },
  { 3, function(self) -- a coroutine that holds a request, and that nobody holds
    coroutine.wrap(function()
      local request = select(2, self:call(held))
      coroutine.yield()
      return request
    end)()
  end },
  { 8, function() raia.step(math.random(0, 3) / 1000) end },
  { 8, nap },
}

local sum_of_chances = 0
for _, chance in ipairs(chances) do sum_of_chances = sum_of_chances + chance[1] end

function Hunt:step()
  local at = math.random(sum_of_chances)
  for _, chance in ipairs(chances) do
    at = at - chance[1]
    if at <= 0 then return chance[2](self) end
  end
end

function Hunt:steps(count)
  for _ = 1, count do
    local good, err = xpcall(self.step, debug.traceback, self)
    if not good and not on_purpose(err) then self:complain("raised:", tostring(err)) end
  end
end

-- Never closed: luv does not survive the end of the process with a handle that is just closing.
local watchdog = uv.new_timer()
watchdog:unref()

-- The ways to do a part of the hunt. What is in flight at the end of one goes on in the next.
local ways = {
  function(self, count) -- in a loop of the program's own, which raises now and then
    pcall(raia.use, { watch = function() if maybe(2) then raise() end end })
    self:steps(count)
    repeat until pcall(raia.use, nil)
  end,
  function(self, count) -- in run, the loop changing meanwhile
    local good, err = pcall(raia.run, function()
      for _, name in ipairs { "luv", "cqueues" } do
        raia.use(name)
        self:steps(count // 2)
      end
    end)
    if not good and not on_purpose(err) then self:complain("run:", tostring(err)) end
    raia.use(nil)
  end,
  function(self, count) -- in run, which waits for what it has spawned
    local good, err = pcall(raia.run, self.steps, self, count)
    if not good and not on_purpose(err) then self:complain("run:", tostring(err)) end
  end,
  function(self, count) -- blocking
    self:steps(count)
  end,
  function(self, count) -- in a coroutine of cqueues
    local controller = cqueues.new()
    raia.use "cqueues"
    controller:wrap(self.steps, self, count)
    assert(controller:loop(patience))
    if not controller:empty() then error("the controller's loop does not end") end
    raia.use(nil)
  end,
  function(self, count) -- in a task under luv
    raia.use "luv"
    local hung = false
    uv.update_time()
    watchdog:start(patience * 1000, 0, function()
      hung = true
      uv.stop()
    end)
    local task = raia.spawn(self.steps, self, count)
    uv.run()
    watchdog:stop()
    if hung then error("uv.run() does not end") end
    assert(task:done(), "uv.run() ends before a task")
    raia.use(nil)
  end,
}

-- Waits until nothing is in flight and no task under way, then closes everything.
function Hunt:finish()
  for task in pairs(self.quiet) do self.tasks[#self.tasks + 1] = task end
  local from = scheduler.now()
  for _, task in ipairs(self.tasks) do
    while not task:done() and scheduler.now() - from < patience do raia.step(0.05) end
    if task:done() then self:join(task) else self:complain("a task does not end") end
  end
  for _, entry in pairs(self.requests) do self:look(entry) end
  self.requests = {}
  for _, each in ipairs(self.clients) do each.client:close() end
  raia.step(0)
  self.tasks, self.clients = {}, {}
  collectgarbage "incremental"
  collectgarbage()
  collectgarbage()
  self.in_flight = scheduler.state()
end

local function hunt(seed, steps, sandbox, server)
  math.randomseed(seed)
  local self = setmetatable({
    sandbox = sandbox, server = server, clients = {}, requests = {}, tasks = {},
    quiet = setmetatable({}, { __mode = "k" }), complaints = {},
    asked = 0, answered = 0, failed = 0,
  }, Hunt)
  local client <close> = raia.client {
    base_url = sandbox.base_url, secret_key = sandbox.secret_key }
  self.conversation = assert(client.conversations:create { conversationUserId = "hunt" }).id
  for i = 1, 5 do self.clients[i] = self:new_client() end
  for done = 0, steps - 1, steps_of_part do
    pick(ways)(self, math.min(steps_of_part, steps - done))
  end
  self:finish()
  return self
end

return { hunt = hunt, script = script }
