-- Calls servers of others, and prints a table of what came of it. "3 lost": so many calls have
-- failed as they may, because the server went; a retry would have been a risk.
-- lua5.4 spec/interop/main.lua [SERVER...]
local cases = require "spec.interop.cases"
local certificates = require "spec.support.certificates"
local raia = require "raia"
local servers = require "spec.interop.servers"
local site = require "spec.interop.site"

local LIMIT = 60 -- seconds for a case

local chosen = {}
for _, name in ipairs(arg) do chosen[name] = true end

local passed, problems = 0, {}

-- Plays a case, and gives the word for the table.
local function play(case, row, protocol, made)
  local server <close> = site.open(row, protocol, made, case.idle or 30)
  local ok, word, why = pcall(raia.timeout, LIMIT, cases.play, case, server)
  if ok and word then
    passed = passed + 1
    return word
  end
  problems[#problems + 1] = ("%s, %s, %s: %s\n%s"):format(row.name, protocol, case.name,
    tostring(ok and why or word):match "[^\n]*", server:log():sub(-500))
  return "FAILED"
end

local function cell(text)
  io.write(("%-12s"):format(text))
  io.flush()
end

local function line(row, protocol, made)
  cell(row.name)
  cell(protocol)
  for _, case in ipairs(cases.rows) do
    local left_out = row.without and row.without[case.name]
    cell(left_out and "-" or play(case, row, protocol, made))
  end
  io.write "\n"
end

local function all(made)
  cell "server"
  cell "protocol"
  for _, case in ipairs(cases.rows) do cell(case.name) end
  io.write "\n"
  for _, row in ipairs(servers) do
    local wanted = chosen[row.name] or not next(chosen)
    if wanted and not site.fetch(row) then
      cell(row.name)
      io.write(("left out: no %s, and no package %s\n"):format(row.command, row.package))
    elseif wanted then
      for _, protocol in ipairs { "HTTP/1.1", "HTTP/2" } do
        if row[protocol] then line(row, protocol, made) end
      end
    end
  end
end

local made = certificates()
local ok, why = pcall(all, made)
made.remove()
for _, problem in ipairs(problems) do io.write("\n", problem, "\n") end
if not ok then io.write("\n", tostring(why), "\n") end
io.write(("%d passed, %d failed\n"):format(passed, #problems + (ok and 0 or 1)))
os.exit(ok and #problems == 0, true)
