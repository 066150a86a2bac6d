-- JSON for the sandbox, on lua-cjson: arrays that are empty, text that is kept as it came, whole
-- numbers as integers.

local cjson = require "cjson".new()

cjson.decode_invalid_numbers(false)

local json = {}

local ARRAY, RAW = {}, {}

-- Marks a table as an array.
function json.array(list) return setmetatable(list or {}, ARRAY) end

-- A value that is written as the text of it.
function json.raw(text) return setmetatable({ text = text }, RAW) end

function json.encode(value)
  if type(value) == "string" then
    return cjson.encode(utf8.len(value) and value or value:gsub("[\x80-\xff]", "?"))
  elseif type(value) ~= "table" then
    return math.type(value) == "integer" and ("%d"):format(value) or cjson.encode(value)
  end
  local mark, parts = getmetatable(value), {}
  if mark == RAW then return value.text end
  if mark == ARRAY or value[1] ~= nil then
    for i, one in ipairs(value) do parts[i] = json.encode(one) end
    return "[" .. table.concat(parts, ",") .. "]"
  end
  local names = {}
  for name in pairs(value) do names[#names + 1] = name end
  table.sort(names)
  for i, name in ipairs(names) do
    parts[i] = cjson.encode(name) .. ":" .. json.encode(value[name])
  end
  return "{" .. table.concat(parts, ",") .. "}"
end

local function to_integers(value)
  if type(value) == "table" then
    for name, one in pairs(value) do value[name] = to_integers(one) end
  elseif type(value) == "number" and math.abs(value) < 2 ^ 53 then
    return math.tointeger(value) or value
  end
  return value
end

function json.decode(text) return to_integers(cjson.decode(text)) end

-- A body of a request as a table without its nulls, or nil and what is wrong with it.
function json.read_body(text)
  if not utf8.len(text) then return nil, "the body is not UTF-8" end
  local ok, body = pcall(json.decode, text)
  if not ok then return nil, "the body is not JSON: " .. body end
  if not text:find("^%s*{") then return nil, "the body is not a JSON object" end
  for name, value in pairs(body) do
    if value == cjson.null then body[name] = nil end
  end
  return body
end

-- The text of one member of a JSON object that lua-cjson has accepted, so that it can be given
-- back as it came. Strings are masked, byte for byte, which lets brackets be matched.
function json.member_text(text, wanted)
  local mask = text:gsub("\\.", "__"):gsub('"([^"]*)"', function(inside)
    return '"' .. ("_"):rep(#inside) .. '"'
  end)
  local result
  local at = mask:match("^%s*{()")
  while at do
    local from, to, value = mask:match('^%s*"()_*()"%s*:%s*()', at)
    local stop = mask:match("^%b{}()", value) or mask:match("^%b[]()", value)
      or mask:match("^[^,}%s]+()", value)
    if text:sub(from, to - 1) == wanted then result = text:sub(value, stop - 1) end
    at = mask:match("^%s*,()", stop)
  end
  return result
end

return json
