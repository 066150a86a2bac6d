-- Messages, conversations and lists of them behave as values of Lua do.
local raia = require "raia"
local server = require "spec.support.server"
local connect = require "spec.support.client" ()

local script = [[
local connection = ...
local request = connection:request()
while request do
  local id = request.path:match "^/external/conversations/([^/]+)"
  if request.path:find "/messages" and request.method == "GET" then
    local list = {}
    for i = 1, id == "long" and 50 or 2 do
      list[i] = { id = "m" .. i, senderRole = "assistant", message = ("line\n"):rep(20) }
    end
    connection:reply(200, { messages = id == "empty" and "@" or list })
  elseif request.path:find "/messages" then
    connection:reply(200, { id = id, message = "Hi", fullAIResponse = { steps = { 1, 2 } } })
  else
    connection:reply(200, { id = id, title = "Engines" })
  end
  request = connection:request()
end
]]

describe("an object", function()
  local peer, client, message, conversation

  setup(function()
    peer = server.start(script)
    client = connect(peer)
    message = assert(client:conversation("c"):send "Hello")
    conversation = assert(client.conversations:get "c")
  end)

  teardown(function()
    client:close()
    peer:close()
  end)

  it("is joined to text by ..", function()
    assert.equal("agent: Hi", "agent: " .. message)
    assert.equal("Hi!", message .. "!")
    assert.equal("HiHi", message .. message)
    assert.equal("raia.conversation c, 1", conversation .. ", " .. 1)
  end)

  it("is gone through by pairs, as a copy", function()
    local seen = {}
    for name, value in pairs(message) do seen[name] = value end
    assert.same({ id = "c", message = "Hi", fullAIResponse = { steps = { 1, 2 } } }, seen)
    seen.fullAIResponse.steps[1] = 5
    assert.equal(1, message.fullAIResponse.steps[1])
    local titles = {}
    for name, value in pairs(conversation) do titles[name] = value end
    assert.same({ id = "c", title = "Engines" }, titles)
  end)

  it("equals another of its class and id", function()
    assert.is_true(message == assert(client:conversation("c"):send "Hello"))
    assert.is_true(conversation == client:conversation "c")
    assert.is_false(conversation == client:conversation "d")
    assert.is_false(message == conversation)
    assert.is_false(message == client)
    assert.is_false(message == "Hi")
  end)

  it("cannot be assigned to, and says what can", function()
    for _, object in ipairs { message, conversation } do
      local good, words = pcall(function() object.title = "new" end)
      assert.is_false(good)
      assert.matches("a raia%.%a+ is read%-only: raia%.totable gives a copy", words)
    end
  end)

  it("becomes a table by raia.totable, alone or in a list", function()
    local copy = raia.totable(message)
    copy.message = "new"
    assert.equal("Hi", message.message)
    local list = assert(client:conversation("c"):messages())
    assert.same({ "m1", "m2" }, { raia.totable(list)[1].id, raia.totable(list)[2].id })
    assert.same({ a = { id = "c", title = "Engines" }, b = { 1 }, c = 2 },
      raia.totable { a = conversation, b = { 1 }, c = 2 })
    for _, bad in ipairs { 5, "x", client } do
      assert.has_error(function() raia.totable(bad) end)
    end
    assert.has_error(function() raia.totable() end)
  end)

  it("cannot be made cyclic to crash totable", function()
    local inner = message.fullAIResponse
    inner.self = inner
    local good, words = pcall(raia.totable, message)
    inner.self = nil
    assert.is_false(good)
    assert.matches("nested too deep", words)
  end)

  it("prints readably in a list", function()
    local list = assert(client:conversation("c"):messages())
    assert.equal("a list of 2\n  assistant: " .. ("line\\x0a"):rep(12) .. "…\n  assistant: "
      .. ("line\\x0a"):rep(12) .. "…", tostring(list))
    local long = tostring(assert(client:conversation("long"):messages()))
    assert.matches("^a list of 50\n", long)
    assert.matches("\n  and 30 more$", long)
  end)
end)
