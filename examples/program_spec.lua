-- How to test a program that uses raia, with busted: busted program_spec.lua
-- The program is `greet`: it greets a customer by SMS and tells what the customer says.
local raia = require "raia"
local start_sandbox = require "raia.sandbox".start

local function greet(client, phone)
  local conversation, message, err = client.conversations:start { channel = "sms",
    firstName = "Ada", lastName = "Byron", phoneNumber = phone, smsIntroduction = "Hi Ada" }
  if not conversation then return nil, message, err end
  local reply = conversation:next_message { timeout = 5, every = 0.05 }
  if not reply then return "nobody answers" end
  local summary
  summary, message, err = conversation:send("Sum up: " .. tostring(reply), { timeout = 1 })
  return summary and tostring(summary), message, err
end

describe("greet", function()
  local sandbox, client

  setup(function() sandbox = assert(start_sandbox { answers = { "Noted." } }) end)
  teardown(function() sandbox:close() end)
  before_each(function()
    client = raia.client { base_url = sandbox.base_url, secret_key = sandbox.secret_key }
  end)
  after_each(function()
    client:close()
    sandbox:reset()
  end)

  -- Runs the program, and has the customer answer as soon as the SMS has gone out.
  local function greeted(text)
    return raia.run(function()
      local program = raia.spawn(greet, client, "+15551234567")
      while #sandbox:outbox() == 0 and not program:done() do raia.sleep(0.05) end
      raia.sleep(0.2) -- it waits for a message by now
      local sms = sandbox:outbox()[1]
      if sms then
        sandbox:receive { conversationId = sms.conversationId, message = text, source = "sms" }
      end
      return program:join()
    end)
  end

  it("tells what the agent makes of it", function()
    sandbox:answers { "Noted.", "She is glad." } -- to her, and to the program
    assert.equal("She is glad.", greeted "Hello!")
    assert.equal("+15551234567", sandbox:outbox()[1].to)
  end)

  it("goes on when the service is busy for a while", function()
    sandbox:fail { status = 429, times = 2, retry_after = 1, path = "/start" }
    assert.is_string(greeted "Hello!")
    assert.equal(1, #sandbox:outbox()) -- one SMS, whatever came before it
  end)

  it("says what went wrong, and whether she may have got an SMS", function()
    sandbox:fail { status = 500, path = "/start" }
    local text, _, err = greeted "Hello!"
    assert.is_nil(text)
    assert.equal(500, err.status)
    assert.equal("maybe", err.sent)
  end)

  it("does not wait for ever", function()
    sandbox:fail { delay = 3, method = "POST", path = "/messages" }
    local text, _, err = greeted "Hello!"
    assert.is_nil(text)
    assert.equal("timeout", err.kind)
  end)
end)
