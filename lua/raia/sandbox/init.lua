-- Starts a sandbox as a process of its own: require "raia.sandbox".start { ... }.
-- Needs nothing but Lua; only the other process needs lua-http.

local OPTIONS = { port = "number", key = "string", delay = "number", agent = "string",
  outbox = "string", tls_cert = "string", tls_key = "string", lua = "string",
  any_user = "boolean", answers = "table" }

-- The folder of this file, from `require` or, if a host's own does not tell, the debug library.
local package, debug, io, os = package, debug, io, os -- which a host may take away
local function folder(file) return tostring(file):match("^@?(.*)init%.lua$") end
local HERE = folder(select(2, ...)) or debug and folder(debug.getinfo(1, "S").source)

local function quote(text)
  return "'" .. text:gsub("'", "'\\''") .. "'"
end

local function check(options)
  if type(options) ~= "table" then error("raia.sandbox: the options must be a table", 3) end
  for name, value in pairs(options) do
    local expected = OPTIONS[name]
    if not expected then
      error(("raia.sandbox: unknown option '%s'"):format(tostring(name)), 3)
    elseif type(value) ~= expected then
      error(("raia.sandbox: option '%s' must be a %s, not a %s"):format(
        name, expected, type(value)), 3)
    elseif expected == "string" and (value == "" or value:find("%z")) then
      error(("raia.sandbox: option '%s' must not be empty or hold a NUL"):format(name), 3)
    end
  end
end

-- The shell prints its process id and becomes the sandbox. The keys are passed in the environment.
local function command(options, key, control_key)
  local path, cpath = HERE:gsub("raia[/\\]sandbox[/\\]$", "") .. "?.lua;;", ";;"
  if package and _VERSION == "Lua 5.4" then path, cpath = package.path, package.cpath end
  local words = {
    "echo $$;",
    "LUA_PATH_5_4=" .. quote(path), "LUA_CPATH_5_4=" .. quote(cpath),
    "RAIA_SANDBOX_KEY=" .. quote(key), "RAIA_SANDBOX_CONTROL_KEY=" .. quote(control_key),
    "exec", quote(options.lua or "lua5.4"), quote(HERE .. "main.lua"), "--watched",
    ("--port=%.17g --delay=%.17g"):format(options.port or 0, options.delay or 0),
    "--outbox=" .. quote(options.outbox or "/dev/null"),
  }
  for _, name in ipairs { "agent", "tls_cert", "tls_key" } do
    if options[name] then
      words[#words + 1] = "--" .. name:gsub("_", "-") .. "=" .. quote(options[name])
    end
  end
  if options.any_user then words[#words + 1] = "--any-user" end
  words[#words + 1] = "</dev/null"
  return table.concat(words, " ")
end

local Sandbox = {}
Sandbox.__index = Sandbox
Sandbox.__name = "raia.sandbox"

-- The process ends by itself when nobody holds the other end of its pipe, but a process that was
-- started meanwhile may have inherited that end, and an agent may be busy: so it is ended.
function Sandbox:close()
  local pipe = self.pipe
  self.pipe = nil
  if pipe then
    os.execute("kill -9 " .. self.pid .. " 2>/dev/null")
    pipe:close()
  end
end

Sandbox.__gc = Sandbox.close
Sandbox.__close = Sandbox.close

-- ---- for tests of programs ----

-- Calls the sandbox's control endpoint; raises what goes wrong there.
local function control(self, name, body)
  local client = require "raia".client { base_url = self.base_url, secret_key = self.control_key,
    ca_file = self.tls_cert, proxy = "" }
  local reply, message = client:request("POST", "/sandbox/" .. name, { body = body or {} })
  client:close()
  if not reply then error("sandbox:" .. name .. ": " .. message, 3) end
  return reply
end

function Sandbox:fail(fault) control(self, "fail", fault) end
function Sandbox:answers(list) control(self, "answers", { answers = list }) end
function Sandbox:receive(message) return control(self, "receive", message) end
function Sandbox:requests() return control(self, "requests").list end
function Sandbox:outbox() return control(self, "outbox").list end
function Sandbox:reset() control(self, "reset") end

function Sandbox:__tostring()
  return ("raia.sandbox: %s%s"):format(self.base_url, self.pipe and "" or " (closed)")
end

local function start(options)
  options = options or {}
  check(options)
  local missing = not (io and io.popen) and "io.popen" or not (os and os.execute) and "os.execute"
    or not HERE and "a `require` that tells a file where it is, or `debug`"
  if missing then error("raia.sandbox: this host lacks " .. missing, 2) end
  local key = options.key or os.getenv("RAIA_SANDBOX_KEY") or "sandbox"
  local control_key = ("control-%08x%08x"):format(math.random(0, 0xffffffff),
    math.random(0, 0xffffffff))
  local pipe, problem = io.popen(command(options, key, control_key), "r")
  if not pipe then return nil, problem end
  local pid, line = pipe:read("*l"), pipe:read("*l")
  local url = line and line:match("^raia%-sandbox: listening on (%S+)$")
  if not url then
    pipe:close()
    return nil, line or "the sandbox did not start: see standard error"
  end
  local self = setmetatable({ pipe = pipe, pid = pid, base_url = url, secret_key = key,
    control_key = control_key, tls_cert = options.tls_cert }, Sandbox)
  if options.answers then self:answers(options.answers) end
  return self
end

return { start = start }
