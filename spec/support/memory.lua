-- What spec/c/failing_alloc.c runs: a scenario of which the n-th allocation fails, and then what
-- has to be so afterwards. Prints "done TAG" for each request that was said to be answered.
local n, name, kind, base_url, tag, secure_url, ca_file = ...
tag = ("%s-%d"):format(tag, n) -- in each request, unlike that of any other run

local OK, ERRMEM = 0, 4
local raia = name ~= "load" and require "raia"

local function new_client(options)
  local all = { base_url = base_url, secret_key = "k", timeout = 10, max_retries = 0 }
  for key, value in pairs(options or {}) do all[key] = value end
  return raia.client(all)
end

---- Showing results -------------------------------------------------------------------------

local function show(value)
  if type(value) == "userdata" then
    return value == raia.null and "null" or show(raia.totable(value))
  elseif type(value) ~= "table" then
    return tostring(value)
  end
  local keys, words = {}, {}
  for key in pairs(value) do keys[#keys + 1] = key end
  table.sort(keys, function(a, b) return tostring(a) < tostring(b) end)
  for i, key in ipairs(keys) do words[i] = ("%s=%s"):format(key, show(value[key])) end
  return "{" .. table.concat(words, " ") .. "}"
end

-- All results of a call as one text; of an error what does not depend on libcurl's words.
local function show_all(...)
  local all, err = table.pack(...), select(3, ...)
  if ... == nil and type(err) == "table" then
    return ("%s %s %s sent=%s %s: %s"):format(err.kind, err.status or err.field, err.code,
      err.sent, show(err.details),
      (err.message:gsub("(connection[%a ]*): [^;]+;", "%1;")))
  end
  for i = 1, all.n do all[i] = show(all[i]) end
  return table.concat(all, " ")
end

---- Scenarios -------------------------------------------------------------------------------

-- Each has run(client, tag) and what it gives; `requests`: what follows the tag in each of its
-- requests, `options`: of its client.
local one = { "" }

local function person(text)
  return { channel = "sms", firstName = "Ada", lastName = "Byron", phoneNumber = "+15551234567",
    smsIntroduction = text, customData = { list = { 1, 2.5, raia.null }, deep = { { { 1 } } } } }
end

local function send(client, text)
  local answer, message, err = client:conversation("c"):send(text)
  if not answer then return nil, message, err end
  return tostring(answer)
end

local function send_tasks(client, text)
  return raia.run(function()
    local task = raia.spawn(send, client, text .. "-a")
    local list, message, err = raia.map({ "-b", "-c", "-d" }, function(suffix)
      return send(client, text .. suffix)
    end, { concurrency = 2 })
    if not list then return nil, message, err end
    local both
    both, message, err = raia.gather { function() raia.sleep(0.001) return true end,
      function() return raia.timeout(5, send, client, text .. "-e") end }
    if not both then return nil, message, err end
    local answer
    answer, message, err = task:join()
    if not answer then return nil, message, err end
    return answer, list, both
  end)
end

-- Calls at once of a client that has no connection yet; they give what each has said.
local function send_at_once(client, text)
  local calls, answers = {}, {}
  for i, suffix in ipairs { "-a", "-b", "-c" } do
    calls[i] = client:conversation("c"):send(text .. suffix, { wait = false })
  end
  for i, call in ipairs(calls) do
    local answer, message, err = call:wait()
    if not answer then return nil, message, err end
    answers[i] = tostring(answer)
  end
  return answers
end

local events, held = {}, nil

local scenarios = {
  load = {
    run = function()
      raia = require "raia"
      return raia._VERSION ~= nil
    end,
    expect = "true",
  },
  client = {
    run = function()
      local client <close> = new_client { connect_timeout = 5, max_connections = 3,
        max_response_bytes = 1000, headers = { ["X-One"] = "1", ["X-Two"] = "" },
        user_agent = "me/1", proxy = "http://user:password@127.0.0.1:1", ca_file = ca_file,
        on_event = print, base_url = base_url .. "/prefix//" }
      return tostring(client)
    end,
    expect = "raia.client BASE/prefix",
  },
  start = {
    requests = one,
    run = function(client, text) return client.conversations:start(person(text)) end,
    expect = "{conversationId=TAG id=TAG}",
  },
  create = {
    requests = one,
    run = function(client, text)
      return client.conversations:create({ conversationUserId = text, title = "T" },
        { headers = { ["X-Call"] = "1", Accept = "*/*" }, timeout = 5, max_retries = 0 })
    end,
    expect = "{customData={a={1={1={1={b={1={1={}}}}}}}} id=TAG}",
  },
  get = {
    requests = one,
    run = function(client, text)
      local conversation, message, err = client.conversations:get(text)
      if not conversation then return nil, message, err end
      local again
      again, message, err = conversation:refresh()
      if not again then return nil, message, err end
      return conversation.id, tostring(conversation), again
    end,
    expect = "TAG raia.conversation TAG {id=TAG}",
  },
  messages = {
    requests = one,
    run = function(client, text) return client:conversation(text):messages() end,
    expect = "{1={id=m1 message=TAG} 2={id=m2}}",
  },
  send = {
    requests = one,
    run = function(client, text)
      return client:conversation("c"):send({ message = text }, { context = "some" })
    end,
    expect = "{id=m message=TAG}",
  },
  delete = {
    requests = one,
    run = function(client, text) return client.conversations:delete_all(text) end,
    expect = "true",
  },
  request = {
    requests = one,
    run = function(client, text)
      return client:request("PUT", "/echo", { body = { a = text }, query = { b = "x y", c = 1 } },
        { headers = { ["X-Call"] = "1" } })
    end,
    expect = "{body={a=TAG}}",
  },
  deep = { -- the stack has to grow, and cannot
    requests = one,
    run = function(client, text)
      local result, message, err = coroutine.wrap(function()
        return client:request("GET", "/deep/" .. text)
      end)()
      if not result then return nil, message, err end
      return coroutine.wrap(function()
        return client:request("PUT", "/echo", { body = result })
      end)()
    end,
    expect = "{body={deep=" .. ("{1="):rep(59) .. "{}" .. ("}"):rep(59) .. " tag=TAG}}",
  },
  page = {
    requests = one,
    run = function(client, text)
      local page, message, err = client.conversations:list({ userId = text, pageSize = 2 },
        { query = { a = { 1, 2 } } })
      if not page then return nil, message, err end
      local following
      following, message, err = page:next()
      if not following then return nil, message, err end
      return page.data[1].id, following.data[1].id, following:next() == nil
    end,
    expect = "TAG-1 TAG-2 true",
  },
  find = {
    requests = one,
    run = function(client, text)
      local user, ids, err = client.users:find_or_create { firstName = "A", lastName = "B",
        fkId = text }
      if not user then return nil, ids, err end
      return tostring(user), ids
    end,
    expect = "raia.user TAG {1=c-1}",
  },
  ask = {
    requests = one,
    run = function(client, text) return client:conversation("c"):ask(text, { every = 0.01 }) end,
    expect = "{id=TAG message=yes}",
  },
  upload = {
    requests = one,
    run = function(client, text)
      return client:conversation(text):upload { path = ca_file, name = "n" }
    end,
    expect = "{fileName=n storagePath=s}",
  },
  form = {
    requests = one,
    run = function(client, text)
      return client.files:upload({ path = ca_file, name = text }, { autoAddToVectorStore = true })
    end,
    expect = "{id=f}",
  },
  info = {
    requests = one,
    run = function(client, text)
      local request = client:conversation("c"):send(text, { wait = false })
      local answer, message, err = request:wait()
      if not answer then return nil, message, err end
      local info = request:info()
      return answer, info.status, info.attempts, info.headers["content-type"]
    end,
    expect = "{id=m message=TAG} 200 1 application/json",
  },
  http = {
    requests = one,
    run = function(client, text) return client:conversation("refused"):send(text) end,
    expect = "http 401 INVALID_CREDENTIALS sent=no {a={1={1=1}}}: conversation:send: HTTP 401 "
      .. "INVALID_CREDENTIALS; it was refused: check the secret key",
  },
  invalid = {
    run = function(client)
      return client.conversations:create { conversationUserId = "u",
        customData = { a = { 1, { b = 0 / 0 } } } }
    end,
    expect = "invalid customData.a[2].b nil sent=no nil: conversations:create: customData.a[2].b "
      .. "is NaN or infinite, which JSON cannot represent; nothing was sent",
  },
  refused = {
    options = { base_url = "http://127.0.0.1:1" },
    run = function(client, text) return client:conversation("c"):send(text) end,
    expect = "connection nil nil sent=no nil: conversation:send: no connection; nothing was sent: "
      .. "it can be tried again",
  },
  broken = {
    requests = one,
    run = function(client, text) return client:conversation("broken"):send(text) end,
    expect = "connection nil nil sent=maybe nil: conversation:send: the connection broke; it may "
      .. "have been carried out nevertheless: check before you try again",
  },
  decode = {
    requests = one,
    run = function(client, text) return client:conversation("text"):send(text) end,
    expect = "decode 200 nil sent=maybe nil: conversation:send: unexpected reply: "
      .. "expected a value at byte 1: no JSON; it may have "
      .. "been carried out nevertheless: check before you try again",
  },
  large = {
    requests = one,
    options = { max_response_bytes = 1000 },
    run = function(client, text) return client:conversation("large"):send(text) end,
    expect = "too_large nil nil sent=maybe nil: conversation:send: the reply is too large "
      .. "(max_response_bytes = 1000); it may have been carried out nevertheless: check before "
      .. "you try again",
  },
  again = {
    requests = one,
    options = { max_retries = 2 },
    run = function(client, text) return client:conversation("later"):send(text) end,
    expect = "{id=m message=TAG}", -- by the second delivery: the first is refused
  },
  tasks = {
    requests = { "-a", "-b", "-c", "-d", "-e" },
    run = send_tasks,
    expect = "TAG-a {1=TAG-b 2=TAG-c 3=TAG-d} {1=true 2=TAG-e}",
  },
  queue = {
    requests = { "-a", "-b", "-c", "-d", "-e" },
    options = { max_connections = 1 },
    run = send_tasks,
    expect = "TAG-a {1=TAG-b 2=TAG-c 3=TAG-d} {1=true 2=TAG-e}",
  },
  cold = { -- one makes a connection, and the others wait for what it speaks: HTTP/1.1
    requests = { "-a", "-b", "-c" },
    options = { base_url = secure_url, ca_file = ca_file },
    run = send_at_once,
    expect = "{1=TAG-a 2=TAG-b 3=TAG-c}",
  },
  kept = { -- there are bytes on it that nobody asked for: so another is made
    requests = one,
    run = function(client, text)
      local conversation, message, err = client.conversations:get "stray"
      if not conversation then return nil, message, err end
      return send(client, text)
    end,
    expect = "TAG",
  },
  held = { -- back by the 429 that another call got
    requests = one,
    run = function(_, text)
      local client <close> = new_client()
      local _, message, err = client:conversation("limited"):send(text)
      if not err or err.kind ~= "http" then return nil, message, err end
      return client:conversation("c"):send("unheard", { timeout = 0.5 })
    end,
    expect = "http 429 nil sent=no nil: conversation:send: HTTP 429; it was refused: the service "
      .. "wants fewer calls, try again later",
  },
  scope = { -- tasks end with their run, also when it fails
    run = function(client)
      held = "running"
      local good, message = pcall(raia.run, function()
        raia.spawn(function()
          send(client, "unheard")
          if held == "over" then held = "outlived" end
        end)
        raia.spawn(raia.sleep, 1000)
        raia.sleep(0.001)
        error "enough"
      end)
      return good, message:match "enough" or error(message, 0)
    end,
    rest = function() -- with no memory for a call, a request may still be answered
      held = "over"
      local patience = 100
      while raia.step() > 0 and patience > 0 do
        raia.step(0.1)
        patience = patience - 1
      end
      assert(held == "over", "a task has outlived its run")
    end,
    expect = "false enough",
  },
  spawn = {
    requests = { "-a", "-b" },
    run = function(client, text)
      held = nil
      held = {}
      held[1] = raia.spawn(send, client, text .. "-a")
      held[2] = raia.spawn(send, client, text .. "-b")
      while not held[1]:done() do raia.step(1) end
      local first, message, err = held[1]:join()
      if not first then return nil, message, err end
      local second
      second, message, err = held[2]:join()
      if not second then return nil, message, err end
      return first, second
    end,
    rest = function() -- a task that was spawned comes to its end
      for _, task in ipairs(held or {}) do
        local good, message = pcall(task.join, task)
        if not good and not message:find "memory" then error(message, 0) end
      end
    end,
    expect = "TAG-a TAG-b",
  },
  spare = {
    requests = { "-a" },
    run = function(client, text)
      local conversation = client:conversation("c")
      local a = conversation:send(text .. "-a", { wait = false })
      local b = conversation:send(text .. "-b", { wait = false })
      local c = client.conversations:get("c", { wait = false })
      if not b:cancel() then return b:wait() end
      if not c:cancel() then return c:wait() end
      local answer, message, err = conversation:messages({ wait = false }):wait(0)
      if err then return answer, message, err end
      answer, message, err = a:wait()
      if not answer then return nil, message, err end
      return tostring(answer), select(3, c:result()).kind, tostring(b)
    end,
    expect = "TAG-a cancelled raia.request POST "
      .. "/external/conversations/c/messages (done)",
  },
  log = {
    requests = one,
    options = { on_event = function(event) events[#events + 1] = event.status end },
    run = function(client, text)
      events = {}
      local answer, message, err = send(client, text)
      if not answer then return nil, message, err end
      return answer, events[1]
    end,
    expect = "TAG 200",
  },
  event = {
    requests = one,
    options = { on_event = function(event) events[#events + 1] = event.status end },
    run = function(client, text)
      events, held = {}, nil
      held = client:conversation("c"):send(text, { wait = false })
      local answer, message, err = held:wait()
      if not answer then return nil, message, err end
      return tostring(answer)
    end,
    rest = function() -- of an attempt that was answered there is one event, even if late
      local good, answer = pcall(function() return held and held:wait() end)
      if good and answer then assert(#events == 1 and events[1] == 200, #events .. " events") end
    end,
    expect = "TAG",
  },
  close = {
    run = function()
      local client = new_client()
      local request = client:conversation("c"):send("unheard", { wait = false })
      client:close()
      collectgarbage()
      local _, _, err = client.conversations:get("x")
      if err.kind ~= "closed" then return "not closed" end
      return request:wait()
    end,
    expect = "closed nil nil sent=no nil: conversation:send: the client is closed; nothing was "
      .. "sent",
  },
  collect = {
    run = function(client)
      for _ = 1, 3 do
        client:conversation("c"):send("unheard", { wait = false }):done()
        new_client().conversations:get("c", { wait = false })
        collectgarbage()
      end
      return true
    end,
    expect = "true",
  },
  leave = { -- it is the end of the state in which they fail
    run = function(client)
      client:conversation("c"):send("unheard", { wait = false }):done()
      Held = { client.conversations:get("c", { wait = false }), new_client() } -- luacheck: ignore
      raia.spawn(raia.sleep, 1000)
      raia.step()
      return true
    end,
    expect = "true",
  },
}

---- One run ---------------------------------------------------------------------------------

local scenario = assert(scenarios[name], name)
local has_client = name ~= "load" and name ~= "client"
local client = has_client and new_client(scenario.options)

local function check(what, text, ...)
  local given = show_all(...)
  local expected = scenario.expect:gsub("TAG", (text:gsub("%%", "%%%%"))):gsub("BASE", base_url)
  if given ~= expected then
    error(("%s\n  gave     %s\n  expected %s"):format(what, given, expected), 0)
  end
  for _, suffix in ipairs(scenario.requests or {}) do print("done " .. text .. suffix) end
end

-- What may come of a run in which an allocation failed: an error that says so; where it was
-- libcurl's, what libcurl took it for; or what comes of it without.
local function judge(text, status, ...)
  local result, _, err = ...
  if status ~= OK then
    local message = tostring(result)
    local memory = status == ERRMEM or message:find "not enough memory"
      or message:find "no memory" or message:find "stack overflow" -- it could not grow
    if not memory then error("it raised " .. message, 0) end
  elseif kind == "curl" and result == nil and type(err) == "table" and (err.kind == "connection"
      or err.kind == "tls" and err.sent == "no"
      or err.kind == "too_large" and err.sent == "maybe" and err.message:find "or memory") then
    return
  else
    check("with an allocation that failed, it", text, ...)
  end
end

-- The same again, and a call of the same client, now that there is memory.
local function after(text)
  if scenario.rest then scenario.rest() end
  collectgarbage()
  collectgarbage()
  check("afterwards, it", text, scenario.run(client, text))
  client = has_client and not scenario.options and client or new_client()
  assert(raia.run(send, client, text .. "-good") == text .. "-good")
  print("done " .. text .. "-good")
  client = nil
  collectgarbage()
  collectgarbage()
  local in_flight, patience = raia.step(), 100
  while in_flight > 0 and patience > 0 do -- of a run that had no memory even to end
    in_flight, patience = raia.step(0.1), patience - 1
  end
  assert(in_flight == 0, in_flight .. " requests are still in flight")
end

if name == "leave" then
  check("it", tag, scenario.run(client, tag))
  return true
end
local results = table.pack(fault(n, scenario.run, client, tag)) -- luacheck: globals fault
if results[1] > 0 then
  judge(tag, table.unpack(results, 2, results.n))
elseif results[2] ~= OK then
  error(results[3], 0)
else
  check("it", tag, table.unpack(results, 3, results.n))
end
after(tag .. "-after")
