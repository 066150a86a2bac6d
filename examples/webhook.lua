-- A server for the service's webhooks that asks the agent what it is told to:
-- WEBHOOK_SECRET=… lua5.4 webhook.lua [PORT]
-- Webhooks carry no signature, so a secret of one's own comes with them:
--   client.agent:create_webhook { title = "…", description = "…", url = "https://…/",
--     triggerCondition = "each_message", headers = { ["X-Webhook-Secret"] = "…" } }
-- Needs lua-http; on Debian its files for other versions of Lua do for this one.
package.path = package.path .. ";/usr/share/lua/5.3/?.lua;/usr/share/lua/5.1/?.lua"
local raia = require "raia"
local cjson = require "cjson"
local cqueues = require "cqueues"
local server = require "http.server"
local headers = require "http.headers"

local secret = os.getenv "WEBHOOK_SECRET" or ""
if #secret < 16 then
  io.stderr:write("WEBHOOK_SECRET is to have 16 characters or more\n")
  os.exit(2)
end

raia.use "cqueues"
local client = raia.client()
local loop = cqueues.running

-- Compares in a time that does not tell where two texts differ.
local function same(a, b)
  local differs = #a ~ #b
  for i = 1, #b do differs = differs | ((a:byte(i) or 0) ~ b:byte(i)) end
  return differs == 0
end

local function work(event)
  local answer, problem = client:conversation(event.conversationId):ask(event.message,
    { timeout = 120 })
  print(event.conversationId, answer or "! " .. problem)
  io.stdout:flush()
end

-- The status of the reply, and the event if there is one to work on.
local function take(request, body)
  if not same(request:get "x-webhook-secret" or "", secret) then return "401" end
  local ok, event = pcall(cjson.decode, body)
  if not ok or type(event) ~= "table" or type(event.conversationId) ~= "string"
    or type(event.message) ~= "string" then
    return "400"
  end
  return "204", event
end

local function on_stream(_, stream)
  local request = assert(stream:get_headers())
  local status, event = take(request, stream:get_body_as_string(10) or "")
  local reply = headers.new()
  reply:append(":status", status)
  assert(stream:write_headers(reply, true))
  if event then loop():wrap(work, event) end -- whoever sent it does not wait for the answer
end

local listening = assert(server.listen {
  host = "127.0.0.1", port = tonumber(arg[1] or 8001), tls = false, onstream = on_stream,
  onerror = function(_, _, what, why) io.stderr:write(what, ": ", tostring(why), "\n") end,
})
assert(listening:listen())
print("http://127.0.0.1:" .. select(3, listening:localname()))
io.stdout:flush()
assert(listening:loop())
