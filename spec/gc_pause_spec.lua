-- Lua's garbage collector is stopped while a large reply is decoded, and restored afterwards.
local servers = require "spec.support.server"
local support = require "spec.support.run"
local connect = require "spec.support.client" ()

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
    client = connect(server)
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

  -- What a program prints that has nothing else in use. In it, read() gives a history; weak(x)
  -- is a table whose first element nobody holds; the collector begins when what is in use doubles.
  local function output_of(program)
    local head = [[
      local client = require "raia".client { secret_key = "k", base_url = "%s" }
      local function read() return assert(client:conversation("c"):messages()) end
      local function weak(value) return setmetatable({ value }, { __mode = "v" }) end
      collectgarbage("incremental", 200, 100)
      collectgarbage()
    ]]
    return (support.run("lua5.4 -", nil, head:format(server.base_url) .. program))
  end

  it("has what the last one left collected before it is read", function()
    assert.equal("2000 2000 nil\n", output_of([[
      local last = weak(read())
      local count = #last[1]
      print(count .. " " .. #read() .. " " .. tostring(last[1]))]]))
  end)

  it("does not have a program collected that has much else in use", function()
    assert.equal("62000 table\n", output_of([[
      local much = {}
      for i = 1, 60000 do much[i] = { i } end
      collectgarbage()
      local garbage = weak {}
      local messages = read()
      print(#much + #messages .. " " .. type(garbage[1]))]]))
  end)

  it("can be read where the collector is at work, in a finalizer", function()
    local length
    setmetatable({}, { __gc = function() length = #assert(read()) end })
    collectgarbage()
    assert.equal(2000, length)
    assert.is_true(collectgarbage "isrunning")
  end)
end)
