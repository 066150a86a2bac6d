#!/usr/bin/env lua5.4
-- The command raia-sandbox: reads the command line, then serves until it is stopped or until
-- the command that it was given has ended.

local EPILOG = [[
Outgoing emails, SMS and calls are printed, a line each.

raia-sandbox [OPTIONS] -- COMMAND ARGS... runs a command against a sandbox of its own: with
RAIA_BASE_URL and RAIA_AGENT_SECRET_KEY set, on a free port; it ends with the command's status.
SIGTERM and SIGHUP are passed on to the command.]]

-- Set by raia.sandbox.start, which reads the first line of standard output and keeps it open.
local watched = arg[1] == "--watched"

local function fail(message)
  (watched and io.stdout or io.stderr):write("raia-sandbox: ", message, "\n")
  os.exit(1)
end

local function load_or_fail(name, advice)
  local found, result = pcall(require, name)
  return found and result or fail(advice or result)
end

-- Returns the options, and the words after "--" if there are any.
local function read_arguments()
  local argparse = load_or_fail("argparse",
    "argparse is missing (apt-get install lua-argparse, or luarocks install argparse)")
  local parser = argparse("raia-sandbox", "A local raia, for development and tests.", EPILOG)
  parser:option("--host", "Address to listen on.", "127.0.0.1")
  parser:option("--port", "Port to listen on, 0 for a free one. Default: 8787.")
  parser:option("--key", "Secret key to ask for. Default: $RAIA_SANDBOX_KEY, else sandbox.")
  parser:option("--delay", "Seconds before each answer of the agent.", "0")
  parser:option("--agent", "Lua file, returns function(message, conversation) return text end.")
  parser:option("--outbox", "File to add to what goes out, instead of printing it.")
  parser:option("--tls-cert", "Certificate in PEM, to serve https.")
  parser:option("--tls-key", "Its key in PEM.")
  parser:flag("--any-user", "Let conversations begin with users that nobody has created.")
  parser:flag("--version", "Print the version and end."):action(function()
    print("raia-sandbox, of " .. require "raia.core"._VERSION)
    os.exit(0)
  end)
  parser:flag("--watched"):hidden(true)

  local last = #arg + 1
  for i = #arg, 1, -1 do
    if arg[i] == "--" then last = i end
  end
  local options = parser:parse(table.move(arg, 1, last - 1, 1, {}))
  local command = arg[last] and table.move(arg, last + 1, #arg, 1, {})
  if command and not command[1] then fail("a command is missing after --") end
  if (options.tls_cert == nil) ~= (options.tls_key == nil) then
    fail("--tls-cert and --tls-key go together")
  end
  return options, command
end

local function number(name, text, most, convert)
  local value = convert(text)
  if not value or not (value >= 0 and value <= most) then
    fail(("invalid %s '%s': expected a number from 0 to %d"):format(name, text, most))
  end
  return value
end

local function default_agent(message, conversation)
  local context = conversation.context or conversation.conversationContext
  return "You said: " .. message .. (context and " (I was told: " .. context .. ")" or "")
end

-- A yield of the agent's own would reach the server's loop, and end it.
local function refuse_yields()
  local running, yield = require "cqueues".running, coroutine.yield
  rawset(coroutine, "yield", function(...)
    local _, outermost = running()
    if outermost then
      error("the agent yielded, but it has to return its text (cqueues.sleep waits)", 2)
    end
    return yield(...)
  end)
end

local function load_agent(path)
  refuse_yields()
  local ok, agent = pcall(dofile, path)
  if not ok then fail("agent: " .. tostring(agent):match("[^\n]*")) end
  if type(agent) ~= "function" then
    fail(("agent: %s returned a %s, not a function"):format(path, type(agent)))
  end
  return agent
end

local function open_outbox(path)
  local file, problem = io.open(path, "a")
  return file or fail("outbox: " .. problem)
end

local function quote(text)
  return "'" .. text:gsub("'", "'\\''") .. "'"
end

-- The Lua interpreter that runs this.
local function interpreter()
  local first = 0
  while arg[first - 1] do first = first - 1 end
  return first < 0 and arg[first] or "lua5.4"
end

-- What runs the command, and ends with its status. It is a process of its own: in ours, signals
-- are blocked, to be heard by the server's loop, and what is blocked the command would inherit.
local RUNNER = [[
package.path, package.cpath = %q, %q
local signal = require "cqueues.signal"
for i = 1, 31 do signal.unblock(i) end
local _, how, status = os.execute(%q)
os.exit(how == "exit" and status or 128 + status)]]

-- In a thread, where waiting for the command stops nothing else: runs it, and tells the server's
-- loop its status. A signal that ends the runner was sent to all of us, and the command may be
-- busy with its end. When this has to make an end itself, an agent keeps the processor.
local function wait_for_command(pipe, path, cpath, line, pid_file)
  package.path, package.cpath = path, cpath
  local sleep = require "cqueues".sleep
  local _, how, status = os.execute(line)
  local file = assert(io.open(pid_file))
  local pid, left = file:read "n", how == "signal" and 200 or 0
  file:close()
  os.remove(pid_file)
  if left > 0 then pipe:write("all\n"):flush() end
  while left > 0 and pid and os.execute(("kill -0 %d 2>/dev/null"):format(pid)) do
    sleep(0.05)
    left = left - 1
  end
  status = how == "exit" and status or 128 + status
  pipe:write(("%d\n"):format(status)):flush()
  sleep(1)
  os.exit(status)
end

-- The process of the command; it first writes its id to a file.
local function read_pid(path)
  for _ = 1, 500 do
    local file = io.open(path)
    local pid = file and file:read "n"
    if file then file:close() end
    if pid then return pid end
    require "cqueues".sleep(0.01)
  end
end

-- Runs the command; its end is ours. SIGTERM and SIGHUP are passed on to it; gives what looks for
-- them while an agent keeps the processor.
local function run_command(controller, command, key, url)
  local signal = require "cqueues.signal"
  local passed_on = { signal.SIGTERM, signal.SIGHUP }
  if os.execute "kill -HUP $$" then passed_on[2] = nil end -- ignored here, by nohup say
  local signals = signal.listen(table.unpack(passed_on))
  signal.block(table.unpack(passed_on))

  local pid_file = os.tmpname()
  local words = { "echo $$ >" .. quote(pid_file) .. ";", "RAIA_BASE_URL=" .. quote(url),
    "RAIA_AGENT_SECRET_KEY=" .. quote(key) .. ";",
    "export RAIA_BASE_URL RAIA_AGENT_SECRET_KEY; exec" }
  for _, word in ipairs(command) do words[#words + 1] = quote(word) end
  local runner = RUNNER:format(package.path, package.cpath, table.concat(words, " "))
  local thread, result = require "cqueues.thread".start(wait_for_command, package.path,
    package.cpath, ("exec %s -e %s"):format(quote(interpreter()), quote(runner)), pid_file)
  if not thread then fail("cannot start a thread") end
  local pid = read_pid(pid_file)

  local function pass_on(caught)
    if caught and pid then os.execute(("kill -%d %d 2>/dev/null"):format(caught, pid)) end
  end
  controller:wrap(function()
    while true do
      local caught = signals:wait()
      require "cqueues".sleep(0.1) -- until it is known whether the command has got it itself
      pass_on(caught)
    end
  end)
  controller:wrap(function()
    local line = result:read "*l"
    if line == "all" then pid, line = nil, result:read "*l" end
    os.exit(tonumber(line))
  end)
  return function() pass_on(signals:wait(0)) end
end

-- Ends on SIGTERM, and on Ctrl-C unless that is for the program which watches; gives what looks
-- for them while an agent keeps the processor.
local function stop_on_signals(controller)
  local signal = require "cqueues.signal"
  local signals = signal.listen(signal.SIGTERM, watched and signal.SIGTERM or signal.SIGINT)
  signal.block(signal.SIGTERM, signal.SIGINT)
  controller:wrap(function()
    signals:wait()
    os.exit(0)
  end)
  return function()
    if signals:wait(0) then os.exit(0) end
  end
end

-- A pipe without a reader shows an error on its writing end, whatever is polled for.
local function stop_when_unread(controller)
  io.output(io.stderr)
  _G.print = function(...)
    local words = table.pack(...)
    for i = 1, words.n do words[i] = tostring(words[i]) end
    io.stderr:write(table.concat(words, "\t"), "\n")
  end
  controller:wrap(function()
    require "cqueues".poll { pollfd = 1, events = "r" }
    os.exit(0)
  end)
end

local options, command = read_arguments()
local given = os.getenv("RAIA_SANDBOX_KEY")
local key = options.key or given ~= "" and given or "sandbox"
local server = load_or_fail("raia.sandbox.server")
local sandbox, problem = server.new {
  host = options.host,
  port = number("port", options.port or command and "0" or "8787", 65535, function(text)
    return math.tointeger(tonumber(text))
  end),
  key = key,
  delay = number("delay", options.delay, 86400, tonumber),
  agent = options.agent and load_agent(options.agent) or default_agent,
  outbox = options.outbox and open_outbox(options.outbox) or command and io.stderr or io.stdout,
  any_user = options.any_user,
  control_key = watched and os.getenv("RAIA_SANDBOX_CONTROL_KEY") or nil,
  tls_cert = options.tls_cert,
  tls_key = options.tls_key,
}
if not sandbox then fail(problem) end

if command then
  sandbox.interrupt = run_command(sandbox.controller, command, key, sandbox.url)
else
  sandbox.interrupt = stop_on_signals(sandbox.controller)
  io.stdout:write("raia-sandbox: listening on ", sandbox.url, "\n")
  if not watched then
    local shown = key == "sandbox" and " RAIA_AGENT_SECRET_KEY=sandbox" or ""
    io.stdout:write("raia-sandbox: use it with RAIA_BASE_URL=", sandbox.url, shown, "\n")
  end
  io.stdout:flush()
  if watched then stop_when_unread(sandbox.controller) end
end
sandbox:loop()
