-- lua-http on kept connections, and lua-cjson: lua_http.lua SCENARIO URL COUNT [MOST].
-- Debian keeps lua-http, and what it needs, in the folders of Lua 5.3 and 5.1.
package.path = package.path .. ";/usr/share/lua/5.3/?.lua;/usr/share/lua/5.3/?/init.lua"
  .. ";/usr/share/lua/5.1/?.lua;/usr/share/lua/5.1/?/init.lua"
local cqueues = require "cqueues"
local client = require "http.client"
local headers = require "http.headers"
local cjson = require "cjson"

local scenario, url, count = arg[1], arg[2], tonumber(arg[3])
local most = tonumber(arg[4]) or count
local text = ("ask "):rep(34)
local scheme, host, port, prefix = url:match "^(%w+)://([^:/]+):(%d+)(.*)$"
local path = prefix .. "/external/conversations/c-1/messages"

local function connect()
  local context
  if scheme == "https" then
    context = require "http.tls".new_client_context()
    local store = require "openssl.x509.store".new()
    store:add(os.getenv "BENCH_CA")
    context:setStore(store)
  end
  return assert(client.connect { host = host, port = tonumber(port), tls = scheme == "https",
    ctx = context, version = scheme == "http" and 1.1 or 2 })
end

local function ask(connection, method, body)
  local stream = assert(connection:new_stream())
  local request = headers.new()
  request:append(":method", method)
  request:append(":scheme", scheme)
  request:append(":authority", host .. ":" .. port)
  request:append(":path", path)
  request:append("agent-secret-key", "secret")
  if body then
    request:append("content-type", "application/json")
    request:append("content-length", ("%d"):format(#body))
  end
  assert(stream:write_headers(request, not body))
  if body then assert(stream:write_body_from_string(body)) end
  local reply = assert(stream:get_headers())
  assert(reply:get ":status" == "200")
  return cjson.decode(assert(stream:get_body_as_string()))
end

local check = 0

local function send(connection)
  local answer = ask(connection, "POST", cjson.encode { message = text })
  check = check + #answer.message
end

-- So many coroutines that take turns. Over HTTP/2 a hundred of them share a connection.
local function at_once(workers)
  local loop, begun, shared = cqueues.new(), 0, {}
  for i = 1, scheme == "https" and math.ceil(workers / 100) or 0 do shared[i] = connect() end
  for i = 1, workers do
    loop:wrap(function()
      local connection = shared[(i - 1) // 100 + 1] or connect()
      while begun < count do
        begun = begun + 1
        send(connection)
      end
    end)
  end
  assert(loop:loop())
end

if scenario == "send" then
  local connection = connect()
  for _ = 1, count do send(connection) end
elseif scenario == "history" then
  local connection = connect()
  for _ = 1, count do
    local messages = ask(connection, "GET").messages
    check = check + #messages + #messages[#messages].message
  end
elseif scenario == "flight" then
  at_once(math.min(count, most))
else
  error "no such scenario"
end
print(check)
