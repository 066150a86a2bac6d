-- The operations: what each sends, and what its reply becomes.
local cjson = require("cjson").new()
local raia = require "raia"
local server = require "spec.support.server"
local clients = require "spec.support.client"
local bodies = require "spec.support.bodies"

local copy, with, PERSON, STARTS, CREATE =
  bodies.copy, bodies.with, bodies.PERSON, bodies.STARTS, bodies.CREATE
local KEY = "key-of-the-agent"
local ID = "5f7b1b3b-3b3b-4b3b-3b3b-3b3b3b3b3b3b"
local CONVERSATIONS = "/external/conversations"

-- A server that gives every request the same reply.
local function replying(status, body)
  return server.start(([[
    local connection = ...
    while connection:request() do connection:reply(%d, %q) end]]):format(status, body or ""))
end

local connect = clients { secret_key = KEY }
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
      assert(case.call(connect(peer)))
      local requests = peer:requests()
      assert.equal(1, #requests)
      local sent = requests[1]
      assert.equal(case.method, sent.method)
      assert.equal(case.path, sent.path)
      assert.same(case.body, sent.body ~= "" and cjson.decode(sent.body) or nil)
    end)

    it("has the headers of " .. case.name .. ", once each", function()
      local peer <close> = replying(case.status, reply_of(case))
      assert(case.call(connect(peer), { headers = { ["X-Team"] = "ops" } }))
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
    assert(connect(peer):request("POST", "/external/x"))
    local sent = peer:requests()[1]
    assert.equal("POST", sent.method)
    assert.equal("0", sent.headers["content-length"])
  end)

  it("is nothing for client:conversation", function()
    local peer <close> = replying(500)
    local conversation = connect(peer):conversation(ID)
    assert.equal(ID, conversation.id)
    assert.is_nil(conversation.title)
    assert.equal(0, peer:connections())
  end)

  it("has a query of names and values, encoded", function()
    local peer <close> = replying(200, "{}")
    local query = { page = 2, pageSize = "10", withFeedbacksOnly = true,
      searchKeyword = "a b&c=é#?", ["odd name"] = "", startDate = "2026-07-01T10:00:00+02:00" }
    assert(connect(peer):request("GET", "/external/conversations", { query = query }))
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

  it("has numbers in a query as they are", function()
    local peer <close> = replying(200, "{}")
    local client <close> = connect(peer)
    for text, number in pairs { ["0.30000000000000004"] = 0.1 + 0.2, ["5"] = 10 / 2,
      ["9223372036854775807"] = math.maxinteger, ["0.1"] = 0.1 } do
      assert(client:request("GET", "/x", { query = { n = number } }))
      local requests = peer:requests()
      assert.equal("/x?n=" .. text, requests[#requests].path)
    end
    for _, number in ipairs { 0 / 0, math.huge } do
      assert.has_error(function() client:request("GET", "/x", { query = { n = number } }) end)
    end
  end)

  it("has a query and a body at once", function()
    local peer <close> = replying(200, "{}")
    assert(connect(peer):request("PUT", "/x", { query = { a = 1 }, body = { b = 2 } }))
    local sent = peer:requests()[1]
    assert.equal("/x?a=1", sent.path)
    assert.equal('{"b":2}', sent.body)
  end)

  it("has no question mark when the query is empty", function()
    local peer <close> = replying(200, "{}")
    assert(connect(peer):request("GET", "/x", { query = {} }))
    assert.equal("/x", peer:requests()[1].path)
  end)

  it("leaves the caller's tables as they were", function()
    local peer <close> = replying(201, cjson.encode(with(CONVERSATION, STARTED)))
    local client = connect(peer)
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
        local result, message, err = case.call(connect(peer))
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
          local conversation = assert(case.call(connect(peer)))
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
      local conversation = assert(connect(peer).conversations:start(fields))
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
    local answer = assert(connect(peer):conversation(ID):send("Where is it?"))
    for field, value in pairs(MESSAGE) do assert.same(value, answer[field], field) end
    assert.equal("It is on its way.", tostring(answer))
    assert.is_nil(answer.expandedMessage)
    assert.same(MESSAGE, raia.totable(answer))
  end)

  it("of conversation:messages are the messages in their order", function()
    local peer <close> = replying(200, cjson.encode(HISTORY))
    local messages = assert(connect(peer):conversation(ID):messages())
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
    assert.same({}, (assert(connect(peer):conversation(ID):messages())))
  end)

  it("of conversations:delete_all is true", function()
    local peer <close> = replying(204)
    assert.is_true(connect(peer).conversations:delete_all("user-7"))
  end)

  it("of client:request is the decoded object or array, or true without one", function()
    for body, expected in pairs {
      ['{"a":{"b":[1,2]}}'] = { a = { b = { 1, 2 } } }, ["[1,2,3]"] = { 1, 2, 3 }, ["{}"] = {},
      [""] = true,
    } do
      local peer <close> = replying(200, body)
      assert.same(expected, (assert(connect(peer):request("GET", "/x"))))
    end
    local peer <close> = replying(204)
    assert.is_true(connect(peer):request("DELETE", "/x"))
  end)

  it("of client:request is any other value of JSON, as it is", function()
    local values = { ["null"] = raia.null, ["true"] = true, ["false"] = false, ["17"] = 17,
      ["-2.5"] = -2.5, ['"text"'] = "text", ['""'] = "", [" true "] = true }
    for body, expected in pairs(values) do
      local peer <close> = replying(200, body)
      for _, options in ipairs { {}, { wait = false } } do
        local value, message = connect(peer):request("GET", "/x", nil, options)
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
      local client <close> = connect(peer)
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

  it("reads null as nil, and raia.totable leaves it out", function()
    local nulls = '{"id":"c-1","title":null,"score":null,"message":null,"metadata":null}'
    local peer <close> = replying(200, nulls)
    local client = connect(peer)
    local objects = { assert(client.conversations:get("c-1")),
      assert(client:conversation("c-1"):send("Hello")) }
    for _, object in ipairs(objects) do
      for _, field in ipairs { "title", "score", "message", "metadata", "absent" } do
        assert.is_nil(object[field], field)
      end
      local all = raia.totable(object)
      assert.is_nil(all.title)
      assert.is_nil(all.metadata)
      assert.is_nil(all.absent)
    end
    assert.equal("", tostring(objects[2]))
    assert.is_nil(assert(client:request("GET", "/x")).title)
  end)

  it("has raia.null, the same value as cjson.null", function()
    assert.equal(require("cjson").null, raia.null)
  end)

  it("gives whole numbers as integers and others as floats", function()
    local peer <close> = replying(200, '{"id":"c-1","score":4,"half":4.5,"metadata":'
      .. '{"customData":{"n":-7,"list":[1,2.0,0.25],"far":1e3}}}')
    local conversation = assert(connect(peer).conversations:get("c-1"))
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
    local conversation = assert(connect(peer).conversations:get(ID))
    local all = raia.totable(conversation)
    all.title, all.metadata.customData.order.id = "other", 0
    assert.equal("Engines", conversation.title)
    assert.equal(1815, conversation.metadata.customData.order.id)
  end)

  it("keeps its methods when a field has the name of one", function()
    local peer <close> = replying(200, '{"id":"c-1","send":"x","messages":[1],"refresh":2}')
    local conversation = assert(connect(peer).conversations:get("c-1"))
    assert.equal("function", type(conversation.send))
    assert.equal(conversation, assert(conversation:refresh()))
    assert.equal("x", raia.totable(conversation).send)
  end)
end)

describe("raia.totable", function()
  it("refuses what is neither an object of the API nor a table", function()
    local client = raia.client { secret_key = KEY, base_url = "http://127.0.0.1:1" }
    for _, value in ipairs { client, client.conversations, "text", 5, io.stdout } do
      assert.has_error(function() raia.totable(value) end)
    end
  end)
end)
