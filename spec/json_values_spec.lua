-- JSON: round trips of thousands of generated values, compared with lua-cjson and dkjson.
local cjson = require("cjson").new()
local dkjson = require "dkjson"
local raia = require "raia"
local server = require "spec.support.server"
local connect = require "spec.support.client" ()

local SEED = tonumber(os.getenv "JSON_SEED" or 1)

local ECHO = [[
  local connection = ...
  local request = connection:request()
  while request do
    connection:reply(200, request.body)
    request = connection:request()
  end]]

describe("JSON", function()
  local peer, client

  setup(function()
    peer = server.start(ECHO)
    client = connect(peer)
    math.randomseed(SEED)
  end)

  teardown(function()
    client:close()
    peer:close()
  end)

  local function echo(body) return assert(client:request("POST", "/echo", { body = body })) end

  local function check_same_numbers(list)
    local got = echo(list)
    assert.equal(#list, #got)
    for i, x in ipairs(list) do
      if got[i] ~= x or 1 / got[i] ~= 1 / x then
        error(("%a became %a"):format(x, got[i]))
      end
    end
  end

  it("keeps 100,000 doubles of any bits", function()
    for _ = 1, 100 do
      local list = {}
      while #list < 1000 do
        local x = string.unpack("d", string.pack("i8", math.random(0)))
        if x == x and math.abs(x) < math.huge then list[#list + 1] = x end
      end
      check_same_numbers(list)
    end
  end)

  it("keeps sums, averages and shares of everyday numbers", function()
    local list = {}
    for i = 1, 1000 do
      list[i] = ({ i / 7, i / 100 + 0.1, i * 1.1, 1 / i, i % 13 / 12, i + 1e-6 })[i % 6 + 1]
    end
    check_same_numbers(list)
  end)

  it("keeps integers at every edge", function()
    local list = {}
    for power = 0, 62 do
      for around = -2, 2 do
        list[#list + 1] = (1 << power) + around
        list[#list + 1] = -(1 << power) + around
      end
    end
    list[#list + 1], list[#list + 2] = math.maxinteger, math.mininteger
    local got = echo(list)
    for i, n in ipairs(list) do
      assert.equal(n, got[i])
      assert.equal("integer", math.type(got[i]))
    end
  end)

  local pieces = { "a", "é", "😀", "\0", "\"", "\\", "/", "\n", "\u{2028}", "\127", "word ", "" }

  local function text()
    local words = {}
    for i = 1, math.random(0, 12) do words[i] = pieces[math.random(#pieces)] end
    return table.concat(words)
  end

  local function value(depth)
    local kind = math.random(depth > 0 and 8 or 5)
    if kind == 1 then return text() end
    if kind == 2 then return math.random(-1000, 1000) end
    if kind == 3 then return math.random() end
    if kind == 4 then return math.random(2) == 1 end
    if kind == 5 then return "x" .. math.random(9) end
    local result = kind == 6 and raia.array {} or {}
    for i = 1, math.random(0, 6) do
      if kind == 6 then
        result[i] = math.random(10) == 1 and raia.null or value(depth - 1)
      else
        result[text() .. i] = value(depth - 1)
      end
    end
    return result
  end

  -- Whether both are the same; lua-cjson has no integers.
  local function same(a, b)
    if type(a) ~= "table" or type(b) ~= "table" then return a == b end
    for key, inside in pairs(a) do
      if not same(inside, b[key]) then return false end
    end
    for key in pairs(b) do
      if a[key] == nil then return false end
    end
    return true
  end

  local others = {
    ["lua-cjson"] = { read = cjson.decode, write = cjson.encode },
    dkjson = { read = function(json) return dkjson.decode(json, 1, raia.null) end,
      write = function(list)
        return dkjson.encode(list, { exception = function() return "null" end })
      end },
  }

  it("is read the same by others, of 10,000 values, and reads it back", function()
    for _ = 1, 100 do
      local list = {}
      for i = 1, 100 do list[i] = value(4) end
      local got = echo(list)
      local requests = peer:requests()
      for i = 1, 100 do assert.is_true(same(list[i], got[i])) end
      for name, other in pairs(others) do
        local read = other.read(requests[#requests].body)
        for i = 1, 100 do assert.is_true(same(list[i], read[i]), name) end
      end
    end
  end)

  it("reads what others make of 10,000 values as they do", function()
    for i = 1, 100 do
      local name = i % 2 == 0 and "dkjson" or "lua-cjson"
      local list = {}
      for j = 1, 100 do list[j] = value(4) end
      local written = others[name].write(list)
      local script = ("local c = ... while c:request() do c:reply(200, %q) end"):format(written)
      local server_of_it <close> = server.start(script)
      local reader <close> = connect(server_of_it)
      local got = assert(reader:request("GET", "/"))
      assert.is_true(same(others[name].read(written), got), name)
    end
  end)
end)
