-- HTTP/2 for the fault server, frame by frame: what a script's connection:http2() gives.
-- Frames go out when and as a script says; those that come are only read as it asks for them.

if not pcall(require, "http.hpack") then -- Debian has it in the folder of Lua 5.3
  package.path = package.path .. ";/usr/share/lua/5.3/?.lua"
end
local errors = require "http.h2_error".errors
local hpack = require "http.hpack"

local DATA, HEADERS, RST_STREAM, SETTINGS, PING, GOAWAY, WINDOW_UPDATE = 0, 1, 3, 4, 6, 7, 8
local END_STREAM, ACK, END_HEADERS, PADDED, PRIORITY = 1, 1, 4, 8, 32
local INITIAL_WINDOW, FRAME = 4, 16384
local PREFACE = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

local Http2 = {}
Http2.__index = Http2

function Http2:frame(kind, flags, stream, payload)
  return self.connection:send((">I3 B B I4"):pack(#payload, kind, flags, stream) .. payload)
end

local function whole_frame(buffer)
  local length = #buffer >= 9 and 9 + (">I3"):unpack(buffer)
  return length and #buffer >= length and length
end

-- Takes in the client's settings: its new window for streams holds for those begun, too.
local function set(self, payload)
  for at = 1, #payload, 6 do
    local name, value = (">I2 I4"):unpack(payload, at)
    if name == INITIAL_WINDOW then
      for stream, room in pairs(self.windows) do
        if stream ~= 0 then self.windows[stream] = room + value - self.initial_window end
      end
      self.initial_window = value
    end
  end
end

local function widen(self, stream, payload)
  local room = self.windows[stream]
  if room then self.windows[stream] = room + (">I4"):unpack(payload) end
end

-- The next frame that is of a stream, or gives room; SETTINGS and PING are answered. Nil at the
-- end, or when the connection's :within() is over.
function Http2:read_frame()
  if self.connection.closed then return nil end
  if not self.greeted then
    if not self.connection:read(#PREFACE) then return nil end
    self.greeted = true
  end
  while true do
    local frame = self.connection:take(whole_frame)
    if not frame then return nil end
    local _, kind, flags, stream = (">I3 B B I4"):unpack(frame)
    local payload = frame:sub(10)
    if kind == SETTINGS and flags & ACK == 0 then
      set(self, payload)
      self:frame(SETTINGS, ACK, 0, "")
    elseif kind == PING and flags & ACK == 0 then
      self:frame(PING, ACK, 0, payload)
    elseif stream ~= 0 or kind == WINDOW_UPDATE then
      if kind == WINDOW_UPDATE then widen(self, stream, payload) end
      return { kind = kind, flags = flags, stream = stream, payload = payload }
    end
  end
end

-- Begins the request of a HEADERS frame.
local function begin(self, frame)
  assert(frame.flags & END_HEADERS ~= 0 and frame.flags & PADDED == 0, "not provided for")
  local from = frame.flags & PRIORITY ~= 0 and 6 or 1
  local request = { connection = self.connection.index, stream = frame.stream, body = "",
    headers = {}, header_list = {} }
  for name, value in assert(self.decoder:decode_headers(frame.payload, nil, from)):each() do
    request.header_list[#request.header_list + 1] = { name, value }
    request.headers[name] = value
  end
  request.method, request.path = request.headers[":method"], request.headers[":path"]
  self.counts.begun = self.counts.begun + 1
  self.highest = math.max(self.highest, frame.stream)
  self.streams[frame.stream] = request
  self.windows[frame.stream] = self.initial_window
  return request
end

-- Takes in a frame. Gives the request that it is of, and whether that is whole now.
local function take(self, frame)
  local request = self.streams[frame.stream]
  if frame.kind == HEADERS then
    request = begin(self, frame)
  elseif frame.kind == DATA then
    self.counts.bytes = self.counts.bytes + #frame.payload
    local room = #frame.payload > 0 and not self.stingy and (">I4"):pack(#frame.payload)
    if room then self:frame(WINDOW_UPDATE, 0, 0, room) end
    if room and request then self:frame(WINDOW_UPDATE, 0, frame.stream, room) end
    if request then request.body = request.body .. frame.payload end
  elseif frame.kind == RST_STREAM then
    self.streams[frame.stream], self.windows[frame.stream] = nil, nil
    return nil
  end
  return request, request and (frame.kind == HEADERS or frame.kind == DATA)
    and frame.flags & END_STREAM ~= 0
end

-- Only the head; its body is left for :request().
function Http2:head()
  local frame = self:read_frame()
  while frame and frame.kind ~= HEADERS do
    take(self, frame)
    frame = self:read_frame()
  end
  local request = frame and take(self, frame)
  if request then
    request.partial = true
    self.log(request)
    request.partial = nil
  end
  return request
end

-- Reads a frame; nil at the end. Gives the request that it is of, too. One that is whole now is
-- put by, for :request().
local function advance(self)
  local frame = self:read_frame()
  if not frame then return nil end
  local request, whole = take(self, frame)
  if whole then
    self.streams[frame.stream] = nil
    request.whole = true
    self.counts.whole = self.counts.whole + 1
    self.put_by[#self.put_by + 1] = request
  end
  return frame, request
end

-- The next request that is whole; nil at the end. It is logged as refused, and not as delivered,
-- when `refused` says so, or it does itself, or a GOAWAY that went out before.
function Http2:request(refused)
  while not self.put_by[1] do
    if not advance(self) then return nil end
  end
  local request = table.remove(self.put_by, 1)
  request.refused = (refused or request.refused or request.stream > self.last) or nil
  if not request.refused then
    self.delivered = self.delivered + 1
    request.n = self.delivered
  end
  self.log(request)
  return request
end

-- Reads on for so many seconds, or until enough(counts): how many requests have begun and are
-- whole, and the bytes of their bodies. Gives those that have begun, in their order; the ones that
-- are `whole` come by :request() yet.
function Http2:gather(enough, seconds)
  local list, deadline = {}, self.connection.deadline
  self.connection:within(seconds)
  while not enough(self.counts) do
    local frame, request = advance(self)
    if not frame then break end
    if request and frame.kind == HEADERS then list[#list + 1] = request end
  end
  self.connection.deadline = deadline
  return list
end

-- A text as HPACK has it: a length beyond 7 bits goes on in bytes of 7.
local function literal(text)
  if #text < 127 then return string.char(#text) .. text end
  local parts, rest = { "\127" }, #text - 127
  while rest > 127 do
    parts[#parts + 1] = string.char(128 | rest & 127)
    rest = rest >> 7
  end
  return table.concat(parts) .. string.char(rest) .. text
end

-- The head of a reply, `fields` a table of names and values; `ended`: there is no body. Without a
-- status they are trailers.
function Http2:headers(stream, status, fields, ended)
  local block = { status and "\0" .. literal ":status" .. literal(tostring(status)) }
  for name, value in pairs(fields or {}) do
    block[#block + 1] = "\0" .. literal(name) .. literal(tostring(value))
  end
  return self:frame(HEADERS, END_HEADERS | (ended and END_STREAM or 0), stream,
    table.concat(block))
end

function Http2:data(stream, bytes, ended)
  return self:frame(DATA, ended and END_STREAM or 0, stream, bytes)
end

-- Sends a body in frames of 16 KiB, as the client gives room for it. The stream ends with the last
-- of them, or with an empty one behind it. False when the client has left.
function Http2:body(stream, bytes, ends_empty)
  local windows, from = self.windows, 1
  repeat
    local room = math.min(FRAME, windows[0], windows[stream] or 0)
    local last = from + room > #bytes
    if room > 0 or bytes == "" then
      local piece = bytes:sub(from, from + room - 1)
      windows[0], windows[stream] = windows[0] - #piece, windows[stream] - #piece
      from = from + #piece
      if not self:data(stream, piece, last and not ends_empty) then return false end
    else
      if not advance(self) or not windows[stream] then return false end
    end
  until last
  return not ends_empty or self:data(stream, "", true)
end

function Http2:reply(stream, status, body)
  self:headers(stream, status, { ["content-type"] = "application/json" })
  return self:data(stream, body, true)
end

-- `code` is a name as REFUSED_STREAM.
function Http2:reset(stream, code)
  self.streams[stream] = nil
  return self:frame(RST_STREAM, 0, stream, (">I4"):pack(errors[code].code))
end

-- Requests on streams above `last` are refused from now on.
function Http2:goaway(last, code)
  self.last = last
  return self:frame(GOAWAY, 0, 0, (">I4 I4"):pack(last, errors[code].code))
end

-- HTTP/2 on a connection of the fault server, whose records go to `log`.
return function(connection, log)
  local self = setmetatable({ connection = connection, log = log, streams = {}, delivered = 0,
    last = math.huge, highest = 0, decoder = hpack.new(4096), put_by = {},
    counts = { begun = 0, whole = 0, bytes = 0 },
    initial_window = 65535, windows = { [0] = 65535 } }, Http2)
  self:frame(SETTINGS, 0, 0, "")
  return self
end
