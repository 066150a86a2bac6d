-- Request bodies: what the API cannot accept is refused before anything is sent.
local cjson = require("cjson").new()
local raia = require "raia"
local server = require "spec.support.server"
local connect = require "spec.support.client" ()

local EMOJI = "😀"

local starts = {
  email = { channel = "email", firstName = "Ada", lastName = "Byron", email = "ada@example.com",
    emailSubject = "Your order", emailIntroduction = "Dear Ada" },
  sms = { channel = "sms", firstName = "Ada", lastName = "Byron", phoneNumber = "+15551234567",
    smsIntroduction = "Hi Ada" },
  voice = { channel = "voice", firstName = "Ada", lastName = "Byron",
    phoneNumber = "+15551234567", firstMessage = "Good morning" },
}
local CREATE = { conversationUserId = "user-7" }

local REMOVED = {}

local function with(fields, changes)
  local result = {}
  for name, value in pairs(fields) do result[name] = value end
  for name, value in pairs(changes) do
    if value == REMOVED then result[name] = nil else result[name] = value end
  end
  return result
end

local strings = { "firstName", "lastName", "email", "emailSubject", "emailIntroduction",
  "phoneNumber", "smsIntroduction", "firstMessage", "context", "conversationContext", "source",
  "fkId", "fkUserId" }
local booleans = { "resetConversation", "includeSignatureInEmail", "includeSignatureInSms" }
local required = {
  email = { "channel", "firstName", "lastName", "email", "emailSubject", "emailIntroduction" },
  sms = { "channel", "firstName", "lastName", "phoneNumber", "smsIntroduction" },
  voice = { "channel", "firstName", "lastName", "phoneNumber", "firstMessage" },
}

describe("a body is checked:", function()
  local peer, client, conversation

  setup(function()
    peer = server.start [[
      local connection = ...
      local request = connection:request()
      while request do
        local started = request.path == "/external/conversations/start"
        connection:reply(201, started and '{"conversationId":"c-1"}' or '{"id":"c-1"}')
        request = connection:request()
      end]]
    client = connect(peer)
    conversation = client:conversation("c-1")
  end)

  teardown(function()
    client:close()
    peer:close()
  end)

  local calls = {
    start = function(fields) return client.conversations:start(fields) end,
    create = function(fields) return client.conversations:create(fields) end,
    delete_all = function(user) return client.conversations:delete_all(user) end,
    send = function(fields) return conversation:send(fields) end,
  }

  -- That the call fails as invalid, names the field, and sends nothing.
  local function refuses(field, call, ...)
    local before = #peer:requests()
    local result, message, err = call(...)
    assert.is_nil(result)
    assert.equal("invalid", err.kind)
    assert.equal(field, err.field)
    assert.is_truthy(message:find(field, 1, true), message)
    assert.equal("no", err.sent)
    assert.equal(0, err.attempts)
    assert.is_false(err.retryable)
    assert.is_nil(err.status)
    assert.equal(before, #peer:requests())
  end

  it("a name that is a field's but for case and underscores is no field", function()
    for wrong, right in pairs { custom_data = "customData", Title = "title",
      conversation_user_id = "conversationUserId", CONTEXT = "context" } do
      local fields = { conversationUserId = "u", [wrong] = "x" }
      refuses(wrong, calls.create, fields)
      local _, message = calls.create(fields)
      assert.is_truthy(message:find("did you mean '" .. right .. "'?", 1, true), message)
    end
    assert(calls.create { conversationUserId = "u", titles = "x", custom = 1, _ = 2 })
  end)

  -- That the body goes out as it is.
  local function takes(call, fields)
    local before = #peer:requests()
    assert(call(fields))
    local requests = peer:requests()
    assert.equal(before + 1, #requests)
    assert.same(fields, cjson.decode(requests[before + 1].body))
  end

  for channel, names in pairs(required) do
    for _, name in ipairs(names) do
      it(("start by %s needs %s"):format(channel, name), function()
        refuses(name, calls.start, with(starts[channel], { [name] = REMOVED }))
        refuses(name, calls.start, with(starts[channel], { [name] = raia.null }))
      end)
    end
  end

  for call, name in pairs { create = "conversationUserId", send = "message" } do
    it(call .. " needs " .. name, function()
      refuses(name, calls[call], {})
      refuses(name, calls[call], { other = "x" })
      refuses(name, calls[call], { [name] = raia.null })
    end)
  end

  for channel, fields in pairs(starts) do
    it(("start by %s needs nothing else"):format(channel), function()
      takes(calls.start, fields)
    end)

    for _, name in ipairs(strings) do
      it(("start by %s wants a string as %s"):format(channel, name), function()
        for _, value in ipairs { 5, 5.5, true, { "text" }, {}, raia.null, print } do
          refuses(name, calls.start, with(fields, { [name] = value }))
        end
      end)
    end

    for _, name in ipairs(booleans) do
      if channel ~= "voice" or name ~= "resetConversation" then
        it(("start by %s wants a boolean as %s"):format(channel, name), function()
          for _, value in ipairs { "true", 1, 0, {}, raia.null } do
            refuses(name, calls.start, with(fields, { [name] = value }))
          end
          takes(calls.start, with(fields, { [name] = true }))
          takes(calls.start, with(fields, { [name] = false }))
        end)
      end
    end

    it(("start by %s wants an object as customData"):format(channel), function()
      for _, value in ipairs { "text", 5, true, { "array" }, raia.null } do
        refuses("customData", calls.start, with(fields, { customData = value }))
      end
      takes(calls.start, with(fields, { customData = { a = { b = 1 } } }))
      takes(calls.start, with(fields, { customData = {} }))
    end)
  end

  it("a voice call takes no resetConversation", function()
    for _, value in ipairs { true, "true", raia.null } do
      refuses("resetConversation", calls.start,
        with(starts.voice, { resetConversation = value }))
    end
    takes(calls.start, with(starts.voice, { resetConversation = false }))
  end)

  it("channel is email, sms or voice, and the message says so", function()
    for _, fields in pairs(starts) do
      for _, value in ipairs { "fax", "Email", "SMS", "", "email ", "email\0", "live_chat", 5,
        true, {} } do
        refuses("channel", calls.start, with(fields, { channel = value }))
      end
    end
    local _, message = calls.start(with(starts.sms, { channel = "fax" }))
    for channel in pairs(starts) do assert.is_truthy(message:find(channel, 1, true), message) end
  end)

  it("a phone number is E.164 with a leading +", function()
    for _, number in ipairs { "1234567890", "", "+", "+0123456789", "+1 555 123 4567",
      "+1-555-123-4567", "+1555123456a", "00441234567890", "(555) 123-4567", "++15551234567",
      " +15551234567", "+15551234567 ", "+15551234567\n", "+15551234567\0",
      "+1234567890123456", "＋15551234567" } do
      for _, fields in pairs(starts) do
        refuses("phoneNumber", calls.start, with(fields, { phoneNumber = number }))
      end
    end
    for _, number in ipairs { "+1234567890", "+15551234567", "+442071838750",
      "+123456789012345" } do
      for _, fields in pairs(starts) do
        takes(calls.start, with(fields, { phoneNumber = number }))
      end
    end
  end)

  for name, most in pairs { title = 255, context = 256000 } do
    for what, character in pairs { ASCII = "a", ["two bytes each"] = "é", emoji = EMOJI } do
      it(("%s has at most %d characters, in %s"):format(name, most, what), function()
        takes(calls.create, with(CREATE, { [name] = character:rep(most) }))
        refuses(name, calls.create, with(CREATE, { [name] = character:rep(most + 1) }))
      end)
    end

    it(("%s over %d characters is told how many it has"):format(name, most), function()
      local _, message = calls.create(with(CREATE, { [name] = ("é"):rep(most + 7) }))
      assert.is_truthy(message:find(tostring(most + 7), 1, true), message)
      assert.is_truthy(message:find(tostring(most), 1, true), message)
      assert.is_true(#message < 1000)
    end)
  end

  it("title and context have no limit where the API names none", function()
    takes(calls.start, with(starts.sms, { context = ("a"):rep(256001), title = ("a"):rep(256) }))
    takes(calls.send, { message = ("a"):rep(256001), context = EMOJI:rep(256001) })
  end)

  it("create wants strings and an object", function()
    for _, name in ipairs { "conversationUserId", "title", "context" } do
      for _, value in ipairs { 5, true, {}, raia.null, print } do
        refuses(name, calls.create, with(CREATE, { [name] = value }))
      end
    end
    for _, value in ipairs { "text", 5, { 1, 2 }, raia.null } do
      refuses("customData", calls.create, with(CREATE, { customData = value }))
    end
  end)

  it("send wants strings", function()
    for _, value in ipairs { 5, true, {}, raia.null } do
      refuses("message", calls.send, { message = value })
      refuses("context", calls.send, { message = "Hello", context = value })
    end
  end)

  it("delete_all wants a user's id in UTF-8", function()
    refuses("conversationUserId", calls.delete_all, "user-\xff")
  end)

  it("the option context of send is checked as the field", function()
    for _, value in ipairs { 5, true, {}, raia.null, "\xff" } do
      refuses("context", function()
        return conversation:send("Hello", { context = value })
      end)
    end
  end)

  it("a context given twice raises", function()
    assert.error_matches(function()
      conversation:send({ message = "Hello", context = "a" }, { context = "b" })
    end, "context")
  end)

  it("a body that is no table raises", function()
    for _, value in ipairs { 5, true, print, raia.null } do
      for name, call in pairs(calls) do
        assert.error_matches(function() call(value) end, name)
      end
    end
    for name, call in pairs(calls) do
      assert.error_matches(function() call(nil) end, name)
    end
    for _, name in ipairs { "start", "create" } do
      assert.error_matches(function() calls[name]("text") end, name)
    end
  end)

  it("the values of unknown fields are free", function()
    takes(calls.create, with(CREATE, { channel = "fax", phoneNumber = 5, nested = { { 1 } } }))
    takes(calls.start, with(starts.email, { message = false, tags = { "a", "b" } }))
  end)

  it("with wait = false it is refused just the same", function()
    local request = client.conversations:create({}, { wait = false })
    assert.is_true(request:done())
    refuses("conversationUserId", function() return request:result() end)
    refuses("conversationUserId", function() return request:wait() end)
  end)
end)
