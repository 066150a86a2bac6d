-- Measures raia beside raw libcurl and its peers: main.lua [--rounds N] [SECTION]…
package.path = "./?.lua;" .. package.path
local argparse = require "argparse"
local runner = require "bench.runner"
local sections = require "bench.sections"
local report = require "bench.report"

local parser = argparse("bench", "Measures raia beside raw libcurl and its peers.")
parser:argument("section"):args "*"
parser:option("--rounds", "Rounds, whose median counts."):convert(tonumber):default "5"
local arguments = parser:parse()
local chosen = {}
for _, name in ipairs(arguments.section) do chosen[name] = true end

local terminal = os.execute "test -t 2"

local function progress(...)
  if terminal then io.stderr:write("\r\27[K", string.format(...)) end
end

local missing = {}
for name, entrant in pairs(runner.entrants) do
  if not runner.has(name) then
    missing[name] = true
    io.stderr:write(("%s is not on this machine: left out\n"):format(entrant.name))
  end
end

-- The cell of a line and a column, or nil where there is none.
local function cell_of(section, line, column)
  local cell = runner.merged(runner.merged(section.fields, line), column)
  if missing[cell.entrant] or (column.not_of == cell.entrant) then return nil end
  return cell
end

-- Measures a section: in each round all its cells, in turns.
local function measure(section, rounds)
  local cells = {} -- by line and column: the cell, its costs, its ratios
  for i, line in ipairs(section.lines) do
    cells[i] = {}
    for j, column in ipairs(section.columns) do
      local cell = cell_of(section, line, column)
      cells[i][j] = cell and { cell = cell, costs = {}, ratios = {} }
    end
  end
  for round = 1, rounds do
    for i, line in ipairs(section.lines) do
      for j, column in ipairs(section.columns) do
        local slot = cells[i][j]
        if slot and (round == 1 or not (column.steady or line.steady)) then
          progress("%s: round %d of %d: %s, %s", section.name, round, rounds,
            line.label or runner.entrants[slot.cell.entrant].name, column.label)
          local cost = runner.cost(slot.cell, section.name .. round)
          slot.costs[#slot.costs + 1] = cost
          if slot.cell.against then
            local reference = runner.merged(slot.cell, slot.cell.against)
            slot.ratios[#slot.ratios + 1] =
              cost / runner.cost(reference, section.name .. round)
          end
        end
      end
    end
  end
  for _, row in ipairs(cells) do
    for _, slot in pairs(row) do
      slot.cost = runner.median(slot.costs)
      slot.ratio = #slot.ratios > 0 and runner.median(slot.ratios) or nil
    end
  end
  progress ""
  return cells
end

local whole = {}
for _, section in ipairs(sections) do
  if next(chosen) == nil or chosen[section.name] then
    chosen[section.name] = nil
    local cells = measure(section, math.min(arguments.rounds, section.rounds or math.huge))
    local text = report.table(section, cells)
    print(text)
    whole[#whole + 1] = { section = section, cells = cells, text = text }
  end
end
if next(chosen) then parser:error("there is no section '" .. next(chosen) .. "'") end
if #whole == #sections then report.write(whole, arguments.rounds) end
