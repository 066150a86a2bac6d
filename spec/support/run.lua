-- Runs a command for a spec, with the module under test found by its children.
local function quote(text)
  return "'" .. tostring(text):gsub("'", "'\\''") .. "'"
end

-- Where a spec of specs has what they run written down, and what came of it.
local path = os.getenv "RAIA_SPEC_TRANSCRIPT"
local transcript = path and assert(io.open(path, "a"))

-- Starts `command` by the shell with `environment` added (false: taken away) and `input` on its
-- standard input. Gives a function that waits for its end, and gives all it wrote, both streams,
-- and its exit status.
local function start(command, environment, input)
  local words = { "env" }
  for name, value in pairs(environment or {}) do
    if value == false then
      table.insert(words, 2, "-u " .. name)
    else
      words[#words + 1] = quote(name .. "=" .. value)
    end
  end
  words[#words + 1] = quote("LUA_PATH_5_4=" .. package.path)
  words[#words + 1] = quote("LUA_CPATH_5_4=" .. package.cpath)
  local from = os.tmpname()
  local file = assert(io.open(from, "w"))
  file:write(input or "")
  file:close()
  local line = ("%s sh -c %s < %s 2>&1"):format(table.concat(words, " "), quote(command), from)
  local pipe = assert(io.popen(line, "r"))
  return function()
    local output = pipe:read("a")
    local _, _, status = pipe:close()
    os.remove(from)
    if transcript then transcript:write("\n$ ", command, "\n", output):flush() end
    return output, status
  end
end

-- The same, and waits for its end.
local function run(...) return start(...)() end

-- The environment in which a program finds `sandbox`.
local function of_sandbox(sandbox)
  return { RAIA_BASE_URL = sandbox.base_url, RAIA_AGENT_SECRET_KEY = sandbox.secret_key }
end

return { run = run, start = start, quote = quote, of_sandbox = of_sandbox }
