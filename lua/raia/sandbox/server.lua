-- The sandbox's HTTP side, on lua-http: connections, the key, what is read and written.

local store = require "raia.sandbox.store"
local api

-- Debian keeps lua-http, and what it needs, in the folders of Lua 5.3 and 5.1.
if not pcall(require, "http.server") then
  package.path = package.path .. ";/usr/share/lua/5.3/?.lua;/usr/share/lua/5.3/?/init.lua"
    .. ";/usr/share/lua/5.1/?.lua;/usr/share/lua/5.1/?/init.lua"
end
local found, http_server = pcall(require, "http.server")
if not found then
  error("lua-http does not load (apt-get install lua-http, or luarocks install http): "
    .. tostring(http_server):match("[^\n]*"), 0)
end
local control = require "raia.sandbox.control"
api = require "raia.sandbox.api"
local json = require "raia.sandbox.json"
local http_headers = require "http.headers"
local http_tls = require "http.tls"
local h1_stream = require "http.h1_stream".methods
local h2_stream = require "http.h2_stream".methods

local MAX_BODY = 16 * 1024 * 1024
local PEER_TIMEOUT = 60     -- seconds to wait for the rest of a request, or for a reader
local IDLE_TIMEOUT = 600    -- seconds a connection is kept open with nothing on it
local HOOK_COUNT = 1000000  -- instructions of an agent between two looks at the signals

local server = {}
server.__index = server

-- When the peer has gone in the middle of a body, lua-http 0.4 repeats for ever a step that gets
-- nowhere and reports success.
local step = h1_stream.step
function h1_stream:step(timeout)
  local state, received, begun = self.state, self.stats_recv, self.has_main_headers
  local ok, problem, code = step(self, timeout)
  if ok and self.state == state and self.stats_recv == received
    and self.has_main_headers == begun then
    return nil, "cut short"
  end
  return ok, problem, code
end

-- When the peer has gone before the answer, lua-http 0.4 leaves the stream open, and its
-- connection waits for it for ever.
local shutdown = h2_stream.shutdown
function h2_stream:shutdown()
  shutdown(self)
  if self.id ~= 0 and self.state ~= "idle" and self.state ~= "closed" then
    self:set_state("closed")
  end
  return true
end

-- Escapes text for one line of a terminal.
local function printable(text)
  local function escape(char) return ("\\u%04x"):format(utf8.codepoint(char)) end
  return (text:gsub("\n", "\\n"):gsub("%c", escape):gsub("\xc2[\x80-\x9f]", escape))
end

-- Prints what goes out, and keeps it.
function server:send_out(line, entry)
  table.insert(self.sent, entry)
  self.outbox:write("[outbox] ", printable(line), "\n")
  self.outbox:flush()
end

local function knows_key(self, headers)
  local key = headers:get "agent-secret-key"
  return key == self.key or key ~= nil and key == self.control_key
end

-- Returns a status, a body (nil for none), its type, and further headers.
local function answer_request(self, headers, text, size)
  local target, method = headers:get(":path") or "", headers:get(":method")
  local path = target:match("^[^?]*")
  if self.control_key and headers:get "agent-secret-key" == self.control_key then
    return control.call(self, path, text, api.fail)
  end
  local route, ids = api.route(method, path)
  if not knows_key(self, headers) and not (route and route.open) then
    api.fail(403, "INVALID_CREDENTIALS")
  elseif not route and ids == "" then
    api.fail(404, "no such path")
  elseif not route then
    api.fail(405, "this path takes " .. ids, nil, { allow = ids })
  elseif size > MAX_BODY then
    api.fail(413, ("a body may have at most %d bytes"):format(MAX_BODY))
  end
  return api.call(self, route, ids, { method = method, path = path, text = text,
    headers = headers, query = api.read_query(target) })
end

-- Reads the whole body, so that the connection can be reused, and keeps MAX_BODY bytes of it.
local function read_body(stream)
  local parts, size = {}, 0
  for chunk in function() return (stream:get_next_chunk(PEER_TIMEOUT)) end do
    size = size + #chunk
    parts[#parts + 1] = size <= MAX_BODY and chunk or nil
  end
  return table.concat(parts), size
end

-- Takes what comes of a body that was answered unread, and keeps none of it: a client may read the
-- answer only when it has sent all, and not at all once it has been cut short.
local function drain(stream)
  local size = 0
  for chunk in function() return (stream:get_next_chunk(PEER_TIMEOUT)) end do
    size = size + #chunk
    if size > MAX_BODY then return end
  end
end

local function traceback(problem)
  if type(problem) == "table" and problem.status then return problem end
  io.stderr:write(debug.traceback("raia-sandbox: " .. tostring(problem), 2), "\n")
  return tostring(problem)
end

local function serve(self, stream)
  local headers = stream:get_headers(PEER_TIMEOUT)
  if not headers then return end
  local text, size = "", tonumber((headers:get("content-length"))) or 0
  local has_body = size > 0 or headers:has "transfer-encoding"
  local open = (headers:get(":path") or ""):find "^/storage/"
  local unread = not knows_key(self, headers) and not open
    or headers:has("expect") and size > MAX_BODY
  if not unread then
    if headers:has("expect") then stream:write_continue(PEER_TIMEOUT) end
    text, size = read_body(stream)
  end
  if self.interrupt then debug.sethook(self.interrupt, "", HOOK_COUNT) end
  local method, path = headers:get ":method", headers:get ":path"
  local fault
  if path:find "^/external/" then
    table.insert(self.requests, { method = method, path = path, body = text })
    fault = control.take_fault(self, method, path)
  end
  if fault and fault.drop == "before" then return stream.connection.socket:shutdown("rw") end
  local ok, status, body, content_type, more
  if fault then
    status, body, more = control.answer_of(fault)
    ok = true
  end
  if not status then
    ok, status, body, content_type = xpcall(answer_request, traceback, self, headers, text, size)
  end
  if fault and fault.drop == "after" then return stream.connection.socket:shutdown("rw") end
  if not ok then
    local failure = type(status) == "table" and status or { status = 500,
      body = json.encode { status = 500, message = status } }
    status, body, more = failure.status, failure.body, failure.headers
  end
  local reply = http_headers.new()
  -- Not to be indexed: lua-http 0.4 writes the index 63 of HTTP/2's table of headers wrongly.
  local function add(name, value) reply:append(name, value, true) end
  add(":status", ("%d"):format(status))
  if body then add("content-type", content_type or "application/json") end
  add("x-request-id", store.uuid())
  for name, value in pairs(more or {}) do add(name, value) end
  if unread and has_body and stream.connection.version < 2 then add("connection", "close") end
  if headers:get(":method") == "HEAD" then body = nil end
  if body then add("content-length", ("%d"):format(#body)) end
  if status == 204 and stream.connection.version < 2 then -- lua-http 0.4 adds a content-length
    stream.body_write_type = "missing"
    stream.close_when_done = stream.peer_version == 1.0
      or (headers:get "connection" or ""):lower():find("close", 1, true) ~= nil
  end
  if stream:write_headers(reply, not body, PEER_TIMEOUT) and body then
    stream:write_chunk(body, true, PEER_TIMEOUT)
  end
  if unread then drain(stream) end
end

local function read_pem(path, kind)
  local file, problem = io.open(path, "rb")
  local text = file and file:read("a")
  if file then file:close() end
  local ok, result = pcall(require("openssl." .. kind).new, text or "", "PEM")
  return ok and result or error(problem or path .. ": not what is wanted in PEM", 0)
end

local function tls_context(cert_file, key_file)
  local certificate, key = read_pem(cert_file, "x509"), read_pem(key_file, "pkey")
  if certificate:getPublicKey():toPEM("public") ~= key:toPEM("public") then
    error(key_file .. ": not the key of " .. cert_file, 0)
  end
  local context = http_tls.new_server_context()
  context:setCertificate(certificate)
  context:setPrivateKey(key)
  context:setAlpnSelect(function(_, offered)
    local names = " " .. table.concat(offered, " ") .. " "
    return names:find(" h2 ", 1, true) and "h2" or names:match(" (http/1%.1) ")
  end)
  return context
end

local function log(text)
  io.stderr:write("raia-sandbox: ", tostring(text):match("[^\n]*"), "\n")
end

-- Listens; `url` of the result says where. Returns nil and a message on failure.
function server.new(options)
  local self = setmetatable({ store = store.new(options.any_user), any_user = options.any_user,
    control_key = options.control_key, text_of_agent = api.text_of_agent }, server)
  control.open(self)
  for _, name in ipairs { "key", "delay", "agent", "outbox" } do self[name] = options[name] end
  local secure = options.tls_cert ~= nil
  local ok, context = pcall(tls_context, options.tls_cert, options.tls_key)
  if secure and not ok then return nil, "TLS: " .. context end
  local listener, problem = http_server.listen {
    host = options.host,
    port = options.port,
    tls = secure,
    ctx = secure and context or nil,
    intra_stream_timeout = IDLE_TIMEOUT,
    onstream = function(_, stream) serve(self, stream) end,
    onerror = function(_, _, operation, what) log(operation .. ": " .. tostring(what)) end,
  }
  local bound
  if listener then bound, problem = listener:listen(PEER_TIMEOUT) end
  local host = options.host:find(":", 1, true) and "[" .. options.host .. "]" or options.host
  if not bound then
    return nil, ("cannot listen on %s:%d: %s"):format(host, options.port, problem)
  end
  local _, _, port = listener:localname()
  self.controller = listener.cq
  self.url = ("%s://%s:%d"):format(secure and "https" or "http", host, port)
  return self
end

-- Serves for ever. Errors of one connection are logged, and the others go on.
function server:loop()
  while true do
    local ok, problem = self.controller:loop()
    if ok then return end
    log(problem)
  end
end

return server
