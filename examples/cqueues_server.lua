-- A web server that answers by asking an agent, and serves others meanwhile:
-- lua5.4 cqueues_server.lua [PORT]; then: curl http://127.0.0.1:8000/?Where+is+my+order
-- Needs lua-http; on Debian its files for other versions of Lua do for this one.
package.path = package.path .. ";/usr/share/lua/5.3/?.lua;/usr/share/lua/5.1/?.lua"
local raia = require "raia"
local server = require "http.server"
local headers = require "http.headers"
local util = require "http.util"

raia.use "cqueues"
local client = raia.client()

local function answer(question)
  if question == "" then return "400", "Ask something: /?Where+is+my+order" end
  local conversation
  local user, message = client.users:find_or_create {
    firstName = "Web", lastName = "Visitor", fkId = "web-example" }
  if not user then return "502", message end
  conversation, message = client.conversations:create { conversationUserId = user.id }
  if not conversation then return "502", message end
  local reply
  reply, message = conversation:send(question) -- others are served while this waits
  if not reply then return "502", message end
  return "200", tostring(reply)
end

local function on_stream(_, stream)
  local request = assert(stream:get_headers())
  local path = request:get ":path"
  local status, text = "200", "alive"
  if path ~= "/alive" then
    local query = (path:match "%?(.*)$" or ""):gsub("+", " ")
    status, text = answer(util.decodeURIComponent(query))
  end
  local reply = headers.new()
  reply:append(":status", status)
  reply:append("content-type", "text/plain; charset=utf-8")
  assert(stream:write_headers(reply, false))
  assert(stream:write_chunk(text .. "\n", true))
end

local listening = assert(server.listen {
  host = "127.0.0.1", port = tonumber(arg[1] or 8000), tls = false, onstream = on_stream,
  onerror = function(_, _, what, why) io.stderr:write(what, ": ", tostring(why), "\n") end,
})
assert(listening:listen())
print("http://127.0.0.1:" .. select(3, listening:localname()))
io.stdout:flush()
assert(listening:loop())
