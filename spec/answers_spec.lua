-- Answers that come later: ask, find_answer, next_message, watch; against a service that dies at
-- every moment of them.
local raia = require "raia"
local fails = require "spec.support.failure"
local server = require "spec.support.server"
local connect = require "spec.support.client" ()

local SOON = 0.02 -- seconds between two looks
local QUESTION = '{"id":"q-1","message":"Why?","senderRole":"conversation_user",'
  .. '"conversationMessageId":"q-1"}'
local ANSWER = '{"id":"a-1","message":"Because.","senderRole":"assistant",'
  .. '"conversationMessageId":"q-1"}'

-- A service whose agent has answered at the third look. What `dies` says happens instead of the
-- answer to request number `turn`. It knows the question once it has read it.
local function service(turn, dies, headers)
  return server.start(([[
    local connection = ...
    local QUESTION, ANSWER, HEADERS = %q, %q, %s
    local function serve(request)
      if request.method == "POST" then
        asked = true
        return 201, QUESTION
      elseif request.path:find "response%%-on$" then
        looks = (looks or 0) + 1
        if looks < 3 then return 200, '{"status":"pending"}' end
        answered = true
        return 200, '{"status":"completed","message":' .. ANSWER .. '}'
      elseif request.path:find "messages$" then
        return 200, '{"messages":[' .. (asked and QUESTION or "")
          .. (answered and "," .. ANSWER or "") .. "]}"
      end
      return 404, "{}"
    end
    while true do
      turn = (turn or 0) + 1
      if turn == %d then
        %s
        return
      end
      local request = connection:request()
      if not request then
        turn = turn - 1
        return
      end
      local status, body = serve(request)
      connection:reply(status, body, HEADERS)
    end]]):format(QUESTION, ANSWER, headers or "nil", turn, dies or ""))
end

local function posts_of(peer)
  local count = 0
  for _, request in ipairs(peer:requests()) do
    if request.method == "POST" then count = count + 1 end
  end
  return count
end

-- Runs in a plain script, or in a task.
local ways = {
  ["in a plain script"] = function(fn, ...) return fn(...) end,
  ["in a task"] = raia.run,
}

local moments = {
  { "with nothing read but a byte", "connection:read(1)" },
  { "with the head read", "connection:head()" },
  { "with half of the body read", "connection:head() connection:read(9)", post = true },
  { "with all of it read", "serve(connection:request())", taken = true },
  { "in the midst of the status line", "serve(connection:request()) connection:send 'HTTP/1.1 2'",
    taken = true },
  { "after the head of the reply", [[serve(connection:request())
      connection:send "HTTP/1.1 200 OK\r\nContent-Length: 90\r\n\r\n"]], taken = true },
  { "in the midst of the reply", [[serve(connection:request())
      connection:send "HTTP/1.1 200 OK\r\nContent-Length: 90\r\n\r\n{\"status\":\"comp"]],
    taken = true },
}
local endings = { closes = "connection:close()", resets = "connection:reset()" }

for way, run in pairs(ways) do
  describe("ask " .. way, function()
    it("sends one message and gives its answer", function()
      local peer <close> = service(0)
      local client <close> = connect(peer)
      local answer = assert(run(function()
        return client:conversation "c-1":ask("Why?", { every = SOON, context = "c" })
      end))
      assert.equal("Because.", tostring(answer))
      local requests = peer:requests()
      assert.same({ message = "Why?", context = "c" },
        require "cjson".decode(requests[1].body))
      assert.equal(4, #requests)
      assert.matches("/c%-1/messages/q%-1/response%-on$", requests[2].path)
    end)

    for ending, die in pairs(endings) do
      for _, moment in ipairs(moments) do
        it(("sends it once when the service %s %s"):format(ending, moment[1]), function()
          local peer <close> = service(1, moment[2] .. " " .. die)
          local client <close> = connect(peer)
          run(function()
            local conversation = client:conversation "c-1"
            local answer, message, err = conversation:ask("Why?", { every = SOON })
            fails("connection", answer, message, err)
            assert.equal("maybe", err.sent)
            assert.is_nil(err.question)
            local found = conversation:find_answer("Why?", { every = SOON })
            if moment.taken then
              assert.equal("Because.", tostring(found))
            else
              assert.is_false(found)
            end
          end)
          assert.is_true(posts_of(peer) <= 1)
        end)

        for turn = 2, moment.post and 1 or 4 do
          it(("loses nothing when it %s %s, at look %d"):format(ending, moment[1], turn - 1),
            function()
              local peer <close> = service(turn, moment[2] .. " " .. die)
              local client <close> = connect(peer, { max_retries = 0 })
              local answer = assert(run(function()
                return client:conversation "c-1":ask("Why?", { every = SOON })
              end))
              assert.equal("Because.", tostring(answer))
              assert.equal(1, posts_of(peer))
            end)
        end
      end
    end

    it("ends when its time is up, and says for which question", function()
      local peer <close> = service(0)
      local client <close> = connect(peer)
      run(function()
        local conversation = client:conversation "c-1"
        local err = fails("timeout", conversation:ask("Why?", { every = 5, timeout = 1 }))
        assert.equal("Why?", tostring(err.question))
        assert.is_false(conversation:answer_to(err.question))
        assert.equal("Because.", tostring(assert(conversation:answer_to(err.question))))
      end)
      assert.equal(1, posts_of(peer))
    end)

    it("tells that the agent failed", function()
      local peer <close> = server.start(([[
        local connection = ...
        local request = connection:request()
        while request do
          connection:reply(200, request.method == "POST" and %q
            or '{"status":"failed","error":"no model"}')
          request = connection:request()
        end]]):format(QUESTION))
      local client <close> = connect(peer)
      local err = fails("failed", run(function()
        return client:conversation "c-1":ask "Why?"
      end))
      assert.matches("could not answer: no model; the question was received$", err.message)
      assert.equal("q-1", err.question.id)
      assert.is_false(err.retryable)
    end)

    it("gives up at an error that will not pass", function()
      local peer <close> = service(2, "connection:request() connection:reply(403, '{}')")
      local client <close> = connect(peer)
      local err = fails("http", run(function()
        return client:conversation "c-1":ask "Why?"
      end))
      assert.equal(403, err.status)
      assert.equal("q-1", err.question.id)
    end)
  end)
end

describe("ask", function()
  it("ends with its task, and with a deadline around it", function()
    local peer <close> = service(0)
    local client <close> = connect(peer)
    raia.run(function()
      local conversation = client:conversation "c-1"
      local err = fails("timeout", raia.timeout(0.3, function()
        return conversation:ask("Why?", { every = 60 })
      end))
      assert.is_nil(err.question)
      local task = raia.spawn(function() return conversation:ask("Why?", { every = 60 }) end)
      raia.sleep(0.2)
      task:cancel()
      fails("cancelled", task:join())
    end)
  end)

  it("refuses options that it does not know, or of another type", function()
    local client <close> = connect("http://127.0.0.1:1")
    local conversation = client:conversation "c-1"
    for method in pairs { ask = 1, find_answer = 1, next_message = 1, watch = 1 } do
      local function call(options)
        return function()
          if method:find "_m" or method == "watch" then
            return conversation[method](conversation, options)
          end
          return conversation[method](conversation, "Why?", options)
        end
      end
      assert.error_matches(call { wait = false }, "'" .. method .. "'.*unknown option 'wait'")
      assert.error_matches(call { timeout = "1" }, "'timeout' must be a number, not string")
      assert.error_matches(call { timeout = 0 }, "'timeout' must be positive")
      assert.error_matches(call(5), "table expected, got number")
    end
    assert.error_matches(function() conversation:find_answer {} end, "string expected")
  end)
end)

describe("find_answer", function()
  -- A conversation with these messages: { id, role, text, seconds ago, the question's id }.
  local function holds(messages, at)
    at = at or 1795723200 -- 2026-11-26T20:00:00Z
    local parts = {}
    for i, one in ipairs(messages) do
      parts[i] = ('{"id":"%s","senderRole":"%s","message":"%s","createdAt":"%s.000Z"%s}'):format(
        one[1], one[2] == "user" and "conversation_user" or "assistant", one[3],
        os.date("!%Y-%m-%dT%H:%M:%S", at - one[4]),
        one[5] and (',"conversationMessageId":"%s"'):format(one[5]) or "")
    end
    return server.start(([[
      local connection = ...
      local request = connection:request()
      while request do
        if request.path:find "response" then
          connection:reply(200, '{"status":"completed","message":{"id":"late","message":"Late"}}')
        else
          connection:reply(200, %q, { Date = %q })
        end
        request = connection:request()
      end]]):format('{"messages":[' .. table.concat(parts, ",") .. "]}",
      os.date("!%a, %d %b %Y %H:%M:%S GMT", at)))
  end

  local function finds(expected, messages, options, at)
    local peer <close> = holds(messages, at)
    local client <close> = connect(peer)
    local answer = client:conversation "c-1":find_answer("Why?", options)
    assert.equal(expected, answer and tostring(answer))
  end

  it("gives the answer to the newest question with that text", function()
    finds("New", { { "1", "user", "Why?", 100 }, { "2", "agent", "Old", 90, "1" },
      { "3", "user", "Why?", 50 }, { "4", "agent", "New", 40, "3" } })
    finds("New", { { "4", "agent", "New", 40, "3" }, { "3", "user", "Why?", 50 },
      { "2", "agent", "Old", 90, "1" }, { "1", "user", "Why?", 100 } })
  end)

  it("waits for an answer that is not there yet", function()
    finds("Late", { { "1", "user", "Why?", 100 }, { "2", "agent", "Old", 90, "1" },
      { "3", "user", "Why?", 5 } })
  end)

  it("is false when the question is not there, or is an older one", function()
    finds(false, {})
    finds(false, { { "1", "user", "Who?", 5 }, { "2", "agent", "Why?", 3, "1" } })
    finds(false, { { "1", "user", "Why?", 1000 }, { "2", "agent", "Old", 990, "1" } })
    finds("Old", { { "1", "user", "Why?", 1000 }, { "2", "agent", "Old", 990, "1" } },
      { within = 2000 })
    local two = { { "1", "user", "Why?", 50 }, { "2", "agent", "Old", 40, "1" } }
    finds(false, two, { after = "2" })
    finds(false, two, { after = "1" })
    finds("Old", { { "0", "user", "Hello", 60 }, table.unpack(two) }, { after = "0" })
  end)

  it("counts time over the ends of months and years", function()
    for _, day in ipairs { { 2027, 1, 1 }, { 2028, 3, 1 }, { 2026, 12, 1 }, { 2100, 3, 1 } } do
      local at = os.time { year = day[1], month = day[2], day = day[3], hour = 0, min = 5 }
      finds("Yes", { { "1", "user", "Why?", 600 }, { "2", "agent", "Yes", 590, "1" } }, nil, at)
      finds(false, { { "1", "user", "Why?", 901 }, { "2", "agent", "Yes", 590, "1" } }, nil, at)
    end
  end)
end)

describe("messages that are added", function()
  -- A service with a message more at each look, up to `most`.
  local function growing(most)
    return server.start(([[
      local connection = ...
      while connection:request() do
        count = math.min((count or 0) + 1, %d)
        local parts = {}
        for i = 1, count do
          parts[i] = ('{"id":"m-%%d","message":"text %%d"}'):format(i, i)
        end
        connection:reply(200, '{"messages":[' .. table.concat(parts, ",") .. "]}")
      end]]):format(most))
  end

  for way, run in pairs(ways) do
    it("are waited for by next_message, " .. way, function()
      local peer <close> = growing(5)
      local client <close> = connect(peer)
      run(function()
        local conversation = client:conversation "c-1"
        local first = assert(conversation:next_message { every = SOON })
        assert.equal("text 2", tostring(first))
        assert.equal("text 3", tostring(conversation:next_message { after = first, every = SOON }))
        assert.equal("text 3", tostring(conversation:next_message { after = "m-2" }))
      end)
    end)

    it("are gone through by watch, each once, " .. way, function()
      local peer <close> = growing(4)
      local client <close> = connect(peer)
      run(function()
        local texts = {}
        for message in client:conversation "c-1":watch { every = SOON, timeout = 1 } do
          texts[#texts + 1] = tostring(message)
        end
        assert.same({ "text 2", "text 3", "text 4" }, texts)
      end)
    end)
  end

  it("end with a timeout, or the error that will not pass", function()
    local peer <close> = growing(1)
    local client <close> = connect(peer)
    fails("timeout", client:conversation "c-1":next_message { every = SOON, timeout = 0.2 })
    local refusing <close> = server.start [[
      local connection = ...
      while connection:request() do connection:reply(403, "{}") end]]
    local other <close> = connect(refusing)
    local conversation = other:conversation "c-1"
    assert.equal(403, fails("http", conversation:next_message()).status)
    local ok, err = pcall(conversation:watch())
    assert.is_false(ok)
    assert.equal(403, err.status)
  end)
end)
