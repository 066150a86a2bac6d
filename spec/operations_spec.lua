-- The operations: what each sends, what its reply becomes, and all of them with the sandbox.
local certificates = require "spec.support.certificates"
local cjson = require("cjson").new()
local raia = require "raia"
local run = require("spec.support.run").run
local sandbox = require "raia.sandbox"
local server = require "spec.support.server"

local KEY = "key-of-the-agent"
local ID = "5f7b1b3b-3b3b-4b3b-3b3b-3b3b3b3b3b3b"
local CONVERSATIONS = "/external/conversations"

-- A server that gives every request the same reply.
local function replying(status, body)
  return server.start(([[
    local connection = ...
    while connection:request() do connection:reply(%d, %q) end]]):format(status, body or ""))
end

local function client_of(peer)
  return raia.client { secret_key = KEY, base_url = peer.base_url, max_retries = 0 }
end

local function copy(value)
  if type(value) ~= "table" then return value end
  local copied = {}
  for name, inside in pairs(value) do copied[name] = copy(inside) end
  return copied
end

local function with(fields, more)
  local result = copy(fields)
  for name, value in pairs(more) do result[name] = value end
  return result
end

local PERSON = {
  firstName = "Ada", lastName = "Byron", email = "ada@example.com", phoneNumber = "+15551234567",
  context = "likes engines", conversationContext = "asks about 1815", source = "CRM",
  fkId = "order-1815", fkUserId = "user-7",
  customData = { order = { id = 1815, paid = true, weight = 0.5, lines = { "nut", "bolt" } } },
}
local STARTS = {
  email = with(PERSON, { channel = "email", emailSubject = "Your order",
    emailIntroduction = "Dear Ada,\nit is late. 😀", includeSignatureInEmail = true,
    resetConversation = false }),
  sms = with(PERSON, { channel = "sms", smsIntroduction = "Hi Ada",
    includeSignatureInSms = false, resetConversation = true }),
  voice = with(PERSON, { channel = "voice", firstMessage = "Good morning, Ada." }),
}
local CREATE = { conversationUserId = "user-7", title = "Engines", context = "likes engines",
  customData = PERSON.customData }
local UNKNOWN = { authorId = "a-1", files = { { fileName = "a.png", storagePath = "x/y" } } }

local MESSAGE = { id = "m-2", message = "It is on its way.", rawMessage = "It *is* on its way.",
  conversationId = ID, senderRole = "assistant", conversationMessageId = "m-1", source = "api",
  createdAt = "2026-07-01T10:00:00Z", fullAIResponse = { reasoning = { "one", "two" } } }
local QUESTION = { id = "m-1", message = "Where is it?", rawMessage = "Where is it?",
  conversationId = ID, senderRole = "conversation_user", source = "sms" }
local CONVERSATION = { id = ID, conversationUserId = "user-7", title = "Engines", score = 4,
  summary = "short", threadId = "thread-1", metadata = { customData = PERSON.customData },
  aiCallId = "call-1", mode = "ai", user = { id = "u-1", tags = { 1, 2 } } }
local STARTED = { conversationId = ID }
local HISTORY = { messages = { QUESTION, MESSAGE } }

-- name, call, method, path, body, and the status and reply that are usual for it
local cases = {
  { name = "conversations:create", method = "POST", path = CONVERSATIONS, body = CREATE,
    call = function(client, opts) return client.conversations:create(CREATE, opts) end,
    status = 201, reply = CONVERSATION },
  { name = "conversations:create with the least", method = "POST", path = CONVERSATIONS,
    body = { conversationUserId = "user-7" },
    call = function(client, opts)
      return client.conversations:create({ conversationUserId = "user-7" }, opts)
    end,
    status = 201, reply = CONVERSATION },
  { name = "conversations:create with fields that are new to it", method = "POST",
    path = CONVERSATIONS, body = with(CREATE, UNKNOWN),
    call = function(client, opts)
      return client.conversations:create(with(CREATE, UNKNOWN), opts)
    end,
    status = 201, reply = CONVERSATION },
  { name = "conversations:get", method = "GET", path = CONVERSATIONS .. "/" .. ID,
    call = function(client, opts) return client.conversations:get(ID, opts) end,
    status = 200, reply = CONVERSATION },
  { name = "conversations:delete_all", method = "DELETE", path = CONVERSATIONS,
    body = { conversationUserId = "user-7" },
    call = function(client, opts) return client.conversations:delete_all("user-7", opts) end,
    status = 204 },
  { name = "conversation:send", method = "POST", path = CONVERSATIONS .. "/" .. ID .. "/messages",
    body = { message = "Where is it?" },
    call = function(client, opts) return client:conversation(ID):send("Where is it?", opts) end,
    status = 201, reply = MESSAGE },
  { name = "conversation:send with a context", method = "POST",
    path = CONVERSATIONS .. "/" .. ID .. "/messages",
    body = { message = "Where is it?", context = "Order 1815" },
    call = function(client, opts)
      return client:conversation(ID):send("Where is it?",
        with({ context = "Order 1815" }, opts or {}))
    end,
    status = 201, reply = MESSAGE },
  { name = "conversation:send with a table", method = "POST",
    path = CONVERSATIONS .. "/" .. ID .. "/messages",
    body = with({ message = "Where is it?", context = "Order 1815" }, UNKNOWN),
    call = function(client, opts)
      return client:conversation(ID):send(
        with({ message = "Where is it?", context = "Order 1815" }, UNKNOWN), opts)
    end,
    status = 201, reply = MESSAGE },
  { name = "conversation:messages", method = "GET",
    path = CONVERSATIONS .. "/" .. ID .. "/messages",
    call = function(client, opts) return client:conversation(ID):messages(opts) end,
    status = 200, reply = HISTORY },
  { name = "conversation:refresh", method = "GET", path = CONVERSATIONS .. "/" .. ID,
    call = function(client, opts) return client:conversation(ID):refresh(opts) end,
    status = 200, reply = CONVERSATION },
}
for _, channel in ipairs { "email", "sms", "voice" } do
  local fields = STARTS[channel]
  cases[#cases + 1] = { name = "conversations:start by " .. channel, method = "POST",
    path = CONVERSATIONS .. "/start", body = fields,
    call = function(client, opts) return client.conversations:start(fields, opts) end,
    status = 201, reply = STARTED }
  cases[#cases + 1] = { name = "conversations:start by " .. channel .. " with new fields",
    method = "POST", path = CONVERSATIONS .. "/start", body = with(fields, UNKNOWN),
    call = function(client, opts)
      return client.conversations:start(with(fields, UNKNOWN), opts)
    end,
    status = 201, reply = STARTED }
end
for _, method in ipairs { "POST", "PUT", "PATCH", "DELETE" } do
  cases[#cases + 1] = { name = "client:request of " .. method, method = method,
    path = "/external/conversations/c-1/mode", body = { mode = "manual", n = 3 },
    call = function(client, opts)
      return client:request(method, "/external/conversations/c-1/mode",
        { body = { mode = "manual", n = 3 } }, opts)
    end,
    status = 200, reply = { ok = true } }
end
for _, method in ipairs { "GET", "PUT", "PATCH", "DELETE" } do
  cases[#cases + 1] = { name = "client:request of " .. method .. " without a body",
    method = method, path = "/external/agents/limits",
    call = function(client, opts)
      return client:request(method, "/external/agents/limits", nil, opts)
    end,
    status = 200, reply = { ok = true } }
end

local function reply_of(case)
  return case.reply and cjson.encode(case.reply)
end

-- How often each header came, but for what asks for compression.
local function counted(list)
  local count = {}
  for _, header in ipairs(list) do
    local name = header[1]:lower()
    if name ~= "accept-encoding" then count[name] = (count[name] or 0) + 1 end
  end
  return count
end

describe("what goes out", function()
  for _, case in ipairs(cases) do
    it("is the one request of " .. case.name, function()
      local peer <close> = replying(case.status, reply_of(case))
      assert(case.call(client_of(peer)))
      local requests = peer:requests()
      assert.equal(1, #requests)
      local sent = requests[1]
      assert.equal(case.method, sent.method)
      assert.equal(case.path, sent.path)
      assert.same(case.body, sent.body ~= "" and cjson.decode(sent.body) or nil)
    end)

    it("has the headers of " .. case.name .. ", once each", function()
      local peer <close> = replying(case.status, reply_of(case))
      assert(case.call(client_of(peer), { headers = { ["X-Team"] = "ops" } }))
      local sent = peer:requests()[1]
      local expected = { host = 1, accept = 1, ["user-agent"] = 1, ["agent-secret-key"] = 1,
        ["x-team"] = 1 }
      if case.body then
        expected["content-type"], expected["content-length"] = 1, 1
        assert.equal("application/json", sent.headers["content-type"])
        assert.equal(tostring(#sent.body), sent.headers["content-length"])
      end
      assert.same(expected, counted(sent.header_list))
      assert.equal("127.0.0.1:" .. peer.port, sent.headers.host)
      assert.equal("*/*", sent.headers.accept) -- libcurl's own: one more of ours would cost
      assert.equal(KEY, sent.headers["agent-secret-key"])
      assert.equal("ops", sent.headers["x-team"])
      assert.matches("^raia%-lua/%d+%.%d+", sent.headers["user-agent"])
    end)
  end

  it("of POST without a body says that it has none", function()
    local peer <close> = replying(200, "{}")
    assert(client_of(peer):request("POST", "/external/x"))
    local sent = peer:requests()[1]
    assert.equal("POST", sent.method)
    assert.equal("0", sent.headers["content-length"])
  end)

  it("is nothing for client:conversation", function()
    local peer <close> = replying(500)
    local conversation = client_of(peer):conversation(ID)
    assert.equal(ID, conversation.id)
    assert.is_nil(conversation.title)
    assert.equal(0, peer:connections())
  end)

  it("has a query of names and values, encoded", function()
    local peer <close> = replying(200, "{}")
    local query = { page = 2, pageSize = "10", withFeedbacksOnly = true,
      searchKeyword = "a b&c=é#?", ["odd name"] = "", startDate = "2026-07-01T10:00:00+02:00" }
    assert(client_of(peer):request("GET", "/external/conversations", { query = query }))
    local path, text = peer:requests()[1].path:match("^([^?]*)%?(.*)$")
    assert.equal("/external/conversations", path)
    local got = {}
    for name, value in text:gmatch("([^&=]*)=([^&=]*)") do
      assert.is_nil((name .. value):find("[^%w%%%-._~]"))
      local function decode(word)
        return (word:gsub("%%(%x%x)", function(hex) return string.char(tonumber(hex, 16)) end))
      end
      got[decode(name)] = decode(value)
    end
    for name, value in pairs(query) do query[name] = tostring(value) end
    assert.same(query, got)
  end)

  it("has a query and a body at once", function()
    local peer <close> = replying(200, "{}")
    assert(client_of(peer):request("PUT", "/x", { query = { a = 1 }, body = { b = 2 } }))
    local sent = peer:requests()[1]
    assert.equal("/x?a=1", sent.path)
    assert.equal('{"b":2}', sent.body)
  end)

  it("has no question mark when the query is empty", function()
    local peer <close> = replying(200, "{}")
    assert(client_of(peer):request("GET", "/x", { query = {} }))
    assert.equal("/x", peer:requests()[1].path)
  end)

  it("leaves the caller's tables as they were", function()
    local peer <close> = replying(201, cjson.encode(with(CONVERSATION, STARTED)))
    local client = client_of(peer)
    local opts = { context = "Order 1815", headers = { ["X-A"] = "1" }, timeout = 9 }
    local message = { message = "Hello" }
    local fields = copy(STARTS.sms)
    assert(client:conversation(ID):send(message, opts))
    assert(client.conversations:start(fields))
    assert.same({ message = "Hello" }, message)
    assert.same({ context = "Order 1815", headers = { ["X-A"] = "1" }, timeout = 9 }, opts)
    assert.same(STARTS.sms, fields)
  end)
end)

describe("what comes back", function()
  for _, case in ipairs(cases) do
    local statuses = case.reply and { 200, 201, 202 } or { 200, 204 }
    for _, status in ipairs(statuses) do
      it(("of %s with %d is a success"):format(case.name, status), function()
        local peer <close> = replying(status, reply_of(case))
        local result, message, err = case.call(client_of(peer))
        assert.is_truthy(result)
        assert.is_nil(message)
        assert.is_nil(err)
      end)
    end
  end

  local conversations = { "conversations:create", "conversations:get", "conversation:refresh" }
  for _, case in ipairs(cases) do
    for _, name in ipairs(conversations) do
      if case.name == name then
        it("of " .. name .. " is a conversation with all its fields", function()
          local peer <close> = replying(case.status, reply_of(case))
          local conversation = assert(case.call(client_of(peer)))
          for field, value in pairs(CONVERSATION) do
            assert.same(value, conversation[field], field)
          end
          assert.is_nil(conversation.assignedUser)
          assert.same(CONVERSATION, raia.totable(conversation))
        end)
      end
    end
  end

  for channel, fields in pairs(STARTS) do
    it("of conversations:start by " .. channel .. " is a conversation to go on with", function()
      local peer <close> = server.start([[
        local connection = ...
        local request = connection:request()
        while request do
          if request.method == "POST" then
            connection:reply(201, '{"conversationId":"c/1","queued":true}')
          else
            connection:reply(200, '{"id":"c/1","title":"Engines"}')
          end
          request = connection:request()
        end]])
      local conversation = assert(client_of(peer).conversations:start(fields))
      assert.equal("c/1", conversation.id)
      assert.equal("c/1", conversation.conversationId)
      assert.is_true(conversation.queued)
      assert.is_nil(conversation.title)
      assert.equal(conversation, assert(conversation:refresh()))
      assert.equal("Engines", conversation.title)
      assert.is_nil(conversation.queued)
      assert.equal((CONVERSATIONS .. "/c%2f1"):lower(), peer:requests()[2].path:lower())
    end)
  end

  it("of conversation:send is a message with all its fields, and tostring its text", function()
    local peer <close> = replying(201, cjson.encode(MESSAGE))
    local answer = assert(client_of(peer):conversation(ID):send("Where is it?"))
    for field, value in pairs(MESSAGE) do assert.same(value, answer[field], field) end
    assert.equal("It is on its way.", tostring(answer))
    assert.is_nil(answer.expandedMessage)
    assert.same(MESSAGE, raia.totable(answer))
  end)

  it("of conversation:messages are the messages in their order", function()
    local peer <close> = replying(200, cjson.encode(HISTORY))
    local messages = assert(client_of(peer):conversation(ID):messages())
    assert.equal("table", type(messages))
    assert.equal(2, #messages)
    for i, expected in ipairs(HISTORY.messages) do
      assert.equal(expected.message, tostring(messages[i]))
      assert.equal(expected.senderRole, messages[i].senderRole)
      assert.same(expected, raia.totable(messages[i]))
    end
  end)

  it("of a conversation without messages is an empty array", function()
    local peer <close> = replying(200, '{"messages":[]}')
    assert.same({}, (assert(client_of(peer):conversation(ID):messages())))
  end)

  it("of conversations:delete_all is true", function()
    local peer <close> = replying(204)
    assert.is_true(client_of(peer).conversations:delete_all("user-7"))
  end)

  it("of client:request is the decoded object or array, or true without one", function()
    for body, expected in pairs {
      ['{"a":{"b":[1,2]}}'] = { a = { b = { 1, 2 } } }, ["[1,2,3]"] = { 1, 2, 3 }, ["{}"] = {},
      [""] = true,
    } do
      local peer <close> = replying(200, body)
      assert.same(expected, (assert(client_of(peer):request("GET", "/x"))))
    end
    local peer <close> = replying(204)
    assert.is_true(client_of(peer):request("DELETE", "/x"))
  end)

  it("of client:request is any other value of JSON, as it is", function()
    local values = { ["null"] = raia.null, ["true"] = true, ["false"] = false, ["17"] = 17,
      ["-2.5"] = -2.5, ['"text"'] = "text", ['""'] = "", [" true "] = true }
    for body, expected in pairs(values) do
      local peer <close> = replying(200, body)
      for _, options in ipairs { {}, { wait = false } } do
        local value, message = client_of(peer):request("GET", "/x", nil, options)
        if options.wait == false then value, message = value:wait() end
        assert.is_nil(message)
        assert.is_true(rawequal(expected, value))
        assert.equal(math.type(expected), math.type(value))
      end
    end
  end)

  it("of conversation:refresh with another id is an error, and nothing is changed", function()
    for _, id in ipairs { '"c-2"', '"C-1"', '"c-1 "', '""', "1", "null" } do
      local peer <close> = server.start(([[
        local connection = ...
        connection:request()
        connection:reply(200, '{"id":"c-1","title":"mine"}')
        while connection:request() do
          connection:reply(200, '{"id":%s,"conversationId":"c-1","title":"other"}')
        end]]):format(id))
      local client <close> = client_of(peer)
      local conversation = assert(client.conversations:get("c-1"))
      local result, message, err = conversation:refresh()
      assert.is_nil(result)
      assert.equal("decode", err.kind)
      assert.is_truthy(message:find(" id", 1, true), message)
      assert.equal("c-1", conversation.id)
      assert.equal("mine", conversation.title)
      assert.is_nil(conversation.conversationId)
      conversation:messages()
      assert.is_truthy(peer:requests()[3].path:find("/c-1/messages", 1, true))
    end
  end)

  it("reads null as nil, and raia.totable keeps raia.null", function()
    local nulls = '{"id":"c-1","title":null,"score":null,"message":null,"metadata":null}'
    local peer <close> = replying(200, nulls)
    local client = client_of(peer)
    local objects = { assert(client.conversations:get("c-1")),
      assert(client:conversation("c-1"):send("Hello")) }
    for _, object in ipairs(objects) do
      for _, field in ipairs { "title", "score", "message", "metadata", "absent" } do
        assert.is_nil(object[field], field)
      end
      local all = raia.totable(object)
      assert.equal(raia.null, all.title)
      assert.equal(raia.null, all.metadata)
      assert.is_nil(all.absent)
    end
    assert.equal("", tostring(objects[2]))
    assert.equal(raia.null, assert(client:request("GET", "/x")).title)
  end)

  it("has raia.null, the same value as cjson.null", function()
    assert.equal(require("cjson").null, raia.null)
  end)

  it("gives whole numbers as integers and others as floats", function()
    local peer <close> = replying(200, '{"id":"c-1","score":4,"half":4.5,"metadata":'
      .. '{"customData":{"n":-7,"list":[1,2.0,0.25],"far":1e3}}}')
    local conversation = assert(client_of(peer).conversations:get("c-1"))
    local custom = conversation.metadata.customData
    for expected, got in pairs { [4] = conversation.score, [-7] = custom.n, [1] = custom.list[1],
      [2] = custom.list[2], [1000] = custom.far } do
      assert.equal("integer", math.type(got))
      assert.equal(expected, got)
    end
    assert.equal(4.5, conversation.half)
    assert.equal(0.25, custom.list[3])
  end)

  it("can be changed by raia.totable's taker without changing the object", function()
    local peer <close> = replying(200, cjson.encode(CONVERSATION))
    local conversation = assert(client_of(peer).conversations:get(ID))
    local all = raia.totable(conversation)
    all.title, all.metadata.customData.order.id = "other", 0
    assert.equal("Engines", conversation.title)
    assert.equal(1815, conversation.metadata.customData.order.id)
  end)

  it("keeps its methods when a field has the name of one", function()
    local peer <close> = replying(200, '{"id":"c-1","send":"x","messages":[1],"refresh":2}')
    local conversation = assert(client_of(peer).conversations:get("c-1"))
    assert.equal("function", type(conversation.send))
    assert.equal(conversation, assert(conversation:refresh()))
    assert.equal("x", raia.totable(conversation).send)
  end)
end)

describe("raia.totable", function()
  it("refuses what is no object of the API", function()
    local client = raia.client { secret_key = KEY, base_url = "http://127.0.0.1:1" }
    for _, value in ipairs { client, client.conversations, {}, "text", 5, io.stdout } do
      assert.has_error(function() raia.totable(value) end)
    end
  end)
end)

local function read_file(path)
  local file <close> = assert(io.open(path, "rb"))
  return file:read("a")
end

local transports = {
  { name = "HTTP/1.1", version = "HTTP/1.1" },
  { name = "HTTP/2 and TLS", version = "HTTP/2", tls = true },
}

for _, transport in ipairs(transports) do
  describe("with the sandbox over " .. transport.name .. ",", function()
    local made, box, client, outbox

    setup(function()
      made = transport.tls and certificates()
      outbox = os.tmpname()
      box = assert(sandbox.start { key = KEY, outbox = outbox,
        tls_cert = made and made.good.cert, tls_key = made and made.good.key })
      client = raia.client { secret_key = KEY, base_url = box.base_url,
        ca_file = made and made.ca }
    end)

    teardown(function()
      client:close()
      box:close()
      os.remove(outbox)
      if made then made.remove() end
    end)

    it("that version of HTTP is spoken", function()
      local output = run("lua5.4 -", { RAIA_LOG = "debug", RAIA_REGION = false,
        RAIA_BASE_URL = box.base_url, RAIA_AGENT_SECRET_KEY = KEY }, ([[
          local client = require "raia".client { ca_file = %s }
          print(assert(client.conversations:create { conversationUserId = "u" }))]]):format(
            made and ("%q"):format(made.ca) or "nil"))
      assert.is_truthy(output:find("raia: < " .. transport.version .. " 201", 1, true), output)
    end)

    it("a conversation is created, held and read again", function()
      local conversation = assert(client.conversations:create(CREATE))
      assert.equal("user-7", conversation.conversationUserId)
      assert.equal("Engines", conversation.title)
      assert.same(PERSON.customData, conversation.metadata.customData)
      local first = assert(conversation:send("Where is it?", { context = "Order 1815 😀" }))
      assert.equal("You said: Where is it? (I was told: Order 1815 😀)", tostring(first))
      assert.equal("assistant", first.senderRole)
      assert.equal(conversation.id, first.conversationId)
      local second = assert(conversation:send { message = "Thanks" })
      local messages = assert(conversation:messages())
      local texts, roles = {}, {}
      for i, message in ipairs(messages) do
        texts[i], roles[i] = message.message, message.senderRole
      end
      assert.same({ "Where is it?", first.message, "Thanks", second.message }, texts)
      assert.same({ "conversation_user", "assistant", "conversation_user", "assistant" }, roles)
      assert.equal(messages[1].id, first.conversationMessageId)
      assert.equal(messages[3].id, second.conversationMessageId)
      local again = assert(client.conversations:get(conversation.id))
      assert.same(raia.totable(conversation), raia.totable(again))
    end)

    local outgoing = {
      email = { "email to ada@example.com, Your order: Dear Ada,", "emailIntroduction" },
      sms = { "sms to +15551234567: Hi Ada", "smsIntroduction" },
      voice = { "call to +15551234567: Good morning, Ada.", "firstMessage" },
    }
    for channel, expected in pairs(outgoing) do
      it("a conversation by " .. channel .. " is started and gone on with", function()
        local conversation = assert(client.conversations:start(STARTS[channel]))
        assert.is_truthy(read_file(outbox):find(expected[1], 1, true))
        local messages = assert(conversation:messages())
        assert.equal(STARTS[channel][expected[2]], tostring(messages[1]))
        assert.equal(channel, messages[1].source)
        assert.equal("You said: Hello (I was told: likes engines)",
          tostring(assert(conversation:send("Hello"))))
        assert(conversation:refresh())
        assert.same(PERSON.customData, conversation.metadata.customData)
        assert.equal(channel == "voice", conversation.aiCallId ~= nil)
      end)
    end

    it("a user's conversations are deleted, and no others", function()
      local gone = { assert(client.conversations:create { conversationUserId = "to go" }),
        assert(client.conversations:create { conversationUserId = "to go" }) }
      local kept = assert(client.conversations:create { conversationUserId = "to stay" })
      assert.is_true(client.conversations:delete_all("to go"))
      for _, conversation in ipairs(gone) do
        local found, _, err = conversation:refresh()
        assert.is_nil(found)
        assert.equal(404, err.status)
      end
      assert(kept:refresh())
    end)

    it("a wrong key is refused", function()
      local other <close> = raia.client { secret_key = "wrong", base_url = box.base_url,
        ca_file = made and made.ca }
      local found, message, err = other.conversations:get(ID)
      assert.is_nil(found)
      assert.equal("http", err.kind)
      assert.equal(403, err.status)
      assert.equal("INVALID_CREDENTIALS", err.code)
      assert.matches("INVALID_CREDENTIALS", message)
      assert.is_string(err.request_id)
    end)

    it("an unknown id is not found", function()
      for _, call in ipairs { "refresh", "messages" } do
        local conversation = client:conversation("a/b?c")
        local found, _, err = conversation[call](conversation)
        assert.is_nil(found)
        assert.equal(404, err.status)
        assert.equal("ENTITY_NOT_FOUND", err.code)
      end
    end)

    it("what the server does not take is a 400 with its details", function()
      local found, _, err = client.conversations:create { conversationUserId = "" }
      assert.is_nil(found)
      assert.equal("http", err.kind)
      assert.equal(400, err.status)
      assert.equal("BadRequestError", err.code)
      assert.equal("conversationUserId", err.details[1].field)
    end)

    it("a path of no operation is not found", function()
      local found, _, err = client:request("GET", "/external/nowhere")
      assert.is_nil(found)
      assert.equal(404, err.status)
    end)
  end)
end
