-- Checks the rules of src/README.md that can be read off the sources: no circle of #includes, each
-- floor keeps to itself, a name of one static function only, files of at most 400 lines, functions
-- of at most 60. Prints what breaks them.
local allowed = { transfer = true, loop = true, endpoint = true, process = true } -- net/, in lua/
local strange = { net = { "<lua%w*%.h>", "<lauxlib%.h>" }, lua = { "CURL", "curl/" } }
local LINES, FUNCTION_LINES = 400, 60
local includes, state, owner, bad = {}, {}, {}, 0

local function wrong(...)
  print(string.format(...))
  bad = bad + 1
end

for name, floor in io.popen("ls src/*/*.[ch]"):read("a"):gmatch("(src/(%w+)/%S+)") do
  local text = assert(io.open(name)):read("a")
  includes[name] = {}
  for to in text:gmatch('#include "([^"]+)"') do
    table.insert(includes[name], "src/" .. (to:find("/") and to or floor .. "/" .. to))
    local own = not to:find("/")
    if not own and not (floor == "lua" and allowed[to:match("^net/([%w_]+)%.h$")]) then
      wrong("%s must not include %s", name, to)
    end
  end
  for _, pattern in ipairs(strange[floor]) do
    if text:find(pattern) then wrong("%s must not have %s", name, text:match(pattern)) end
  end
end

for name in io.popen("ls src/*/*.c"):read("a"):gmatch("%S+") do
  local number, from, head = 0, nil, nil
  for line in io.lines(name) do
    number = number + 1
    if line:find "^%a.*%(" then from, head = number, line end
    local static = line:match "^static .-([%w_]+)%("
    if static and owner[static] and owner[static] ~= name then
      wrong("%s and %s both have a function %s", owner[static], name, static)
    end
    if static then owner[static] = name end
    if from and line == "}" and number - from >= FUNCTION_LINES then
      wrong("%s: %d lines: %s", name, number - from + 1, head)
    end
  end
  if number > LINES then wrong("%s has %d lines", name, number) end
end

local function visit(name, from)
  if state[name] == "open" then wrong("%s and %s include each other", from, name) end
  if state[name] then return end
  state[name] = "open"
  for _, to in ipairs(includes[name] or {}) do visit(to, name) end
  state[name] = "done"
end
for name in pairs(includes) do visit(name) end
os.exit(next(includes) ~= nil and bad == 0)
