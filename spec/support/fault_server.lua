-- A raw-socket HTTP/1.1 server that plays a script, called anew for each connection with its
-- number on its port and, where there are several, the number of the port:
-- lua5.4 fault_server.lua SCRIPTFILE LOGFILE PORTS [--tls CERT KEY TLS|TLSv1|TLSv1.1|… [h2]]

local cjson = require("cjson").new()
local cqueues = require "cqueues"
local errno = require "cqueues.errno"
local promise = require "cqueues.promise"
local signal = require "cqueues.signal"
local socket = require "cqueues.socket"

local script_path, log_path, ports, option, certificate_path, key_path, tls_version, protocol = ...
local log_file = assert(io.open(log_path, "ab"))
local lines_logged = 0
local tls_context

local function log(record)
  record.time = cqueues.monotime()
  assert(log_file:write(cjson.encode(record), "\n"))
  assert(log_file:flush())
  lines_logged = lines_logged + 1
end

local function read_all(path)
  local file <close> = assert(io.open(path, "rb"))
  return file:read("a")
end

local script = assert(load(read_all(script_path), "=script", "t"))

if option == "--tls" then
  tls_context = require("openssl.ssl.context").new(tls_version, true)
  tls_context:setCertificate(require("openssl.x509").new(read_all(certificate_path)))
  tls_context:setPrivateKey(require("openssl.pkey").new(read_all(key_path)))
  if tls_version == "TLSv1" or tls_version == "TLSv1.1" then
    tls_context:setCipherList("ALL:@SECLEVEL=0") -- their signatures use SHA-1
  end
  if protocol then
    local handshakes = 0
    tls_context:setAlpnSelect(function(_, offered)
      handshakes = handshakes + 1
      local wanted = protocol ~= "mixed" and protocol or handshakes % 2 == 0 and "h2" or "http/1.1"
      for _, name in ipairs(offered) do if name == wanted then return name end end
    end)
  end
end

local Connection = {}
Connection.__index = Connection

local function new_connection(stream, index, place)
  stream:setmode("b", "bn")
  stream:setbufsiz(65536, 65536)
  stream:onerror(function(_, _, why) return why end)
  return setmetatable({ socket = stream, index = index, place = place, buffer = "",
    delivered = 0 }, Connection)
end

-- Some bytes from the peer; or nil and "closed", "timeout" or the system's message.
local function receive(self, deadline)
  while true do
    local data, why = self.socket:recv(-65536)
    if data then
      return data
    elseif why ~= errno.EAGAIN then
      return nil, why and why ~= errno.EPIPE and errno.strerror(why) or "closed"
    elseif deadline and deadline <= cqueues.monotime() then
      return nil, "timeout"
    end
    cqueues.poll(self.socket, deadline and math.max(0, deadline - cqueues.monotime()))
  end
end

-- With --tls, TLS begins at the first read or write, so a script may accept and say nothing.
function Connection:starttls()
  self.wants_tls = false
  local ok, why = self.socket:starttls(assert(tls_context, "the server has no --tls"))
  return ok and true, why and errno.strerror(why)
end

-- Leaves TLS out, until :starttls().
function Connection:plain() self.wants_tls = false end

-- Begins TLS. What http2.lua says when HTTP/2 was agreed on, else nil.
function Connection:http2()
  self:starttls()
  local tls = self.socket:checktls()
  if tls and tls:getAlpnSelected() == "h2" then
    return require "spec.support.http2"(self, log)
  end
end

-- Reads until find(buffer) gives a length, and takes so much off the buffer; until :within() at
-- the latest.
local function take(self, find)
  local length = find(self.buffer)
  while not length do
    if self.wants_tls then self:starttls() end
    local data, why = receive(self, self.deadline)
    if not data then return nil, why end
    self.buffer = self.buffer .. data
    length = find(self.buffer)
  end
  local data = self.buffer:sub(1, length)
  self.buffer = self.buffer:sub(length + 1)
  return data
end

Connection.take = take

-- For how many seconds from now on reads wait; nil: for ever.
function Connection:within(seconds) self.deadline = seconds and cqueues.monotime() + seconds end

-- Waits until something has come, which stays unread.
function Connection:await() return take(self, function(buffer) return buffer ~= "" and 0 end) end

local function take_until(self, mark)
  return take(self, function(buffer) return select(2, buffer:find(mark, 1, true)) end)
end

function Connection:read(count)
  return take(self, function(buffer) return #buffer >= count and count end)
end

function Connection:read_line()
  local line, why = take_until(self, "\n")
  return line and line:gsub("\r?\n$", ""), why
end

local function read_head(self)
  local head, why = take_until(self, "\r\n\r\n")
  if not head then return nil, why end
  local headers, list = {}, {}
  for name, value in head:gmatch("\r\n([^:\r\n]+):[ \t]*([^\r\n]*)") do
    local key = name:lower()
    list[#list + 1] = { name, value }
    headers[key] = headers[key] and headers[key] .. ", " .. value or value
  end
  local method, path = head:match("^(%S+) (.-) HTTP/1%.[01]\r\n")
  return { connection = self.index, method = method, path = path, headers = headers,
    header_list = list, head = head }
end

local function read_chunks(self)
  local parts = {}
  repeat
    local size = tonumber((self:read_line() or ""):match("^%x+") or "", 16)
    local data = size and self:read(size)
    local line = data and self:read_line()
    while line and line ~= "" do line = self:read_line() end
    if not line then return nil end
    parts[#parts + 1] = data
  until size == 0
  return table.concat(parts)
end

-- Only the head; a body is left for :read().
function Connection:head()
  local request, why = read_head(self)
  if request then
    request.partial = true
    log(request)
  end
  return request, why
end

-- One whole request; nil at the end. One whose body was cut short is logged as partial.
function Connection:request()
  local request, why = read_head(self)
  if not request then return nil, why end
  local headers = request.headers
  if headers.expect and self.buffer == "" then self:send("HTTP/1.1 100 Continue\r\n\r\n") end
  if headers["transfer-encoding"] then
    request.body = read_chunks(self)
  else
    request.body = self:read(tonumber(headers["content-length"]) or 0)
  end
  self.delivered = self.delivered + (request.body and 1 or 0)
  request.n = request.body and self.delivered
  request.partial = not request.body or nil
  log(request)
  return request.body and request
end

-- True when the system took all of it; nil and why when the peer has left.
function Connection:send(bytes)
  if self.wants_tls then self:starttls() end
  local ok, why = self.socket:xwrite(bytes, "bn")
  return ok and true, why and errno.strerror(why)
end

function Connection:reply(status, body, headers)
  body = type(body) == "table" and cjson.encode(body) or body or ""
  local lines, given = {}, {}
  for name, value in pairs(headers or {}) do
    lines[#lines + 1] = name .. ": " .. tostring(value)
    given[name:lower()] = true
  end
  table.sort(lines)
  if status ~= 204 and status ~= 304 then
    if not given["content-length"] then table.insert(lines, 1, "Content-Length: " .. #body) end
    if not given["content-type"] then table.insert(lines, 1, "Content-Type: application/json") end
  end
  table.insert(lines, 1, ("HTTP/1.1 %d %s"):format(status, status < 400 and "OK" or "Error"))
  return self:send(table.concat(lines, "\r\n") .. "\r\n\r\n" .. body)
end

-- Adds a line of the script's own to the log.
function Connection:note(value)
  log({ connection = self.index, place = self.place, note = value })
end

function Connection.sleep(_, seconds) cqueues.sleep(seconds) end

function Connection:shutdown_write() self.socket:shutdown("w") end

-- True and how once the peer has closed or reset; false after so many seconds. Begins no TLS.
function Connection:wait_close(seconds)
  local deadline = seconds and cqueues.monotime() + seconds
  local data, why = receive(self, deadline)
  while data do
    self.buffer = self.buffer .. data
    data, why = receive(self, deadline)
  end
  return why ~= "timeout", why
end

-- Reads what has come unread first, for Linux answers a close over unread bytes with a reset.
function Connection:close()
  if self.closed then return end
  self.closed = true
  self:shutdown_write()
  while receive(self, 0) do end -- luacheck: ignore 542
  self.socket:close()
end

-- Ends it with a FIN, and without TLS's goodbye.
function Connection:cut()
  self.closed = true
  self.socket:close()
end

function Connection:reset()
  local handle = require("socket").tcp()
  handle:setfd(self.socket:pollfd())
  assert(handle:setoption("linger", { on = true, timeout = 0 }))
  handle:setfd(-1)
  self.closed = true
  self.socket:close()
end

local function copy(from, to)
  local data = from.buffer
  from.buffer = ""
  while data and (data == "" or to:send(data)) do data = receive(from) end
  if data then from.socket:shutdown("r") else to:shutdown_write() end
end

-- Connects to another server, and copies both ways until both sides have closed.
function Connection:pipe(host, port)
  local peer = new_connection(socket.connect(host, port))
  local ok, why = peer.socket:connect(10)
  if not ok then return nil, errno.strerror(why) end
  local back = promise.new(copy, peer, self)
  copy(self, peer)
  back:wait()
  peer:close()
  return true
end

local loop = cqueues.new()

local function listen()
  local listener = socket.listen("127.0.0.1", 0)
  assert(listener:listen())
  return listener, select(3, listener:localname())
end

local control, control_port = listen()

local function serve(connection)
  local ok, message = xpcall(script, debug.traceback, connection, connection.index,
    connection.place)
  if not ok then io.stderr:write("fault_server: ", tostring(message), "\n") end
  connection:close()
end

-- What scripts send goes out at once, also where the peer has not said that it has the last of it.
local function accept(listener, place)
  local index = 0
  for stream in listener:clients { nodelay = true } do
    index = index + 1
    log({ accepted = index, place = place })
    local connection = new_connection(stream, index, place)
    connection.wants_tls = tls_context ~= nil
    loop:wrap(serve, connection)
  end
end

for place = 1, ports do
  local listener, port = listen()
  io.stdout:write(port, "\n")
  loop:wrap(accept, listener, place)
end

-- Who connects to the control port is let go when all that came before is in the log.
loop:wrap(function()
  for stream in control:clients() do
    repeat
      local before = lines_logged
      for _ = 1, 4 do cqueues.poll(0) end
    until lines_logged == before
    stream:close()
  end
end)

-- The write end of a pipe reports an error once its reader has gone, however it went.
loop:wrap(function()
  cqueues.poll({ pollfd = 1, events = "p" })
  os.exit(0)
end)

signal.ignore(signal.SIGPIPE, signal.SIGINT) -- it ends with its reader
io.stdout:write(control_port, "\n")
io.stdout:flush()
for message in loop:errors() do io.stderr:write("fault_server: ", tostring(message), "\n") end
