-- What tests of programs ask of a sandbox: failures, answers, what came, what went out, a person
-- who writes.
local raia = require "raia"
local fails = require "spec.support.failure"
local certificates = require "spec.support.certificates"
local sandbox = require "raia.sandbox"

for _, tls in ipairs { false, true } do
  describe("a sandbox for tests" .. (tls and " over HTTP/2" or ""), function()
    local made, box, client, conversation

    setup(function()
      made = tls and certificates() or nil
      box = assert(sandbox.start { tls_cert = made and made.good.cert,
        tls_key = made and made.good.key })
    end)
    teardown(function()
      box:close()
      if made then made.remove() end
    end)

    before_each(function()
      client = raia.client { base_url = box.base_url, secret_key = box.secret_key,
        ca_file = made and made.ca }
      conversation = assert(client.conversations:start { channel = "sms", firstName = "Ada",
        lastName = "Byron", phoneNumber = "+15551234567", smsIntroduction = "Hi Ada" })
    end)
    after_each(function()
      client:close()
      box:reset()
    end)

    local function said()
      local texts = {}
      for i, message in ipairs(assert(conversation:messages())) do texts[i] = message.message end
      return texts
    end

    it("fails as often as it is told, and where", function()
      box:fail { status = 429, times = 2, retry_after = 1, path = "/messages" }
      local from = raia.now()
      assert.equal("You said: Hello", tostring(assert(conversation:send "Hello")))
      assert.is_true(raia.now() - from >= 2)
      box:fail { status = 500, method = "POST", body = '{"message":"oh"}' }
      assert(conversation:messages())
      local err = fails("http", conversation:send "Hello")
      assert.equal(500, err.status)
      assert.matches("oh", err.message)
      assert.equal("maybe", err.sent)
      assert(conversation:send "Hello")
    end)

    it("breaks connections before and after a call is carried out", function()
      for when, text in pairs { before = false, after = "You said: after" } do
        box:fail { drop = when, path = "/messages" }
        local err = fails("connection", conversation:send(when))
        assert.equal("maybe", err.sent)
        local found = conversation:find_answer(when)
        assert.equal(text, found and tostring(found))
      end
    end)

    it("takes its time", function()
      box:fail { delay = 5, path = "/messages" }
      fails("timeout", conversation:send("Hello", { timeout = 0.3 }))
    end)

    it("says what a test has given it, then answers as usual", function()
      box:answers { "first", "second" }
      assert.equal("first", tostring(conversation:send "a"))
      assert.equal("second", tostring(conversation:ask("b", { every = 0.05 })))
      assert.equal("You said: c", tostring(conversation:send "c"))
      local other <close> = assert(sandbox.start { answers = { "at once" } })
      local one <close> = raia.client { base_url = other.base_url, secret_key = other.secret_key }
      assert.equal("at once", assert(one.prompts:ask "?").response)
    end)

    it("tells what came and what went out", function()
      assert(conversation:send "Hello")
      local requests = box:requests()
      assert.equal(2, #requests)
      assert.equal("POST", requests[2].method)
      assert.equal("/external/conversations/" .. conversation.id .. "/messages", requests[2].path)
      assert.equal('{"message":"Hello"}', requests[2].body)
      assert.same({ { channel = "sms", to = "+15551234567", text = "Hi Ada",
        conversationId = conversation.id } }, box:outbox())
      box:reset()
      assert.same({}, box:requests())
      assert.same({}, box:outbox())
      assert.equal(404, fails("http", conversation:messages()).status)
    end)

    it("has a person write, whom the agent answers unless a person has taken over", function()
      box:answers { "I see" }
      local watching = raia.run(function()
        local task = raia.spawn(conversation.next_message, conversation, { every = 0.05 })
        raia.sleep(0.3)
        box:receive { conversationId = conversation.id, message = "Yes", source = "sms" }
        return task:join()
      end)
      assert.equal("Yes", tostring(watching))
      assert.equal("sms", watching.source)
      local deadline = raia.now() + 10
      while #said() < 3 and raia.now() < deadline do raia.sleep(0.05) end
      assert.same({ "Hi Ada", "Yes", "I see" }, said())
      assert(conversation:set_mode "manual")
      box:receive { conversationId = conversation.id, message = "And?" }
      raia.sleep(0.2)
      assert.same({ "Hi Ada", "Yes", "I see", "And?" }, said())
    end)

    it("raises what a test asks wrongly", function()
      assert.error_matches(function() box:fail { drop = "now" } end,
        "sandbox:fail: .*before, after")
      assert.error_matches(function() box:receive { conversationId = "no", message = "x" } end,
        "sandbox:receive: .*404")
      assert.error_matches(function() box:answers "one" end, "sandbox:answers: .*must be an array")
    end)

    it("keeps that from those who have only the agent's key", function()
      assert.equal(404, fails("http", client:request("POST", "/sandbox/reset",
        { body = {} })).status)
      assert(conversation:messages())
    end)
  end)
end

it("an agent may fail", function()
  local path = os.tmpname()
  local file = assert(io.open(path, "w"))
  file:write [[local count = 0
    return function(text)
      count = count + 1
      if count == 1 then return nil, { status = 429, retry_after = 1 } end
      if text == "no" then return nil, { message = "out of tokens" } end
      return "fine"
    end]]
  file:close()
  local box <close> = assert(sandbox.start { agent = path })
  os.remove(path)
  local client <close> = raia.client { base_url = box.base_url, secret_key = box.secret_key }
  assert.equal("fine", assert(client.prompts:ask "?").response)
  local err = fails("http", client.prompts:ask "no")
  assert.equal(500, err.status)
  local id = assert(client.prompts:ask_async "no")
  local reply, _, failure = client.prompts:answer_to(id)
  while reply == false do
    raia.sleep(0.05)
    reply, _, failure = client.prompts:answer_to(id)
  end
  assert.equal("failed", failure.kind)
  assert.matches("out of tokens", failure.message)
end)
