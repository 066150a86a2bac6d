-- The sandbox's HTTP side, on lua-http: routes, the key, statuses and the bodies of errors.

local store = require "raia.sandbox.store"
local json = require "cjson".new()

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
local cqueues = require "cqueues"
local http_headers = require "http.headers"
local http_tls = require "http.tls"
local h1_stream = require "http.h1_stream".methods
local h2_stream = require "http.h2_stream".methods

local MAX_BODY = 16 * 1024 * 1024
local PEER_TIMEOUT = 60     -- seconds to wait for the rest of a request, or for a reader
local IDLE_TIMEOUT = 600    -- seconds a connection is kept open with nothing on it
local HOOK_COUNT = 1000000  -- instructions of an agent between two looks at the signals

local NAMES = { [400] = "BadRequestError", [403] = "ForbiddenError", [404] = "NotFoundError",
  [405] = "MethodNotAllowedError", [413] = "PayloadTooLargeError" }

-- What each channel sends; the last field is the conversation's first message.
local OUTGOING = {
  email = { "email to %s, %s: %s", "email", "emailSubject", "emailIntroduction" },
  sms = { "sms to %s: %s", "phoneNumber", "smsIntroduction" },
  voice = { "call to %s: %s", "phoneNumber", "firstMessage" },
}

local CONVERSATION = { "id", "conversationUserId", "title", "score", "summary", "threadId",
  "aiCallId" }
local MESSAGE = { "id", "message", "rawMessage", "conversationId", "senderRole",
  "conversationMessageId", "source" }

local server = {}
server.__index = server

json.decode_invalid_numbers(false)

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

local function encode(value)
  if value == nil then return "null" end
  if type(value) == "string" and not utf8.len(value) then
    value = value:gsub("[\x80-\xff]", "?")
  end
  return json.encode(value)
end

-- lua-cjson writes an empty table as {}: objects and arrays are joined here.
local function object(names, values, more)
  local parts = {}
  for i, name in ipairs(names) do parts[i] = encode(name) .. ":" .. encode(values[name]) end
  return "{" .. table.concat(parts, ",") .. (more or "") .. "}"
end

local function array(list, names)
  local parts = {}
  for i, value in ipairs(list) do parts[i] = object(names, value) end
  return "[" .. table.concat(parts, ",") .. "]"
end

local function conversation_object(conversation)
  local metadata = ',"metadata":{"customData":' .. conversation.custom .. "}"
  return object(CONVERSATION, conversation, metadata)
end

local function failure(status, message, details, headers)
  return status, object({ "status", "name", "message" },
    { status = status, name = NAMES[status], message = message },
    ',"details":' .. array(details or {}, { "field", "message" })), headers
end

-- The text of one member of a JSON object that lua-cjson has accepted, so that it can be given
-- back as it came. Strings are masked, byte for byte, which lets brackets be matched.
local function member_text(text, wanted)
  local mask = text:gsub("\\.", "__"):gsub('"([^"]*)"', function(inside)
    return '"' .. ("_"):rep(#inside) .. '"'
  end)
  local result
  local at = mask:match("^%s*{()")
  while at do
    local from, to, value = mask:match('^%s*"()_*()"%s*:%s*()', at)
    local stop = mask:match("^%b{}()", value) or mask:match("^%b[]()", value)
      or mask:match("^[^,}%s]+()", value)
    if text:sub(from, to - 1) == wanted then result = text:sub(value, stop - 1) end
    at = mask:match("^%s*,()", stop)
  end
  return result
end

-- Escapes text for one line of a terminal.
local function printable(text)
  local function escape(char) return ("\\u%04x"):format(utf8.codepoint(char)) end
  return (text:gsub("\n", "\\n"):gsub("%c", escape):gsub("\xc2[\x80-\x9f]", escape))
end

local function start(self, request)
  local body, outgoing = request.body, OUTGOING[request.body.channel]
  local values = {}
  for i = 2, #outgoing do values[i - 1] = body[outgoing[i]] end
  local conversation = self.store:start(body, request.custom, values[#values])
  local line = outgoing[1]:format(table.unpack(values))
  self.outbox:write("[outbox] ", printable(line), "\n")
  self.outbox:flush()
  return 201, object({ "conversationId" }, { conversationId = conversation.id })
end

local function create(self, request)
  return 201, conversation_object(self.store:create(request.body, request.custom))
end

local function delete(self, request)
  self.store:delete_user(request.body.conversationUserId)
  return 204
end

local function get(_, request)
  return 200, conversation_object(request.conversation)
end

local function messages(_, request)
  return 200, '{"messages":' .. array(request.conversation.messages, MESSAGE) .. "}"
end

local function send(self, request)
  local conversation, text = request.conversation, request.body.message
  local view = store.view(conversation, request.body.context)
  local question = store.add(conversation, "conversation_user", "api", text)
  if self.delay > 0 then cqueues.sleep(self.delay) end
  local answer = self.agent(text, view)
  if type(answer) ~= "string" or not utf8.len(answer) then
    error("the agent must return UTF-8 text, not a " .. type(answer), 0)
  end
  return 201, object(MESSAGE, store.add(conversation, "assistant", "api", answer, question))
end

local routes = {
  { "POST", "^/external/conversations/start$", start, fields = store.start_fields },
  { "POST", "^/external/conversations$", create, fields = store.create_fields },
  { "DELETE", "^/external/conversations$", delete, fields = store.delete_fields },
  { "GET", "^/external/conversations/([^/]+)$", get, by_id = true },
  { "GET", "^/external/conversations/([^/]+)/messages$", messages, by_id = true },
  { "POST", "^/external/conversations/([^/]+)/messages$", send, by_id = true,
    fields = store.send_fields },
}

-- Returns the route and the id in the path, or nil and the methods that the path takes.
local function find_route(method, path)
  local allowed = {}
  for _, route in ipairs(routes) do
    local id = path:match(route[2])
    if id and route[1] == method then
      return route, id:gsub("%%(%x%x)", function(hex) return string.char(tonumber(hex, 16)) end)
    end
    if id then allowed[#allowed + 1] = route[1] end
  end
  return nil, table.concat(allowed, ", ")
end

local function read_json(text)
  if not utf8.len(text) then return nil, "the body is not UTF-8" end
  local ok, body = pcall(json.decode, text)
  if not ok then return nil, "the body is not JSON: " .. body end
  if not text:find("^%s*{") then return nil, "the body is not a JSON object" end
  for name, value in pairs(body) do
    if value == json.null then body[name] = nil end
  end
  return body
end

local function knows_key(self, headers)
  return (headers:get "agent-secret-key") == self.key
end

-- Returns a status, a body (nil for none) and further headers.
local function answer_request(self, headers, text, size)
  if not knows_key(self, headers) then return failure(403, "INVALID_CREDENTIALS") end
  local path = (headers:get(":path") or ""):match("^[^?]*")
  local route, id = find_route(headers:get(":method"), path)
  if not route and id == "" then
    return failure(404, "no such path")
  elseif not route then
    return failure(405, "this path takes " .. id, nil, { allow = id })
  elseif size > MAX_BODY then
    return failure(413, ("a body may have at most %d bytes"):format(MAX_BODY))
  end
  local request = { conversation = self.store.conversations[id] }
  if route.fields then
    local body, problem = read_json(text)
    if not body then return failure(400, problem) end
    local details = store.check(route.fields, body)
    if details[1] then return failure(400, details[1].message, details) end
    request.body = body
    request.custom = body.customData and member_text(text, "customData")
  end
  if route.by_id and not request.conversation then return failure(404, "ENTITY_NOT_FOUND") end
  return route[3](self, request)
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
  io.stderr:write(debug.traceback("raia-sandbox: " .. tostring(problem), 2), "\n")
  return tostring(problem)
end

local function serve(self, stream)
  local headers = stream:get_headers(PEER_TIMEOUT)
  if not headers then return end
  local text, size = "", tonumber((headers:get("content-length"))) or 0
  local has_body = size > 0 or headers:has "transfer-encoding"
  local unread = not knows_key(self, headers) or headers:has("expect") and size > MAX_BODY
  if not unread then
    if headers:has("expect") then stream:write_continue(PEER_TIMEOUT) end
    text, size = read_body(stream)
  end
  if self.interrupt then debug.sethook(self.interrupt, "", HOOK_COUNT) end
  local ok, status, body, more = xpcall(answer_request, traceback, self, headers, text, size)
  if not ok then
    status, body = 500, object({ "status", "message" }, { status = 500, message = status })
  end
  local reply = http_headers.new()
  -- Not to be indexed: lua-http 0.4 writes the index 63 of HTTP/2's table of headers wrongly.
  local function add(name, value) reply:append(name, value, true) end
  add(":status", ("%d"):format(status))
  add("content-type", "application/json")
  add("x-request-id", store.uuid())
  for name, value in pairs(more or {}) do add(name, value) end
  if unread and has_body and stream.connection.version < 2 then add("connection", "close") end
  if headers:get(":method") == "HEAD" then body = nil end
  if body then add("content-length", ("%d"):format(#body)) end
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
  local self = setmetatable({ store = store.new() }, server)
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
