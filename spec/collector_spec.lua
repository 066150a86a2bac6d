-- Lua's garbage collector rests while a large reply is read, and is as it was before and after.
local raia = require "raia"
local servers = require "spec.support.server"

-- A history of 2,000 messages; /half is cut in its middle, /none is no JSON.
local script = [[
local message = '{"id":"m-1","message":"' .. ("words "):rep(50) .. '"}'
local history = '{"messages":[' .. (message .. ","):rep(1999) .. message .. "]}"
local connection = ...
local request = connection:request()
while request do
  if request.path:match "half" then
    connection:reply(200, history:sub(1, #history // 2))
  elseif request.path:match "none" then
    connection:reply(200, ("no JSON "):rep(20000))
  else
    connection:reply(200, history)
  end
  request = connection:request()
end
]]

describe("a large reply", function()
  local server, client

  before_each(function()
    server = servers.start(script)
    client = raia.client { base_url = server.base_url, secret_key = "k", max_retries = 0 }
  end)
  after_each(function()
    collectgarbage "restart"
    client:close()
    server:close()
  end)

  local function read(id) return client:conversation(id or "c"):messages() end

  for _, case in ipairs {
    { "a history", "c" }, { "half a history", "half", "decode" }, { "no JSON", "none", "decode" },
  } do
    it("leaves the collector running, or stopped, as it was: " .. case[1], function()
      for _, state in ipairs { "restart", "stop" } do
        collectgarbage(state)
        local messages, _, err = read(case[2])
        assert.equal(state == "restart", collectgarbage "isrunning")
        assert.equal(case[3], err and err.kind)
        assert.equal(case[3] == nil and 2000 or nil, messages and #messages)
      end
    end)
  end

  -- A table whose first element is garbage already.
  local function new_garbage()
    return setmetatable({ {} }, { __mode = "v" })
  end

  -- Calls fn with a collector that begins a cycle when what is in use has doubled.
  local function with_incremental(speed, fn)
    local mode = collectgarbage("incremental", 200, speed)
    collectgarbage()
    local good, err = pcall(fn)
    collectgarbage(mode)
    assert(good, err)
  end

  it("has what the last one left collected before it is read", function()
    with_incremental(100, function()
      local last = setmetatable({ read() }, { __mode = "v" })
      assert.equal(2000, #last[1])
      assert.equal(2000, #read())
      assert.is_nil(last[1])
    end)
  end)

  it("has no cycle of the collector follow at once: its text is still there", function()
    with_incremental(1000, function()
      local messages = read()
      for _ = 1, 5000 do local _ = {} end
      local in_use = collectgarbage "count"
      collectgarbage()
      assert.is_true(in_use - collectgarbage "count" > 600)
      for _, message in ipairs(messages) do assert.equal(300, #message.message) end
    end)
  end)

  it("does not have a program collected that has much else in use", function()
    with_incremental(100, function()
      local much = {}
      for i = 1, 60000 do much[i] = { i } end
      collectgarbage()
      local garbage = new_garbage()
      local messages = read()
      assert.is_table(garbage[1])
      assert.equal(62000, #much + #messages)
    end)
  end)

  it("can be read where the collector is at work, in a finalizer", function()
    local length
    setmetatable({}, { __gc = function() length = #assert(read()) end })
    collectgarbage()
    assert.equal(2000, length)
    assert.is_true(collectgarbage "isrunning")
  end)
end)
