-- The operations with the sandbox, over HTTP, HTTPS and HTTP/2.
local certificates = require "spec.support.certificates"
local raia = require "raia"
local run = require("spec.support.run").run
local sandbox = require "raia.sandbox"
local bodies = require "spec.support.bodies"

local PERSON, STARTS, CREATE = bodies.PERSON, bodies.STARTS, bodies.CREATE
local KEY = "key-of-the-agent"
local ID = "5f7b1b3b-3b3b-4b3b-3b3b-3b3b3b3b3b3b"

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
      box = assert(sandbox.start { key = KEY, outbox = outbox, any_user = true,
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
      local fields = raia.totable(again)
      assert.same({}, fields.feedbacks) -- which only this operation gives
      assert.is_true(fields.updatedAt > conversation.updatedAt)
      fields.feedbacks, fields.updatedAt = nil, conversation.updatedAt
      assert.same(raia.totable(conversation), fields)
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
      assert.equal("BAD_REQUEST", err.code)
      assert.equal("conversationUserId", err.details[1].field)
    end)

    it("a path of no operation is not found", function()
      local found, _, err = client:request("GET", "/external/nowhere")
      assert.is_nil(found)
      assert.equal(404, err.status)
    end)
  end)
end
