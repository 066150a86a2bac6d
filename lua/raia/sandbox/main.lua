#!/usr/bin/env lua5.4
-- The command raia-sandbox: reads the command line, then serves until it is stopped or until
-- the command that it was given has ended.

local EPILOG = [[
Outgoing emails, SMS and calls are printed, a line each.

raia-sandbox [OPTIONS] -- COMMAND ARGS... runs a command against a sandbox of its own: with
RAIA_BASE_URL and RAIA_AGENT_SECRET_KEY set, on a free port; it ends with the command's status.]]

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

-- Gives the options, and the words after "--" if there are any.
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
    fail(("bad %s '%s': it is a number from 0 to %d"):format(name, text, most))
  end
  return value
end

local function default_agent(message, conversation)
  local context = conversation.context or conversation.conversationContext
  return "You said: " .. message .. (context and " (I was told: " .. context .. ")" or "")
end

local function load_agent(path)
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

-- The command runs in a thread, where waiting for it stops nothing else. The threads of cqueues
-- block every signal, which the command would inherit. When the thread has to make an end itself,
-- an agent keeps the processor.
local function run_command(controller, command, key, url)
  local words = { "RAIA_BASE_URL=" .. quote(url), "RAIA_AGENT_SECRET_KEY=" .. quote(key) .. ";",
    "export RAIA_BASE_URL RAIA_AGENT_SECRET_KEY; exec" }
  for _, word in ipairs(command) do words[#words + 1] = quote(word) end
  local thread, result = require "cqueues.thread".start(function(pipe, path, cpath, line)
    package.path, package.cpath = path, cpath
    local signal = require "cqueues.signal"
    for i = 1, 31 do signal.unblock(i) end
    local _, how, status = os.execute(line)
    status = how == "exit" and status or 128 + status
    pipe:write(("%d\n"):format(status))
    pipe:flush()
    require "cqueues".sleep(1)
    os.exit(status)
  end, package.path, package.cpath, table.concat(words, " "))
  if not thread then fail("cannot start a thread") end
  controller:wrap(function() os.exit(tonumber(result:read("*l"))) end)
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

-- A pipe that nobody reads any more is an error on its writing end, whatever is waited for there.
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
  outbox = options.outbox and open_outbox(options.outbox) or io.stdout,
  tls_cert = options.tls_cert,
  tls_key = options.tls_key,
}
if not sandbox then fail(problem) end

if command then
  run_command(sandbox.controller, command, key, sandbox.url)
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
