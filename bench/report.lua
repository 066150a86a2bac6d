-- Writes the measurements as Markdown and charts.
local runner = require "bench.runner"

local report = {}

local units = { ["µs"] = 1e6, ms = 1e3, s = 1, MB = 1e-6, KB = 1e-3, B = 1 }

local function field(section, line, column, name)
  for _, fields in ipairs { column, line, section.fields } do
    if fields[name] ~= nil then return fields[name] end
  end
end

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
    local unit = field(section, {}, column, "unit")
    head[#head + 1] = column.label .. (unit and " (" .. unit .. ")" or "")
    rule[#rule + 1] = "--:"
    if field(section, {}, column, "against") then
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
      row[#row + 1] = slot and number(
        slot.cost * (units[field(section, line, column, "unit")] or 1), column.format) or ""
      if field(section, {}, column, "against") then
        row[#row + 1] = slot and slot.ratio and ("%.2f"):format(slot.ratio) or ""
      end
    end
    if any then add(row) end
  end
  lines[#lines + 1] = ""
  return table.concat(lines, "\n")
end

-- ---- the file ----

local function output_of(command)
  local pipe = assert(io.popen(command .. " 2>/dev/null"))
  local text = pipe:read "a"
  pipe:close()
  return (text:gsub("%s+$", ""):match "[^\n]*")
end

local versions = {
  { "processor", "sed -n 's/model name.*: //p' /proc/cpuinfo | uniq" }, { "processors", "nproc" },
  { "kernel", "uname -sr" }, { "Lua", "lua5.4 -v | cut -d' ' -f2" },
  { "libcurl", "pkg-config --modversion libcurl" },
  { "lua-cjson", "lua5.4 -e 'print(require \"cjson\"._VERSION)'" },
  { "lua-http", "dpkg-query -W -f '${Version}' lua-http" },
  { "LuaSocket", "dpkg-query -W -f '${Version}' lua-socket" }, { "Node", "node --version" },
  { "nginx", "nginx -v 2>&1 | cut -d/ -f2" },
}

local function write_file(path, text)
  local file = assert(io.open(path, "w"))
  assert(file:write(text))
  assert(file:close())
end

-- ---- charts ----

local function plot(path, size, commands)
  local pipe = assert(io.popen("gnuplot", "w"))
  pipe:write(("set terminal svg size %s font 'sans,12' background 'white'\nset output '%s'\n")
    :format(size, path), commands)
  assert(pipe:close(), "gnuplot failed")
end

local function block(name, rows)
  return "$" .. name .. " << END\n" .. table.concat(rows, "\n") .. "\nEND\n"
end

-- The groups of bars: section, column, what it says below.
local headline = {
  { "send", 1, "send:\\ninstructions" }, { "send", 3, "send:\\nCPU" },
  { "flight", 2, "at once:\\nCPU" }, { "trickle", 2, "trickling in:\\nCPU" },
  { "history", 3, "history:\\nCPU" }, { "cold", 1, "cold start:\\nwall" },
}
local bars = { "raw_cjson", "raia", "luasocket", "lua_http", "fetch" }
local colors = { "#9aa5b1", "#d1495b", "#edae49", "#00798c", "#66a182" }

local function draw_headline(path, measured)
  local rows, plots = {}, {}
  for i, group in ipairs(headline) do
    local of_entrant, row = {}, { ('"%s"'):format(group[3]) }
    for j, line in ipairs(measured[group[1]].section.lines) do
      of_entrant[line.entrant] = measured[group[1]].cells[j][group[2]]
    end
    for j, entrant in ipairs(bars) do
      local slot = of_entrant[entrant]
      row[j + 1] = slot and ("%.3f"):format(slot.ratio) or "?"
    end
    rows[i] = table.concat(row, " ")
  end
  for i, entrant in ipairs(bars) do
    plots[i] = ("$data using %d%s title \"%s\" linecolor rgb '%s'"):format(i + 1,
      i == 1 and ":xtic(1)" or "", runner.entrants[entrant].name, colors[i])
  end
  plot(path, "1100,420", block("data", rows) .. [[
set title 'Costs beside raw libcurl (of a history: beside raw + cjson); less is better'
set datafile missing '?'
set style data histograms
set style fill solid
set boxwidth 0.9
set logscale y
set yrange [0.4:64]
set ytics ('½' 0.5, '1' 1, '2' 2, '4' 4, '8' 8, '16' 16, '32' 32)
set grid ytics
set bmargin 4
set key outside right center Left reverse samplen 1
plot ]] .. table.concat(plots, ", ") .. "\n")
end

local function draw_growth(path, measured)
  local names = { "growth_flight", "growth_calls", "growth_history" }
  local text = { "set multiplot layout 1,3\nset logscale x\nset yrange [0:*]\nset grid\n",
    "set key top left\nset ylabel 'µs'\nset format x '10^%T'\n" }
  for i, name in ipairs(names) do
    local section, cells = measured[name].section, measured[name].cells
    local rows = {}
    for j, line in ipairs(section.lines) do
      rows[j] = ("%d %.3f %.3f"):format(line.x, cells[j][1].cost * 1e6, cells[j][2].cost * 1e6)
    end
    text[#text + 1] = block("data" .. i, rows)
    text[#text + 1] = ("set title '%s' noenhanced\n"):format(section.title)
    text[#text + 1] = ("plot $data%d using 1:2 with linespoints title '%s' lc rgb '%s', "
      .. "$data%d using 1:3 with linespoints title 'raia' lc rgb '%s'\n"):format(i,
      section.columns[1].label, colors[1], i, colors[2])
  end
  plot(path, "1200,360", table.concat(text) .. "unset multiplot\n")
end

-- Writes what a whole run measured: its sections with cells and text.
function report.write(whole, rounds)
  local measured, list = {}, {}
  for _, part in ipairs(whole) do measured[part.section.name] = part end
  for i, version in ipairs(versions) do
    list[i] = ("%s %s"):format(version[1], output_of(version[2]))
  end
  local text = { "# What things cost\n", ([[
Made by `make bench` on %s; rounds: %d (long ones fewer), in which all entrants take turns. A
figure is the median of the rounds, and "×" that of their ratios. Instructions are those of the
program itself (callgrind), CPU is that of its process, memory its peak. The servers are on the
same machine. CPU and wall time are noisy, instructions are not.

%s.

![Costs beside raw libcurl](headline.svg)
![Growth](growth.svg)
]]):format(os.date "!%Y-%m-%d", rounds, table.concat(list, ", ")) }
  for _, part in ipairs(whole) do text[#text + 1] = part.text end
  write_file("bench/RESULTS.md", table.concat(text, "\n"))
  draw_headline("bench/headline.svg", measured)
  draw_growth("bench/growth.svg", measured)
end

return report
