-- Makes Markdown and charts of what was measured.
local runner = require "bench.runner"

local report = {}

local units = { ["µs"] = 1e6, ms = 1e3, s = 1, MB = 1e-6, KB = 1e-3, B = 1 }

local function number(x, format)
  if format then return format:format(x) end
  local text = x < 10 and ("%.2f"):format(x) or x < 100 and ("%.1f"):format(x)
    or ("%.0f"):format(x)
  local whole, rest = text:match "^(%-?%d+)(.*)$"
  return whole:reverse():gsub("(%d%d%d)", "%1,"):reverse():gsub("^,", "") .. rest
end

function report.table(section, cells)
  local head, rule = { "" }, { "---" }
  for _, column in ipairs(section.columns) do
    head[#head + 1] = column.label .. (column.unit and " (" .. column.unit .. ")" or "")
    rule[#rule + 1] = "--:"
    local against = column.against
    if against == nil then against = section.fields.against end
    if against then
      head[#head + 1] = "× " .. (column.against_name or section.fields.against_name)
      rule[#rule + 1] = "--:"
    end
  end
  local lines = { "## " .. section.title, "" }
  if section.note then table.move({ section.note, "" }, 1, 2, 3, lines) end
  local function add(row) lines[#lines + 1] = "| " .. table.concat(row, " | ") .. " |" end
  add(head)
  add(rule)
  for i, line in ipairs(section.lines) do
    local row, any = { line.label or runner.entrants[line.entrant].name }, false
    for j, column in ipairs(section.columns) do
      local slot = cells[i][j]
      any = any or slot
      row[#row + 1] = slot and number(slot.cost * (units[column.unit] or 1), column.format) or ""
      local against = column.against
      if against == nil then against = section.fields.against end
      if against then
        row[#row + 1] = slot and slot.ratio and ("%.2f"):format(slot.ratio) or ""
      end
    end
    if any then add(row) end
  end
  lines[#lines + 1] = ""
  return table.concat(lines, "\n")
end

function report.write() end

return report
