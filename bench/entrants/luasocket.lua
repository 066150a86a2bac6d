-- LuaSocket and lua-cjson, which keep no connection: luasocket.lua SCENARIO URL COUNT.
local http = require "socket.http"
local ltn12 = require "ltn12"
local cjson = require "cjson"

local scenario, url, count = arg[1], arg[2], tonumber(arg[3])
local text = ("ask "):rep(34)
url = url .. "/external/conversations/c-1/messages"

local function ask(method, body)
  local parts = {}
  local _, status = assert(http.request {
    url = url, method = method, sink = ltn12.sink.table(parts),
    source = body and ltn12.source.string(body),
    headers = { ["Agent-Secret-Key"] = "secret", ["Content-Type"] = "application/json",
      ["Content-Length"] = body and #body },
  })
  assert(status == 200, status)
  return cjson.decode(table.concat(parts))
end

local check = 0
for _ = 1, count do
  if scenario == "send" then
    check = check + #ask("POST", cjson.encode { message = text }).message
  elseif scenario == "history" then
    local messages = ask("GET").messages
    check = check + #messages + #messages[#messages].message
  else
    error "no such scenario"
  end
end
print(check)
