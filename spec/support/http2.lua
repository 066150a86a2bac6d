-- HTTP/2 for the fault server, frame by frame: what a script's connection:http2() gives.
-- Frames go out when and as a script says; those that come are only read as it asks for them.

if not pcall(require, "http.hpack") then -- Debian has it in the folder of Lua 5.3
  package.path = package.path .. ";/usr/share/lua/5.3/?.lua"
end
local errors = require "http.h2_error".errors
local hpack = require "http.hpack"

local DATA, HEADERS, RST_STREAM, SETTINGS, PING, GOAWAY, WINDOW_UPDATE = 0, 1, 3, 4, 6, 7, 8
local END_STREAM, ACK, END_HEADERS, PADDED, PRIORITY = 1, 1, 4, 8, 32
local PREFACE = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

local Http2 = {}
Http2.__index = Http2

function Http2:frame(kind, flags, stream, payload)
  return self.connection:send((">I3 B B I4"):pack(#payload, kind, flags, stream) .. payload)
end

-- The next frame that is not of the connection itself; those are answered.
function Http2:read_frame()
  if not self.greeted then
    if not self.connection:read(#PREFACE) then return nil end
    self.greeted = true
  end
  while true do
    local head = self.connection:read(9)
    if not head then return nil end
    local length, kind, flags, stream = (">I3 B B I4"):unpack(head)
    local payload = self.connection:read(length)
    if not payload then return nil end
    if kind == SETTINGS and flags & ACK == 0 then
      self:frame(SETTINGS, ACK, 0, "")
    elseif kind == PING and flags & ACK == 0 then
      self:frame(PING, ACK, 0, payload)
    elseif stream ~= 0 then
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
  self.streams[frame.stream] = request
  return request
end

-- Takes in a frame. Gives the request that it is of, and whether that is whole now.
local function take(self, frame)
  local request = self.streams[frame.stream]
  if frame.kind == HEADERS then
    request = begin(self, frame)
  elseif frame.kind == DATA then
    local room = #frame.payload > 0 and (">I4"):pack(#frame.payload)
    if room then self:frame(WINDOW_UPDATE, 0, 0, room) end
    if room and request then self:frame(WINDOW_UPDATE, 0, frame.stream, room) end
    if request then request.body = request.body .. frame.payload end
  elseif frame.kind == RST_STREAM then
    self.streams[frame.stream] = nil
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

-- The next request that is whole; nil at the end. It is logged as refused, and not as delivered,
-- when `refused` says so, or a GOAWAY that went out before.
function Http2:request(refused)
  local frame = self:read_frame()
  while frame do
    local request, whole = take(self, frame)
    if whole then
      self.streams[frame.stream] = nil
      request.refused = (refused or frame.stream > self.last) or nil
      if not request.refused then
        self.delivered = self.delivered + 1
        request.n = self.delivered
      end
      self.log(request)
      return request
    end
    frame = self:read_frame()
  end
end

local function literal(text)
  assert(#text < 127)
  return string.char(#text) .. text
end

-- The head of a reply, `fields` a list of names and values; `ended`: there is no body.
function Http2:headers(stream, status, fields, ended)
  local block = { "\0" .. literal ":status" .. literal(tostring(status)) }
  for name, value in pairs(fields or {}) do
    block[#block + 1] = "\0" .. literal(name) .. literal(tostring(value))
  end
  return self:frame(HEADERS, END_HEADERS | (ended and END_STREAM or 0), stream,
    table.concat(block))
end

function Http2:data(stream, bytes, ended)
  return self:frame(DATA, ended and END_STREAM or 0, stream, bytes)
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
    last = math.huge, decoder = hpack.new(4096) }, Http2)
  self:frame(SETTINGS, 0, 0, "")
  return self
end
