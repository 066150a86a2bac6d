-- Each example, run as a user would, against a sandbox.
local support = require "spec.support.run"
local start = require "raia.sandbox".start

describe("the example", function()
  local sandbox, environment, outbox

  setup(function()
    outbox = os.tmpname()
    sandbox = assert(start { outbox = outbox })
    environment = support.of_sandbox(sandbox)
  end)

  teardown(function()
    sandbox:close()
    os.remove(outbox)
  end)

  local function run(example, input)
    return support.run("lua5.4 examples/" .. example, environment, input)
  end

  local function sent()
    local file <close> = assert(io.open(outbox))
    return file:read("a")
  end

  it("quickstart prints a conversation", function()
    local output, status = run "quickstart.lua"
    assert.equal("assistant: Hi Ada, this is Mindy. How can I help?\n"
      .. "conversation_user: Where is my order?\n"
      .. "assistant: You said: Where is my order? (I was told: Order 1815)\n", output)
    assert.equal(0, status)
  end)

  for channel, address in pairs { email = "ada@example.com", sms = "+15550000001",
    voice = "+15550000002" } do
    it("start begins a conversation by " .. channel, function()
      local output, status = run("start.lua " .. channel .. " " .. address)
      assert.equal(0, status)
      assert.matches("^%x+%-%x+%-%x+%-%x+%-%x+\n$", output)
      assert.is_truthy(sent():find(address, 1, true))
    end)
  end

  it("start says how it is used, and what is wrong with a number", function()
    local output, status = run "start.lua fax 1"
    assert.matches("usage:", output)
    assert.equal(2, status)
    output, status = run "start.lua sms 12"
    assert.matches("E%.164", output)
    assert.equal(1, status)
  end)

  it("history prints a transcript by id", function()
    local id = run("start.lua sms +15550000003"):match("%S+")
    local output, status = run("history.lua " .. id)
    assert.equal(0, status)
    assert.matches("^assistant +sms +Hi, this is Mindy", output)
    output, status = run "history.lua nobody"
    assert.matches("404 ENTITY_NOT_FOUND", output)
    assert.equal(1, status)
    assert.equal(2, select(2, run "history.lua"))
  end)

  it("chat answers line by line and ends with the input", function()
    local output, status = run("chat.lua", "hello\n\nand who are you?\n")
    assert.equal(0, status)
    assert.matches("agent: You said: hello\n", output)
    assert.matches("agent: You said: and who are you%?\n", output)
    output, status = run("chat.lua no-such-conversation", "hello\n")
    assert.matches("404", output)
    assert.equal(1, status)
  end)

  it("delete_user asks before it deletes", function()
    local raia = require "raia"
    local client <close> = raia.client {
      base_url = sandbox.base_url, secret_key = sandbox.secret_key }
    local id = assert(client.conversations:create { conversationUserId = "ada" }).id
    local output, status = run("delete_user.lua ada", "no\n")
    assert.matches("Nothing was deleted", output)
    assert.equal(1, status)
    assert(client.conversations:get(id))
    output, status = run("delete_user.lua ada", "yes\n")
    assert.matches("Deleted", output)
    assert.equal(0, status)
    assert.equal(404, select(3, client.conversations:get(id)).status)
    assert.equal(0, select(2, run "delete_user.lua --yes ada"))
    assert.equal(2, select(2, run "delete_user.lua --yes"))
  end)
end)
