-- lua/raia/meta.lua describes every public name, and no others.
local raia = require "raia"
local core = require "raia.core"

local function read(path)
  local file <close> = assert(io.open(path))
  return file:read("a")
end

local meta = read("lua/raia/meta.lua") .. read("lua/raia/sandbox/meta.lua")

local function set_of(iterator)
  local set = {}
  for name in iterator do set[name] = true end
  return set
end

-- The functions that meta.lua defines on `object`, and the fields it gives a class.
local function described(object)
  return set_of(meta:gmatch("\nfunction " .. object .. "[.:]([%w_]+)"))
end

local function class(name)
  local start = "%-%-%-@class " .. name:gsub("%.", "%%.") .. "%f[^%w][^\n]*\n"
  local body = assert(meta:match(start .. "(.-)\n[^-]"))
  return set_of(("\n" .. body):gmatch("\n%-%-%-@field ([%w_]+)"))
end

local function keys(t)
  local set = {}
  for name in pairs(t) do set[name] = true end
  return set
end

local client = raia.client { base_url = "http://127.0.0.1:1", secret_key = "k" }
local conversation = client:conversation("c")
local request = conversation:refresh { wait = false }

-- Methods are the table __index, or the upvalue of the function that it is.
local function methods(object)
  local index = debug.getmetatable(object).__index
  if type(index) == "function" then index = select(2, debug.getupvalue(index, 1)) end
  return keys(index)
end

-- The names that raia lists when it meets an option it does not know.
local function options_of(f, ...)
  local _, message = pcall(f, ...)
  return set_of(message:match("%(known options: (.-)%)"):gmatch("[%w_]+"))
end

local unknown = { no_such_option = 1 }

local cases = {
  { "the module's functions and fields", function()
    local all = class("raia")
    for name in pairs(described("raia")) do all[name] = true end
    return all
  end, function() return keys(raia) end },
  { "the client's methods", function() return described("client") end,
    function() return methods(client) end },
  { "the operations on conversations", function() return described("conversations") end,
    function() return methods(client.conversations) end },
  { "the operations on a conversation", function() return described("conversation") end,
    function() return methods(conversation) end },
  { "the operations on users", function() return described("users") end,
    function() return methods(client.users) end },
  { "the operations on a user", function() return described("user") end,
    function() return keys(core.methods["raia.user"]) end },
  { "the operations on prompts", function() return described("prompts") end,
    function() return methods(client.prompts) end },
  { "the operations on the agent", function() return described("agent") end,
    function() return methods(client.agent) end },
  { "the operations on files", function() return described("files") end,
    function() return methods(client.files) end },
  { "the operations on usage", function() return described("usage") end,
    function() return methods(client.usage) end },
  { "the operations on feedbacks", function() return described("feedbacks") end,
    function() return methods(client.feedbacks) end },
  { "the client's groups", function() return class("raia.Client") end, function()
    local all = {}
    for name in pairs(core.methods) do
      name = name:match "^raia%.(.*)$"
      all[name] = type(client[name]) == "userdata" or nil
    end
    return all
  end },
  { "the request's methods", function() return described("request") end,
    function() return methods(request) end },
  { "the client's options", function() return class("raia.ClientOptions") end,
    function() return options_of(raia.client, unknown) end },
  { "a call's options", function() return class("raia.CallOptions") end,
    function() return options_of(conversation.refresh, conversation, unknown) end },
  { "the options of send", function()
    local all = class("raia.CallOptions")
    for name in pairs(class("raia.SendOptions")) do all[name] = true end
    return all
  end, function() return options_of(conversation.send, conversation, "x", unknown) end },
  { "the parts of a request", function() return class("raia.RequestParts") end,
    function() return options_of(client.request, client, "GET", "/x", unknown) end },
  { "the sandbox's functions", function() return described("sandbox") end,
    function() return keys(require "raia.sandbox") end },
}

describe("meta.lua", function()
  for _, case in ipairs(cases) do
    it("describes " .. case[1] .. ", and no others", function()
      assert.is_truthy(next(case[3]()))
      assert.same(case[3](), case[2]())
    end)
  end

  it("is Lua", function()
    assert(loadfile("lua/raia/meta.lua"))
    assert(loadfile("lua/raia/sandbox/meta.lua"))
  end)
end)
