-- Answers that come later: questions whose answers are asked for, and what people add.
local core = require "raia.core"
local options = require "raia.options"
local task = require "raia.task"

local conversation = {}
local failure = core.scheduler.failure
local error, ipairs, type = error, ipairs, type
local floor, min, max, huge = math.floor, math.min, math.max, math.huge
local sort = table.sort

local SECONDS = 300 -- for all of an answer
local FIRST, MOST = 1, 5 -- seconds between two looks

-- What calls of C take of the options of a method here, and `seconds` as their timeout.
local function of_call(opts, seconds, more)
  return options.with(more or {}, { timeout = max(min(seconds, 60), 0.001),
    headers = opts.headers, max_retries = opts.max_retries })
end

-- Looks every so often until `look` gives something, or an error that will not pass. `look` gets
-- the seconds that are left.
local function look_until(method, opts, look)
  local deadline = task.now() + (opts.timeout or SECONDS)
  local pause = opts.every or FIRST
  while true do
    local found, message, err = look(deadline - task.now())
    if found then return found end
    if found == nil and not err.retryable then return nil, message, err end
    local wait = max(pause, err and err.retry_after or 0)
    if task.now() + wait >= deadline then
      return failure("timeout", method .. ": no answer in time", "maybe")
    end
    task.sleep(wait)
    pause = min(pause * 1.5, max(MOST, opts.every or 0))
  end
end

local function answer_to(self, method, question, opts)
  local answer, message, err = look_until(method, opts, function(left)
    return self:answer_to(question, of_call(opts, left))
  end)
  if answer then return answer end
  err.question = question
  return nil, message, err
end

local ASK = { timeout = "number", every = "number", context = "string", headers = "table",
  max_retries = "number" }

function conversation:ask(what, opts)
  options.argument(1, "ask", what, "string or table")
  opts = options.check("ask", opts, ASK)
  local from = task.now()
  local timeout = opts.timeout or SECONDS
  local question, message, err =
    self:send_async(what, of_call(opts, timeout, { context = opts.context }))
  if not question then return question, message, err end
  local left = timeout - (task.now() - from)
  return answer_to(self, "conversation:ask", question, options.with(opts, { timeout = left }))
end

-- ---- what is in a conversation ----

-- Seconds since an epoch, the same for both forms: 2026-11-26T20:00:00.000Z and that of HTTP.
local MONTHS = { Jan = 1, Feb = 2, Mar = 3, Apr = 4, May = 5, Jun = 6, Jul = 7, Aug = 8, Sep = 9,
  Oct = 10, Nov = 11, Dec = 12 }

local function seconds_of(date)
  if type(date) ~= "string" then return nil end
  local year, month, day, hour, minute, second =
    date:match "^(%d+)-(%d+)-(%d+)T(%d+):(%d+):(%d+%.?%d*)"
  if not year then
    day, month, year, hour, minute, second =
      date:match "^%a+, (%d+) (%a+) (%d+) (%d+):(%d+):(%d+)"
    month = MONTHS[month]
  end
  if not month then return nil end
  month = month + 0
  if month < 3 then year, month = year - 1, month + 12 end
  local days = 365 * year + floor(year / 4) - floor(year / 100) + floor(year / 400)
    + floor((153 * month - 457) / 5) + day
  return ((days * 24 + hour) * 60 + minute) * 60 + second
end

-- The messages of a conversation, oldest first, and the server's time.
local function messages_of(self, opts, left)
  local request = self:messages(of_call(opts, left, { wait = false }))
  local list, message, err = request:wait()
  if not list then return list, message, err end
  local times, dated = {}, true
  for i, one in ipairs(list) do
    times[one] = { seconds_of(one.createdAt) or 0, i }
    dated = dated and times[one][1] > 0
  end
  if dated then
    sort(list, function(a, b)
      local x, y = times[a], times[b]
      return x[1] < y[1] or (x[1] == y[1] and x[2] < y[2])
    end)
  end
  local headers = request:info().headers
  return list, headers and seconds_of(headers.date)
end

local function id_of(message) return type(message) == "string" and message or message.id end

local FIND = { timeout = "number", every = "number", headers = "table", max_retries = "number",
  after = "string, userdata", within = "number" }

-- The newest message of `list` in which the user says `text`, and any answer to it. Only messages
-- after the one `after` count, or those of the last `within` seconds before `now`.
local function find(list, text, after, within, now)
  local answers = {}
  for i = #list, 1, -1 do
    local one = list[i]
    local time = seconds_of(one.createdAt)
    if one.id == after or (not after and now and time and now - time > within) then break end
    if one.senderRole ~= "conversation_user" then
      answers[one.conversationMessageId or ""] = one
    elseif one.message == text then
      return one, answers[one.id] or answers[one.conversationMessageId or one.id]
    end
  end
end

function conversation:find_answer(text, opts)
  options.argument(1, "find_answer", text, "string")
  opts = options.check("find_answer", opts, FIND)
  local from = task.now()
  local timeout = opts.timeout or SECONDS
  local after = opts.after and id_of(opts.after)
  local list, now, err = messages_of(self, opts, timeout)
  if not list then return list, now, err end
  local question, answer = find(list, text, after, opts.within or 900, now)
  if not question then return false end
  if answer then return answer end
  local left = timeout - (task.now() - from)
  return answer_to(self, "conversation:find_answer", question,
    options.with(opts, { timeout = left }))
end

-- ---- what is added to a conversation ----

local WATCH = { timeout = "number", every = "number", headers = "table", max_retries = "number",
  after = "string, userdata" }

-- A function that gives the next message that is new, waiting for it. New is what is not there yet
-- when it is first called, or what is behind the message `after`.
local function watcher(self, method, opts)
  local seen, after, waiting = nil, opts.after and id_of(opts.after), {}
  local function look(left)
    local list, message, err = messages_of(self, opts, left)
    if not list then return list, message, err end
    local first = not seen
    seen = seen or {}
    local is_new = not first
    for _, one in ipairs(list) do
      if not seen[one.id] and is_new then waiting[#waiting + 1] = one end
      seen[one.id] = true
      is_new = is_new or one.id == after
    end
    if #waiting == 0 then return false end
    return true
  end
  return function(seconds)
    if #waiting == 0 then
      local found, message, err = look_until(method, options.with(opts, { timeout = seconds }),
        look)
      if not found then return nil, message, err end
    end
    local one = waiting[1]
    table.remove(waiting, 1)
    return one
  end
end

function conversation:next_message(opts)
  opts = options.check("next_message", opts, WATCH)
  return watcher(self, "conversation:next_message", opts)(opts.timeout or SECONDS)
end

function conversation:watch(opts)
  opts = options.check("watch", opts, WATCH)
  local next_one = watcher(self, "conversation:watch", opts)
  local deadline = task.now() + (opts.timeout or huge)
  return function()
    local message, _, err = next_one(deadline - task.now())
    if err and err.kind ~= "timeout" then error(err, 0) end
    return message
  end
end

options.define("raia.conversation", conversation)
