-- The examples of the whole API, run as a user would, against a sandbox: support_bot, export,
-- files, webhook, and the recipe for tests.
local cjson = require "cjson"
local raia = require "raia"
local socket = require "socket"
local support = require "spec.support.run"
local start = require "raia.sandbox".start

local CSV = 'firstName,lastName,phoneNumber,text\nAda,Byron,+15551234567,"Hi, ""Ada"""\r\n'
  .. 'Bob,"B, Jr",+15551234568,Hello\nEve,,12,Hey\n'

local function write(path, text)
  local file <close> = assert(io.open(path, "wb"))
  file:write(text)
end

local function read(path)
  local file <close> = assert(io.open(path, "rb"))
  return file:read "a"
end

describe("the example", function()
  local box, client, environment, one, two

  setup(function()
    box = assert(start {})
    environment = support.of_sandbox(box)
    client = raia.client { base_url = box.base_url, secret_key = box.secret_key }
    one, two = os.tmpname(), os.tmpname()
  end)
  teardown(function()
    client:close()
    box:close()
    os.remove(one)
    os.remove(two)
  end)
  before_each(function()
    box:reset()
    write(two, "")
  end)

  local function run(line) return support.run("lua5.4 examples/" .. line, environment) end

  describe("support_bot", function()
    before_each(function() write(one, CSV) end)

    local function bot() return run(("support_bot.lua %s %s"):format(one, two)) end

    it("starts a conversation with each customer, and says who got none", function()
      local output, status = bot()
      assert.matches("\n12: conversations:start: phoneNumber must be an E.164", output)
      assert.equal(1, status)
      local texts = {}
      for _, sms in ipairs(box:outbox()) do texts[sms.to] = sms.text end
      assert.same({ ["+15551234567"] = 'Hi, "Ada"', ["+15551234568"] = "Hello" }, texts)
      local users = {}
      for _, user in ipairs(assert(client.agent:users()).data) do users[user.lastName] = true end
      assert.same({ Byron = true, ["B, Jr"] = true }, users)
    end)

    it("goes on where it was, and starts nothing twice", function()
      write(one, CSV:gsub("Eve[^\n]*\n", ""))
      box:fail { status = 403 }
      local output, status = bot()
      assert.matches("HTTP 403 as the test asked", output)
      assert.equal(1, status)
      output, status = bot()
      assert.equal(0, status, output)
      assert.equal(2, #box:outbox())
      assert.equal(0, select(2, bot()))
      assert.equal(2, #box:outbox())
    end)

    it("does not start again what may have been started", function()
      write(one, CSV:gsub("Eve[^\n]*\n", ""):gsub("Bob[^\n]*\n", ""))
      box:fail { drop = "after" }
      assert.equal(1, select(2, bot()))
      local output, status = bot()
      assert.matches("%+15551234567 may have got its message: look", output)
      assert.equal(1, status)
      assert.equal(1, #box:outbox())
      write(two, read(two) .. "+15551234567 sent\n")
      assert.equal(0, select(2, bot()))
    end)
  end)

  it("export writes a line of JSON for each conversation", function()
    for i = 1, 12 do
      local conversation = assert(client.conversations:start { channel = "sms", firstName = "A",
        lastName = "B", phoneNumber = "+1555123456" .. i % 3, smsIntroduction = "Hi " .. i })
      assert(conversation:send "Hello")
    end
    local output, status = support.run("lua5.4 examples/export.lua 2>/dev/null", environment)
    assert.equal(0, status)
    local count = 0
    for line in output:gmatch "[^\n]+" do
      count = count + 1
      local conversation = cjson.decode(line)
      local texts = {}
      for i, message in ipairs(conversation.messages) do texts[i] = message.message end
      assert.same({ "Hi " .. count, "Hello", "You said: Hello" }, texts)
    end
    assert.equal(12, count)
  end)

  it("files sends a file and reads it back", function()
    write(one, ("words "):rep(1000))
    local output, status = run("files.lua " .. one .. " 'And this?'")
    assert.equal(0, status, output)
    assert.matches("You said: And this%?\n", output)
    assert.matches(one:match "[^/]+$" .. "\t6000 bytes\n$", output)
    assert.equal(2, select(2, run "files.lua"))
  end)

  it("program_spec tests a program", function()
    local output, status = support.run("busted --lua=lua5.4 -o TAP examples/program_spec.lua",
      { LUA_PATH_5_4 = package.path, LUA_CPATH_5_4 = package.cpath })
    assert.equal(0, status, output)
    assert.equal(4, select(2, output:gsub("\nok ", "")) + (output:find "^ok " and 1 or 0), output)
  end)

  describe("webhook", function()
    local SECRET = "a secret of one's own"
    local pipe, pid, port

    setup(function()
      local words = { "echo $$; exec env" }
      for name, value in pairs { RAIA_BASE_URL = box.base_url, WEBHOOK_SECRET = SECRET,
        RAIA_AGENT_SECRET_KEY = box.secret_key, LUA_PATH_5_4 = package.path,
        LUA_CPATH_5_4 = package.cpath } do
        words[#words + 1] = support.quote(name .. "=" .. value)
      end
      words[#words + 1] = "lua5.4 examples/webhook.lua 0 </dev/null"
      pipe = assert(io.popen(table.concat(words, " ")))
      pid = pipe:read "l"
      port = assert(tonumber((pipe:read "l"):match ":(%d+)$"))
    end)
    teardown(function()
      os.execute("kill -9 " .. pid .. " 2>/dev/null")
      pipe:close()
    end)

    local function post(secret, body)
      local connection = assert(socket.connect("127.0.0.1", port))
      connection:settimeout(30)
      assert(connection:send(("POST / HTTP/1.0\r\nHost: h\r\nX-Webhook-Secret: %s\r\n"
        .. "Content-Length: %d\r\n\r\n%s"):format(secret, #body, body)))
      local line = connection:receive "*l"
      connection:close()
      return line and line:match "^HTTP/1%.%d (%d+)"
    end

    it("asks the agent what it is told to, if it is told the secret", function()
      local conversation = assert(client.conversations:start { channel = "sms", firstName = "A",
        lastName = "B", phoneNumber = "+15551234567", smsIntroduction = "Hi" })
      local event = cjson.encode { conversationId = conversation.id, message = "Sum up" }
      for _, wrong in ipairs { "", "a secret", SECRET .. "x", SECRET:upper() } do
        assert.equal("401", post(wrong, event))
      end
      assert.equal("400", post(SECRET, "no JSON"))
      assert.equal("400", post(SECRET, "{}"))
      assert.equal("204", post(SECRET, event))
      assert.equal(conversation.id .. "\tYou said: Sum up", pipe:read "l")
      assert.equal(3, #assert(conversation:messages()))
    end)

    it("does not start without a secret", function()
      local output, status = support.run("lua5.4 examples/webhook.lua 0", environment)
      assert.equal(2, status)
      assert.matches("WEBHOOK_SECRET", output)
    end)
  end)
end)
