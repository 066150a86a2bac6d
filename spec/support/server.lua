-- Starts the fault server as a process of its own and reads its log.
-- server.start([[local connection, index, place = ... ; ...]],
--   { tls = { cert =, key =, version =, protocol = "h2" }, ports = 1 })
-- With the protocol "mixed", every other connection is of HTTP/2.
-- With `ports` it listens on so many: base_urls[place] is where each is found.

local cjson = require("cjson").new()
local socket = require "cqueues.socket"

local directory = debug.getinfo(1, "S").source:match("^@(.*)server%.lua$")

local Server = {}
Server.__index = Server

local function quote(text)
  return "'" .. text:gsub("'", "'\\''") .. "'"
end

local function write_temporary(text)
  local path = os.tmpname()
  local file <close> = assert(io.open(path, "wb"))
  assert(file:write(text))
  return path
end

local function start(source, options)
  assert(load(source, "=script", "t"))
  local tls, ports = options and options.tls, options and options.ports or 1
  local script_path, log_path = write_temporary(source), write_temporary("")
  -- LD_PRELOAD may hold a sanitizer, meant for the process under test.
  local words = {
    "exec env -u LD_PRELOAD",
    quote("LUA_PATH_5_4=" .. package.path),
    quote("LUA_CPATH_5_4=" .. package.cpath),
    "lua5.4", quote(directory .. "fault_server.lua"), quote(script_path), quote(log_path),
    tostring(ports),
  }
  if tls then
    words[#words + 1] = ("--tls %s %s %s %s"):format(quote(tls.cert), quote(tls.key),
      tls.version or "TLS", tls.protocol or "")
  end
  -- An open connection of the client, if inherited, would outlive the client's own closing.
  for descriptor = 3, 9 do words[#words + 1] = descriptor .. "<&-" end
  local process = assert(io.popen(table.concat(words, " "), "r"))
  local base_urls, port = {}, nil
  for i = 1, ports do
    port = process:read("n")
    base_urls[i] = port and (tls and "https://localhost:" or "http://127.0.0.1:") .. port
  end
  local control_port = process:read("n")
  -- Both sides have the files open or read by now: nothing is left behind, however we end.
  local log = assert(io.open(log_path, "rb"))
  os.remove(script_path)
  os.remove(log_path)
  if not control_port then
    log:close()
    process:close()
    error("the fault server did not start", 2)
  end
  return setmetatable({
    port = port, base_url = base_urls[1], base_urls = base_urls,
    process = process, control_port = control_port, log = log, records = {},
  }, Server)
end

-- Waits until the server has logged all that had reached it before the call.
local function settle(self)
  local stream = socket.connect("127.0.0.1", self.control_port)
  stream:onerror(function(_, _, why) return why end)
  stream:settimeout(10)
  local ok = stream:connect()
  local _, why = stream:xread(1)
  stream:close()
  assert(ok and not why, "the fault server has died or hangs")
end

local integers = { "accepted", "connection", "n", "place", "stream" }

-- The key is in its own header and nowhere else in a request. One such as "key" may be.
local function check_key(record)
  local key = record.headers and record.headers["agent-secret-key"]
  if not key or #key < 8 then return end
  local parts = { record.method or "", record.path or "", record.body or "" }
  for _, header in ipairs(record.header_list) do
    local own = header[1]:lower() == "agent-secret-key" and header[2] == key
    if not own then parts[#parts + 1] = header[1] .. ": " .. header[2] end
  end
  local all = table.concat(parts, "\n")
  assert(not all:find(key, 1, true), "the key is elsewhere in a request, too")
end

local function read_log(self)
  self.log:seek("cur", 0) -- clears the end of file
  for line in self.log:lines() do
    local record = cjson.decode(line)
    for _, name in ipairs(integers) do record[name] = math.tointeger(record[name]) end
    check_key(record)
    self.records[#self.records + 1] = record
  end
end

local function select_records(self, wanted)
  if not self.closed then
    settle(self)
    read_log(self)
  end
  local found = {}
  for _, record in ipairs(self.records) do
    if wanted(record) then found[#found + 1] = record end
  end
  return found
end

-- The whole requests the server has read, in their order.
function Server:requests()
  return select_records(self, function(record) return record.n end)
end

-- Requests of which only a part was read, or came.
function Server:partials()
  return select_records(self, function(record) return record.partial end)
end

-- Requests the server has read wholly and refused, as HTTP/2 has it: they never happened.
function Server:refused()
  return select_records(self, function(record) return record.refused end)
end

-- What the script gave to connection:note(), with the connection's index.
function Server:notes()
  return select_records(self, function(record) return record.note ~= nil end)
end

-- The number of connections accepted; those on one port, if `place` says which.
function Server:connections(place)
  return #select_records(self, function(record)
    return record.accepted and (not place or record.place == place)
  end)
end

-- Ends the server. What it had logged can still be asked for.
function Server:close()
  if self.closed then return end
  self.closed = true
  if io.type(self.process) == "file" then self.process:close() end
  if io.type(self.log) == "file" then
    read_log(self)
    self.log:close()
  end
end

Server.__gc = Server.close
Server.__close = Server.close

local next_port

-- A port for something to listen on, below those the system gives out by itself.
local function free_port()
  next_port = next_port or math.random(20000, 29999)
  while true do
    next_port = next_port < 29999 and next_port + 1 or 20000
    local listener = socket.listen("127.0.0.1", next_port)
    listener:onerror(function(_, _, why) return why end)
    local free = listener:listen()
    listener:close()
    if free then return next_port end
  end
end

local dead = {}

-- A port on which nobody listens while this process lives: it is taken, by a socket that does not.
local function dead_port()
  local taken = assert(require "socket".tcp4())
  assert(taken:bind("127.0.0.1", 0))
  dead[#dead + 1] = taken
  return math.tointeger(tonumber((select(2, taken:getsockname()))))
end

return { start = start, free_port = free_port, dead_port = dead_port }
