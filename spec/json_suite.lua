-- The published JSON test cases (JSONTestSuite, by its npm package), for `make json_suite`: what
-- must be read is read as Node reads it, what must be refused is refused.
local server = require "spec.support.server"
local connect = require "spec.support.client" ()

local path = assert(os.getenv "JSON_CASES", "run it by `make json_suite`")

local function from_hex(hex)
  return (hex:gsub("%x%x", function(two) return string.char(tonumber(two, 16)) end))
end

local cases = {}
for line in io.lines(path) do
  local name, text, node = line:match "^(%S+) (%S+) (%S+)$"
  cases[#cases + 1] = { name = name, text = text == "-" and "" or from_hex(text),
    node = node ~= "none" and from_hex(node) or nil }
end

-- Cases that the standard leaves open, and why raia differs from Node.
local no_double_is_near = "raia refuses it, Node has Infinity"
local refused = {
  ["i_number_huge_exp.json"] = no_double_is_near,
  ["i_number_neg_int_huge_exp.json"] = no_double_is_near,
  ["i_number_pos_double_huge_exp.json"] = no_double_is_near,
  ["i_number_real_neg_overflow.json"] = no_double_is_near,
  ["i_number_real_pos_overflow.json"] = no_double_is_near,
  ["i_structure_500_nested_arrays.json"] = "raia reads 100 levels",
}
local other = {
  ["number_9223372036854775807.json"] = "raia reads integers of 64 bits exactly, Node rounds",
}

describe("the case", function()
  local peer, client

  setup(function()
    peer = server.start(([[
      local texts = {}
      for line in io.lines(%q) do
        local hex = line:match "^%%S+ (%%S+)"
        texts[#texts + 1] = hex == "-" and "" or hex:gsub("%%x%%x", function(two)
          return string.char(tonumber(two, 16))
        end)
      end
      local connection = ...
      local request = connection:request()
      while request do
        connection:reply(200, texts[tonumber(request.path:match "%%d+$")])
        request = connection:request()
      end]]):format(path))
    client = connect(peer)
  end)

  teardown(function()
    client:close()
    peer:close()
  end)

  local function echo_of(text)
    local one <close> = server.start(("local c = ... while c:request() do c:reply(200, %q) end")
      :format(text))
    local reader <close> = connect(one)
    return assert(reader:request("GET", "/"))
  end

  for i, case in ipairs(cases) do
    it(case.name, function()
      local value, message, err = client:request("GET", "/case/" .. i)
      local good = value ~= nil and message == nil
      if not good then assert.equal("decode", err.kind) end
      if case.text == "" then -- no body is no error
        assert.is_true(value)
      elseif case.name:find "^n_" then
        assert.is_false(good)
      elseif case.name:find "^y_" then
        assert.is_true(good, message)
      elseif good ~= (case.node ~= nil) then
        assert.is_string(refused[case.name], message)
      end
      if good and case.node and case.text ~= "" and not other[case.name] then
        local wrapped = echo_of("[" .. case.node .. "]")
        assert.same(wrapped[1], value)
      end
    end)
  end
end)
