-- A server of others at work: site.open(row of servers.lua, protocol, certificates, idle), where
-- idle is the seconds after which it closes a connection.
local messages = require "spec.interop.messages"
local servers = require "spec.support.server"
local socket = require "cqueues.socket"
local support = require "spec.support.run"

local HERE = debug.getinfo(1, "S").source:match "^@(.*/)"
local FETCHED = HERE .. "../../build/interop"

-- Runs it in a folder of its own. A line of input starts it anew; the end of the input, which
-- comes however the writer ends, stops it and takes the folder away.
local SCRIPT = [[
unset LD_PRELOAD # a sanitizer, meant for the process under test: pkill hangs with it
cd @dir@ && trap : INT
while
  env HOME=@dir@ XDG_CONFIG_HOME=@dir@ XDG_DATA_HOME=@dir@ \
    @command@ @arguments@ </dev/null >>log 2>&1 &
  pid=$!
  echo $pid >pid
  read -r line
  again=$?
  kill $pid
  tries=0
  while kill -0 $pid && test $tries -lt 30; do sleep 0.1; tries=$((tries + 1)); done
  pkill -KILL -P $pid
  kill -KILL $pid
  test $again = 0
do :; done 2>/dev/null
rm -rf @dir@
]]

local function output_of(command)
  return (support.run(command):gsub("%s+$", ""))
end

-- How it is run, in words of the shell, and where its files are: as it is installed, or else as
-- fetch.sh has fetched it. nil when it is neither.
local function find(row)
  local path = output_of(("PATH=$PATH:/usr/sbin:%s/usr/sbin:%s/usr/bin; command -v %s"):format(
    FETCHED, FETCHED, row.command))
  if path == "" then return nil end
  if path:sub(1, #FETCHED) ~= FETCHED then return path, "/usr" end
  local usr = FETCHED .. "/usr"
  local libraries = ('LD_LIBRARY_PATH="$(echo %s/lib/*-linux-gnu)"'):format(usr)
  return ("H2O_ROOT=%s %s %s"):format(usr, libraries, path), usr
end

local function read(path)
  local file <close> = assert(io.open(path, "rb"))
  return file:read "a"
end

local function write(path, text)
  local file <close> = assert(io.open(path, "wb"))
  assert(file:write(text))
end

-- Replaces @names@, and those in what they stand for.
local function fill(text, values)
  return (text:gsub("@(%l+)@", function(name) return fill(tostring(values[name]), values) end))
end

local Site = {}
Site.__index = Site

function Site:log() return read(self.values.dir .. "/log") end

-- Stops it and starts it anew, some time soon.
function Site:restart()
  self.input:write "again\n"
  self.input:flush()
end

function Site:reload()
  local command = "pid=$(cat @dir@/pid); " .. self.row.reload
  local output, status = support.run(fill(command, self.values))
  assert(status == 0, output)
end

function Site:close()
  if self.input then self.input:close() end
  if self.upstream then self.upstream:close() end
  self.input, self.upstream = nil, nil
end

Site.__close = Site.close
Site.__gc = Site.close

-- How often each message was delivered, by its id.
function Site:delivered()
  local times = {}
  for _, request in ipairs(self.upstream:requests()) do
    local id = messages.id_in(request.body)
    if id then times[id] = (times[id] or 0) + 1 end
  end
  return times
end

-- The connections that it has not closed; nil where the system does not tell.
function Site:connections()
  local file <close> = io.open "/proc/net/tcp"
  if not file then return nil end
  local established, count = (":%04X 01 "):format(self.values.port), 0
  for line in file:lines() do count = count + (line:find(established, 1, true) and 1 or 0) end
  return count
end

-- Whether it compresses, by what libcurl says.
function Site:compresses()
  local program = ([[require "raia".client { base_url = %q, ca_file = %q, secret_key = "a-key" }
    :request("GET", "/file/9000.json")]]):format(self.base_url .. "/gzip", self.ca_file)
  local output = support.run("lua5.4 -", { RAIA_LOG = "debug" }, program)
  return output:lower():find "content%-encoding: gzip" ~= nil
end

local function wait_until_it_listens(self)
  for _ = 1, 100 do
    local peer = socket.connect("127.0.0.1", self.values.port)
    peer:onerror(function(_, _, why) return why end)
    local ok = peer:connect(1)
    peer:close()
    if ok then return end
    os.execute "sleep 0.1"
  end
  local log = self:log()
  self:close()
  error(self.row.name .. " does not listen:\n" .. log, 0)
end

local function open(row, protocol, certificates, idle)
  local command, usr = find(row)
  local dir = output_of "mktemp -d"
  local self = setmetatable({ row = row, protocol = protocol, ca_file = certificates.ca,
    path = "/messages", upstream = servers.start(require "spec.interop.backend") }, Site)
  self.values = { dir = dir, config = dir .. "/config", bundle = dir .. "/bundle.pem",
    cert = certificates.good.cert, key = certificates.good.key, protocol = row[protocol],
    port = servers.free_port(), other = servers.free_port(), backend = self.upstream.port,
    command = command, arguments = row.arguments, idle = idle,
    modules = usr .. "/lib/apache2/modules" }
  self.base_url = ("%s://localhost:%d"):format(row.plain == protocol and "http" or "https",
    self.values.port)
  assert(os.execute("chmod 755 " .. dir .. " && mkdir " .. dir .. "/file"))
  write(self.values.bundle, read(certificates.good.cert) .. read(certificates.good.key))
  if row.config then write(self.values.config, fill(read(HERE .. row.config), self.values)) end
  for _, bytes in ipairs(row.files or {}) do
    write(("%s/file/%d.json"):format(dir, bytes), messages.file(bytes))
  end
  self.input = assert(io.popen(fill(SCRIPT, self.values), "w"))
  wait_until_it_listens(self)
  return self
end

-- Fetches it where it is neither installed nor fetched; whether it is to be had then.
local function fetch(row)
  if find(row) then return true end
  support.run(("%sfetch.sh %s %s"):format(HERE, support.quote(FETCHED), row.package))
  return find(row) ~= nil
end

return { open = open, fetch = fetch }
