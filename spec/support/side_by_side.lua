-- Runs spec files side by side, each in a process of its own: those that took longest first.
-- lua5.4 side_by_side.lua COUNT DURATIONS COMMAND... -- SPECS...
-- COMMAND is busted's; DURATIONS, a file, keeps how long each has taken. Writes a line for each
-- file as it ends, all that a red one has written, and at last "N passed, N failed".
local uv = require "luv"

local at_once, durations_path = tonumber(arg[1]), arg[2]
local separator = 3
while arg[separator] ~= "--" do separator = separator + 1 end
local command = table.move(arg, 3, separator - 1, 1, {})

local function read_durations()
  local durations = {}
  local file <close> = io.open(durations_path)
  for line in file and file:lines() or function() end do
    local seconds, path = line:match "^([%d.]+) (.+)$"
    if path then durations[path] = tonumber(seconds) end
  end
  return durations
end

local function write_durations(durations)
  local file <close> = assert(io.open(durations_path, "w"))
  for path, seconds in pairs(durations) do file:write(("%.1f %s\n"):format(seconds, path)) end
end

-- Adds a spec file, or those of a folder, to `files`.
local function find(path, files)
  local folder = uv.fs_scandir(path)
  if not folder then
    files[#files + 1] = { path = path, size = (uv.fs_stat(path) or { size = 0 }).size }
    return
  end
  for name in function() return uv.fs_scandir_next(folder) end do
    local inner = path .. "/" .. name
    local is_folder = uv.fs_stat(inner).type == "directory"
    if is_folder or name:find "_spec%.lua$" then find(inner, files) end
  end
end

local durations = read_durations()
local files = {}
for i = separator + 1, #arg do find((arg[i]:gsub("(.)/+$", "%1")), files) end
for _, file in ipairs(files) do file.key = durations[file.path] or math.huge end
table.sort(files, function(a, b)
  if a.key ~= b.key then return a.key > b.key end
  return a.size > b.size
end)

local begun, ended, passed, failed = 0, 0, 0, 0
local running, red, stopped = {}, {}, nil

-- What a process has written, and how much of it passed and failed. At least one test has failed
-- when it ended otherwise than well or told of none.
local function outcome(file, status, signal)
  local output = uv.fs_read(file.output, uv.fs_fstat(file.output).size, 0)
  uv.fs_close(file.output)
  local good, bad = ("\n" .. output):match ".*\n(%d+) passed, (%d+) failed\n"
  good, bad = tonumber(good or 0), tonumber(bad or 0)
  if bad == 0 and (status ~= 0 or good == 0) or signal ~= 0 then
    output = ("%s\nended with status %d%s\n"):format(output, status, stopped and
      ", stopped by " .. stopped or signal ~= 0 and ", killed by signal " .. signal or "")
    bad = math.max(bad, 1)
  end
  return good, bad, output
end

local start

local function on_exit(file, status, signal)
  running[file] = nil
  uv.kill(-file.pid, "sigkill") -- what it may have left behind
  local good, bad, output = outcome(file, status, signal)
  local seconds = (uv.hrtime() - file.begun) / 1e9
  ended, passed, failed = ended + 1, passed + good, failed + bad
  if not stopped then durations[file.path] = seconds end
  if bad > 0 then
    red[#red + 1] = file.path
    print(("\n%s:\n%s"):format(file.path, output))
  end
  print(("%2d of %d  %5.1f s  %4d passed, %d failed  %s"):format(ended, #files, seconds, good, bad,
    file.path))
  io.flush()
  start()
end

-- Begins with the next file, if there is one. It leads a group of processes, to be ended with it.
function start()
  local file = not stopped and files[begun + 1]
  if not file then return end
  begun = begun + 1
  local name
  file.output, name = assert(uv.fs_mkstemp "/tmp/raia_XXXXXX")
  uv.fs_unlink(name)
  local words = table.move(command, 2, #command, 1, {})
  words[#words + 1] = file.path
  file.begun, running[file] = uv.hrtime(), true
  file.process, file.pid = uv.spawn(command[1], { args = words, detached = true,
    stdio = { nil, file.output, file.output } }, function(...) on_exit(file, ...) end)
  assert(file.process, file.pid)
end

local function stop(name)
  stopped = name
  for file in pairs(running) do uv.kill(-file.pid, "sigkill") end
end

for _, name in ipairs { "sigint", "sigterm", "sighup" } do
  local signal = uv.new_signal()
  signal:start(name, function() stop(name:upper()) end)
  signal:unref()
end
for _ = 1, at_once do start() end
uv.run()
write_durations(durations)
for _, path in ipairs(red) do print("red: " .. path) end
if passed + failed == 0 or stopped then
  print(stopped and "stopped by " .. stopped or "no spec file is there")
  failed = math.max(failed, 1)
end
print(("\n%d passed, %d failed"):format(passed, failed))
os.exit(failed == 0, true)
