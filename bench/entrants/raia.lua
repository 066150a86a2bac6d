-- raia.lua SCENARIO URL COUNT [MOST IN FLIGHT] prints what came back, as a number to compare.
local raia = require "raia"

local scenario, url, count = arg[1], arg[2], assert(math.tointeger(tonumber(arg[3])))
local most = math.max(tonumber(arg[4]) or count, 1)
local text = ("ask "):rep(34)
local in_background = { wait = false }

local function new_client(options)
  options = options or {}
  options.base_url, options.secret_key, options.ca_file = url, "secret", os.getenv "BENCH_CA"
  return raia.client(options)
end

-- Sends one after the other.
local function serially(client, argument, options)
  local conversation, check = client:conversation "c-1", 0
  for _ = 1, count do
    check = check + #assert(conversation:send(argument, options)).message
  end
  return check
end

-- Over HTTP/2 the connections of a new client are enough.
local function client_for_many()
  return new_client { max_connections = not url:match "^https" and most or nil }
end

local function at_once()
  local conversation = client_for_many():conversation "c-1"
  local requests, check = {}, 0
  for i = 1, count do requests[i] = conversation:send(text, in_background) end
  for i = 1, count do
    check = check + #assert(requests[i]:wait()).message
    requests[i] = nil
  end
  return check
end

local function with_tasks()
  local conversation = client_for_many():conversation "c-1"
  local list, check = {}, 0
  for i = 1, count do list[i] = i end
  local function ask() return #assert(conversation:send(text)).message end
  for _, length in ipairs(assert(raia.map(list, ask, { concurrency = most }))) do
    check = check + length
  end
  return check
end

local function history(client, ask)
  local conversation, check = client:conversation "c-1", 0
  for _ = 1, count do
    local messages = assert(ask(conversation))
    check = check + #messages + #messages[#messages].message
  end
  return check
end

-- Makes what is to be counted, and holds it to the end.
local function hold(make)
  local held = {}
  for i = 1, count do held[i] = make(i) end
  return #held
end

local scenarios = {
  send = function() return serially(new_client(), text) end,
  flight = at_once,
  history = function()
    return history(new_client(), function(conversation) return conversation:messages() end)
  end,

  -- The same by other means.
  send_table = function() return serially(new_client(), { message = text }) end,
  send_options = function()
    return serially(new_client(), text, { timeout = 20, max_retries = 1 })
  end,
  send_header = function()
    return serially(new_client(), text, { headers = { ["X-A"] = "b" } })
  end,
  send_event = function() return serially(new_client { on_event = function() end }, text) end,
  send_background = function()
    local conversation, check = new_client():conversation "c-1", 0
    for _ = 1, count do
      check = check + #assert(conversation:send(text, in_background):wait()).message
    end
    return check
  end,
  send_task = function()
    return raia.run(function() return serially(new_client(), text) end)
  end,
  send_timeout = function()
    return raia.run(function()
      local conversation, check = new_client():conversation "c-1", 0
      local function ask() return conversation:send(text) end
      for _ = 1, count do check = check + #assert(raia.timeout(60, ask)).message end
      return check
    end)
  end,
  send_cqueues = function()
    local check
    raia.use "cqueues"
    local controller = require "cqueues".new()
    controller:wrap(function() check = serially(new_client(), text) end)
    assert(controller:loop())
    return check
  end,
  send_luv = function()
    local check
    raia.use "luv"
    raia.spawn(function() check = serially(new_client(), text) end)
    require "luv".run()
    return check
  end,
  large = function()
    local client, body, check = new_client(), {}, 0
    for i = 1, 1000 do body[i] = "value " .. i end
    for _ = 1, count do
      check = check + #assert(client:request("POST", "/external/conversations/c-1/messages",
        { body = body })).message
    end
    return check
  end,
  flight_map = with_tasks,
  flight_cqueues = function()
    raia.use "cqueues"
    local conversation, check = client_for_many():conversation "c-1", 0
    local controller = require "cqueues".new()
    for _ = 1, count do
      controller:wrap(function()
        local answer = assert(conversation:send(text))
        check = check + #answer.message
      end)
    end
    assert(controller:loop())
    return check
  end,
  flight_luv = function()
    raia.use "luv"
    local conversation, check = client_for_many():conversation "c-1", 0
    for _ = 1, count do
      raia.spawn(function()
        local answer = assert(conversation:send(text))
        check = check + #answer.message
      end)
    end
    require "luv".run()
    return check
  end,
  history_plain = function()
    local client = new_client()
    return history(client, function()
      return assert(client:request("GET", "/external/conversations/c-1/messages")).messages
    end)
  end,
  history_read = function() -- every text is looked at
    local check = 0
    local function ask(conversation)
      local messages, length = assert(conversation:messages()), 0
      for _, message in ipairs(messages) do length = length + #message.message end
      check = check + length // #messages - #messages[#messages].message
      return messages
    end
    return history(new_client(), ask) + check
  end,
  spawn = function() -- and join, of nothing
    local function nothing() end
    return raia.run(function()
      for _ = 1, count do raia.spawn(nothing):join() end
      return count
    end)
  end,
  sleepers = function() -- tasks that sleep a second
    return raia.run(function()
      for _ = 1, count do raia.spawn(raia.sleep, 1) end
      return count
    end)
  end,
  sleep = function() -- a second each, with nothing in flight but a connection open
    local conversation = new_client():conversation "c-1"
    local check = #assert(conversation:send(text)).message
    raia.sleep(count)
    return check
  end,

  -- What is held.
  clients = function() return hold(function() return new_client() end) end,
  conversations = function()
    local client = new_client()
    return hold(function(i) return client:conversation("c-" .. i) end)
  end,
  messages = function()
    local conversation = new_client():conversation "c-1"
    return hold(function() return assert(conversation:send(text)) end)
  end,
  requests = function()
    local conversation = new_client { max_connections = 1 }:conversation "c-1"
    return hold(function() return conversation:send(text, in_background) end)
  end,
}

print(assert(scenarios[scenario], "no such scenario")())
