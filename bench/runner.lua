-- Measures: runs an entrant under a tool and reads off what it cost.
--
-- A cell says what: entrant, scenario, at (a server, and the path before that of the API), count,
-- most (in flight), metric; less (fields of another cell, whose cost is taken off), per (divides
-- what is left), gives (what the check value is made of).
local cjson = require "cjson"

local runner = {}

local build = os.getenv "BENCH_BUILD"
local directory = os.getenv "BENCH_DIRECTORY"
local urls = { static = os.getenv "BENCH_STATIC", delay = os.getenv "BENCH_DELAY",
  tls = os.getenv "BENCH_TLS" }

runner.entrants = {
  raw = { name = "raw libcurl", command = build .. "/raw" },
  raw_cjson = { name = "raw + cjson", command = build .. "/raw_cjson" },
  raia = { name = "raia", command = "lua5.4 bench/entrants/raia.lua" },
  luasocket = { name = "LuaSocket + cjson, no kept connection",
    command = "lua5.4 bench/entrants/luasocket.lua" },
  lua_http = { name = "lua-http + cjson", command = "lua5.4 bench/entrants/lua_http.lua" },
  fetch = { name = "Node's fetch", command = "node bench/entrants/fetch.mjs" },
}

local function read_file(path)
  local file = assert(io.open(path, "rb"))
  local text = file:read "a"
  file:close()
  return text
end

-- ---- tools: a command line around the entrant's, and the costs in what it wrote ----

local out = directory .. "/measured"

local function total(text)
  return { calls = tonumber(text:match "(%d+) total") or 0 }
end

local tools = {
  callgrind = {
    "valgrind --tool=callgrind --callgrind-out-file=/dev/null --log-file=" .. out,
    function(text) return { instructions = tonumber(text:match "Collected : (%d+)") } end,
  },
  strace = { "strace -f -c -U calls,name -o " .. out, total },
  connects = { "strace -f -c -U calls,name -e trace=connect -o " .. out,
    function(text) return { connects = total(text).calls } end },
  measure = { "3>" .. out .. " " .. build .. "/measure", function(text)
    local wall, cpu, memory = text:match "(%S+) (%S+) (%S+)"
    return { wall = tonumber(wall), cpu = tonumber(cpu), memory = tonumber(memory) }
  end },
}

local tool_of = { instructions = "callgrind", calls = "strace", connects = "connects",
  wall = "measure", cpu = "measure", memory = "measure" }

-- ---- what has to come back ----

local replies = {}

-- Of a reply: its bytes, and what the entrants that decode it make of it.
local function reply(name)
  if not replies[name] then
    local text = read_file(directory .. "/" .. name .. ".json")
    local value = cjson.decode(text)
    local messages = value.messages or { value }
    replies[name] = { bytes = #text,
      check = #messages[#messages].message + (value.messages and #messages or 0) }
  end
  return replies[name]
end

local function expected(cell)
  if cell.gives == "count" then return cell.count end
  local answer = reply(cell.at:match "^static/(h%d+)" or "answer")
  local one = cell.entrant == "raw" and answer.bytes or answer.check
  return cell.gives == "one" and one or one * cell.count
end

-- ---- a cell ----

local function merged(cell, fields)
  local new = {}
  for k, v in pairs(cell) do new[k] = v end
  for k, v in pairs(fields) do new[k] = v end
  return new
end
runner.merged = merged

local costs, round = {}, nil -- of the runs of a round, by their command lines

local function run(cell)
  local tool, read = table.unpack(tools[tool_of[cell.metric]])
  local server, prefix = cell.at:match "^(%w+)(.*)$"
  if tool_of[cell.metric] == "measure" then tool = tool .. " " .. (cell.runs or 1) end
  local command = ("%s %s %s %s %d %s"):format(tool, runner.entrants[cell.entrant].command,
    cell.scenario, urls[server] .. prefix, cell.count, cell.most or "")
  if not costs[command] then
    local pipe = assert(io.popen("exec " .. command))
    local output = pipe:read "a"
    local ended, _, status = pipe:close()
    if not ended then error(("%s ended with %s"):format(command, status), 0) end
    local last = tonumber(output:match "(%d+)%s*$")
    if last ~= expected(cell) then
      error(("%s came back with %s, not %s"):format(command, output, expected(cell)), 0)
    end
    costs[command] = read(read_file(out))
  end
  return assert(costs[command][cell.metric])
end

-- What the cell costs in round `now`. What it has in common with others is run once a round.
function runner.cost(cell, now)
  if now ~= round then costs, round = {}, now end
  local cost = run(cell)
  if cell.less then cost = cost - run(merged(cell, cell.less)) end
  return cost / (cell.per or 1)
end

function runner.median(list)
  local sorted = table.move(list, 1, #list, 1, {})
  table.sort(sorted)
  local middle = (#sorted + 1) // 2
  return #sorted % 2 == 1 and sorted[middle] or (sorted[middle] + sorted[middle + 1]) / 2
end

-- Whether the entrant can be run on this machine.
function runner.has(entrant)
  local program = runner.entrants[entrant].command:match "^%S+"
  local has = os.execute("command -v " .. program .. " >/dev/null")
  if has and entrant == "luasocket" then has = pcall(require, "socket.http") end
  if has and entrant == "lua_http" then has = os.execute("lua5.4 -e 'require \"cqueues\"'") end
  return has and true or false
end

return runner
