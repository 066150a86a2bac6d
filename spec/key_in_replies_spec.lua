-- A key that a server quotes, in any spelling, appears in nothing that raia returns or prints.
local raia = require "raia"
local calls = require "spec.support.calls"
local run = require("spec.support.run").run
local server = require "spec.support.server"

-- No four letters or digits of them occur elsewhere in a row.
local KEYS = {
  plain = "Kq7xZx2Wv9Jt4Rb8Ny3Mf6Hd1Gs5",
  ["with / and +"] = "Kq7x/Zx2W+v9Jt4//Rb8Ny3+Mf6H",
  ["with marks of all kinds"] = [[\Kq7x"Zx2W\v9Jt4<Rb8N&y3Mf6%Hd1G'Ls5P>\]],
}

local function every(key, form)
  return (key:gsub(".", function(c) return form:format(c:byte()) end))
end

local function marks(key, form)
  return (key:gsub("%W", function(c) return form:format(c:byte()) end))
end

local BASE64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"

local function base64(key)
  local out = {}
  for a, b, c in key:gmatch("(.)(.)(.)") do
    local bits = a:byte() << 16 | b:byte() << 8 | c:byte()
    for shift = 18, 0, -6 do
      local digit = (bits >> shift & 63) + 1
      out[#out + 1] = BASE64:sub(digit, digit)
    end
  end
  return table.concat(out)
end

local function in_json(text) return (text:gsub('[\\"]', "\\%0")) end

-- Ways to write a key within a string of JSON.
local QUOTINGS = {
  ["as it is"] = in_json,
  ["with slashes escaped"] = function(key) return (in_json(key):gsub("/", "\\/")) end,
  ["with marks as \\u002f"] = function(key) return marks(key, "\\u%04x") end,
  ["with marks as \\u002F"] = function(key) return marks(key, "\\u%04X") end,
  ["in escapes alone"] = function(key) return every(key, "\\u%04x") end,
  ["in JSON in JSON"] = function(key)
    return in_json(marks(key, "\\u%04x")) .. " " .. in_json((in_json(key):gsub("/", "\\/")))
  end,
  ["as in a URL"] = function(key) return marks(key, "%%%02X") end,
  ["as in a URL, in small letters"] = function(key) return marks(key, "%%%02x") end,
  ["as in a URL within a URL"] = function(key) return marks(key, "%%25%02X") end,
  ["as in HTML"] = function(key) return marks(key, "&#%d;") end,
  ["as in HTML, with x"] = function(key) return marks(key, "&#x%X;") end,
  ["as in HTML, by names"] = function(key)
    return in_json(key:gsub("&", "&amp;"):gsub("<", "&lt;"):gsub(">", "&gt;"):gsub('"', "&quot;")
      :gsub("'", "&apos;"))
  end,
  ["as in HTML, whose & is escaped"] = function(key) return marks(key, "\\u0026#%d;") end,
  ["in Base64"] = base64,
}

-- Whether a text has a part of the key, four characters or more, as it is or as it was written.
local function leaks(text, key, quoted)
  for part in key:gmatch("%w%w%w%w+") do
    if text:find(part, 1, true) then return true end
  end
  local four = math.max(12, 4 * #quoted // #key)
  for i = 1, #quoted - four + 1 do
    if text:find(quoted:sub(i, i + four - 1), 1, true) then return true end
  end
  return false
end

-- Fails when the key is in what a call gave.
local function hides(value, key, quoted)
  if type(value) == "string" then
    assert.is_false(leaks(value, key, quoted), value)
  elseif type(value) == "table" then
    for name, inside in next, value do
      hides(name, key, quoted)
      hides(inside, key, quoted)
    end
  end
end

-- Bodies of replies with 2xx that few operations can take, with QUOTED for the key.
local WRONG = {
  '{"key":"QUOTED"}', '["QUOTED"]', '"QUOTED"', '{"messages":"QUOTED"}', '{"messages":["QUOTED"]}',
  '{"messages":{"QUOTED":{}}}', '{"id":"QUOTED","conversationId":"QUOTED"}',
  '{"id":["QUOTED"],"conversationId":{"QUOTED":1}}', '{"key":"QUOTED",', '{"key":"QUOTED"}}',
  '<html>QUOTED', 'QUOTED',
}

local REFUSAL = '{"name":"QUOTED","message":"No agent has QUOTED","details":[{"QUOTED":"QUOTED",'
  .. '"deep":[{"key":["QUOTED",{"QUOTED":{"it":"is QUOTED."}}]}]},"QUOTED"]}'

-- A server that gives each body in turn for every request, by the number at the head of its path
-- prefix.
local function serve(status, bodies)
  local list = {}
  for i, body in ipairs(bodies) do list[i] = ("%q"):format(body) end
  return server.start(([[
    local connection = ...
    local bodies = { %s }
    local request = connection:request()
    while request do
      connection:reply(%d, bodies[tonumber(request.path:match("^/(%%d+)/"))])
      request = connection:request()
    end]]):format(table.concat(list, ",\n"), status))
end

local function bodies_of(templates, quoted)
  local bodies = {}
  for i, template in ipairs(templates) do
    bodies[i] = template:gsub("QUOTED", (quoted:gsub("%%", "%%%%")))
  end
  return bodies
end

local connect = require "spec.support.client" ()

for key_name, key in pairs(KEYS) do
  for quoting, quote in pairs(QUOTINGS) do
    local quoted = quote(key)
    describe(("a key %s, quoted %s,"):format(key_name, quoting), function()
      it("is not in the error of a reply of the wrong shape", function()
        local bodies = bodies_of(WRONG, quoted)
        local peer <close> = serve(200, bodies)
        for i = 1, #bodies do
          local client <close> = connect(("%s/%d"):format(peer.base_url, i), { secret_key = key })
          local failed = 0
          for name, call in pairs(calls) do
            local result, message, err = call(client)
            if message then
              failed = failed + 1
              assert.is_nil(result)
              assert.equal("decode", err.kind)
              hides({ message, tostring(err), err }, key, quoted)
              assert.is_truthy(err.body:find("***", 1, true), err.body)
            else -- it was what they take: a message has an id of any text
              assert.is_true(name == "request" or name == "delete_all" or name == "send"
                and bodies[i]:sub(1, 6) == '{"id":', name .. bodies[i])
            end
          end
          assert.is_true(failed >= 4, bodies[i])
        end
      end)

      it("is not in the error of a refusal: message, code, details and body", function()
        local peer <close> = serve(400, bodies_of({ REFUSAL }, quoted))
        local client <close> = connect(peer.base_url .. "/1", { secret_key = key })
        for _, call in pairs(calls) do
          local _, message, err = call(client)
          assert.equal("http", err.kind)
          assert.is_truthy(message:find("No agent has ***", 1, true), message)
          assert.is_truthy(err.code:find("***", 1, true))
          assert.is_table(err.details[1].deep[1].key[2])
          hides({ message, tostring(err), err }, key, quoted)
        end
      end)
    end)
  end
end

describe("a key that is quoted", function()
  local KEY = KEYS["with / and +"]

  it("where the excerpt of a body ends is not in it, wherever it is cut", function()
    local QUOTED_FOUR = { ["as it is"] = 4, ["with slashes escaped"] = 4, ["as in HTML"] = 4,
      ["in escapes alone"] = 24, ["with marks as \\u002f"] = 4 }
    for quoting, four in pairs(QUOTED_FOUR) do
      local quoted = QUOTINGS[quoting](KEY)
      local peer <close> = server.start(([[
        local connection = ...
        local request = connection:request()
        while request do
          local padding = tonumber(request.path:match("%%d+$"))
          connection:reply(200, '{"a":"' .. ("."):rep(padding) .. %q .. ("."):rep(2000))
          request = connection:request()
        end]]):format(quoted))
      local client <close> = connect(peer.base_url, { secret_key = KEY })
      for padding = 1000 - #quoted, 1020 do
        local _, _, err = client:request("GET", "/" .. padding)
        assert.equal("decode", err.kind)
        assert.equal(1024, #err.body)
        assert.is_nil(err.body:find(quoted:sub(1, four), 1, true), err.body)
      end
    end
  end)

  -- What was all right still is: the text is JSON as before.
  it("is not in what is read when the client has been closed", function()
    for _, key in ipairs { KEY, KEYS["with marks of all kinds"] } do
      for _, status in ipairs { 200, 400 } do
        for _, quoting in ipairs { "as it is", "with slashes escaped", "in escapes alone" } do
          local quoted = QUOTINGS[quoting](key)
          local bodies = bodies_of(status == 200 and WRONG or { REFUSAL }, quoted)
          local peer <close> = serve(status, bodies)
          for i = 1, #bodies do
            local client = connect(("%s/%d"):format(peer.base_url, i), { secret_key = key })
            local requests = {}
            for name, call in pairs(calls) do
              requests[name] = call(client, { wait = false })
            end
            for _, request in pairs(requests) do
              while not request:done() do raia.sleep(0.01) end
            end
            client:close()
            for name, request in pairs(requests) do
              local result, message, err = request:wait()
              if name == "request" and status == 200 and i < 9 then
                assert.is_nil(message)
                hides(result, key, quoted)
              elseif message then
                assert.equal(status == 200 and "decode" or "http", err.kind)
                hides({ message, err }, key, quoted)
              end
            end
          end
        end
      end
    end
  end)

  it("is not in paths either: an id that holds it is none", function()
    for quoting, quote in pairs(QUOTINGS) do
      local peer <close> = serve(200, bodies_of({
        '{"id":"QUOTED","conversationId":"c-QUOTED"}' }, quote(KEY)))
      local client <close> = connect(peer.base_url .. "/1", { secret_key = KEY })
      for _, name in ipairs { "start", "create", "get" } do
        local result, _, err = calls[name](client)
        assert.is_nil(result, quoting)
        assert.equal("decode", err.kind)
      end
    end
  end)

  it("leaves alone what only resembles it", function()
    local REST = [=[, "names": ["Kq7x/Zx2W+v9", "7x/Zx2W+v9Jt4//Rb8Ny3+Mf6H", "\\/\\ %25 &amp;"]]=]
    local body = '{"message":"Kq7x/Zx2W+v9Jt4/Rb8Ny3+Mf6H"' .. REST .. ',"details":["Kq7x"]}'
    local peer <close> = serve(400, { body })
    local client <close> = connect(peer.base_url .. "/1", { secret_key = KEY })
    local _, message, err = client:request("GET", "/x")
    assert.equal(body, err.body)
    assert.same({ "Kq7x" }, err.details)
    assert.is_truthy(message:find("Kq7x/Zx2W+v9Jt4/Rb8Ny3+Mf6H", 1, true))
  end)

  it("is masked in time that grows with the reply alone", function()
    for _, filler in ipairs { "\\\\", "%25", "&amp;", "Kq7x/Zx2W+v9Jt4//", "\\u004b" } do
      local peer <close> = server.start(([[
        local connection = ...
        while connection:request() do
          connection:reply(400, '{"details":["' .. (%q):rep(%d) .. '"]}')
        end]]):format(filler, 2 ^ 22 // #filler))
      local client <close> = connect(peer.base_url, { secret_key = KEY, timeout = 60 })
      local from = os.clock()
      local _, _, err = client:request("GET", "/x")
      assert.equal("http", err.kind)
      assert.is_true(os.clock() - from < 20)
    end
  end)

  it("is not in the log, in headers neither", function()
    for _, quoting in ipairs { "as it is", "with slashes escaped", "as in a URL",
      "in escapes alone", "in Base64" } do
      local quoted = QUOTINGS[quoting](KEY)
      local peer <close> = server.start(([[
        local connection = ...
        while connection:request() do
          connection:reply(400, %q, { ["X-Echo"] = %q, ["X-Request-Id"] = %q,
            ["Content-Type"] = "application/json; " .. %q })
        end]]):format('{"message":"' .. quoted .. '"}', "a" .. quoted .. "b", quoted, quoted))
      local output = run("lua5.4 -", { RAIA_LOG = "debug", KEY = KEY, URL = peer.base_url }, [[
        local client = require "raia".client { secret_key = os.getenv "KEY", max_retries = 0,
          base_url = os.getenv "URL", on_event = function(event)
            for name, value in pairs(event) do print(name, value) end
            for name, value in pairs(event.headers) do print(name, value) end
          end }
        local _, message, err = client:request("GET", "/x")
        print(message)
        for name, value in pairs(err) do print(name, value) end]])
      assert.is_truthy(output:find("X-Echo: a***", 1, true), output)
      assert.is_truthy(output:find("x-echo\ta***", 1, true), output)
      assert.is_truthy(output:find("request_id\t***", 1, true), output)
      hides(output, KEY, quoted)
    end
  end)
end)
