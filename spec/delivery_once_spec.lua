-- A call is never delivered twice: deliveries and errors when the connection dies at every moment,
-- over each protocol, directly and through a proxy.
local raia = require "raia"
local calls = require "spec.support.calls"
local certificates = require "spec.support.certificates"
local server = require "spec.support.server"
local connect = require "spec.support.client" ()

-- A row is a fault: its name, what the server does, and what comes of the call.
--   lost: a POST fails, kind "connection", sent "maybe", and the server has read `delivered` of
--         them; a GET is asked again
--   fine: the call succeeds and is delivered once
--   either: the call is lost, or else it is fine, if it had not begun to leave
--   cut: it fails, or is no reply to libcurl either ("decode"); it is delivered once
-- Where a GET waits half a second to be asked again, it goes through fewer rows (but_get).
-- A row is played to the first request of a connection, and to the second (kept).
local rows = { http1 = {}, http2 = {} }

local function add(protocol, name, script, comes_of_it, options)
  options = options or {}
  for _, kept in ipairs { false, true } do
    if options.kept == nil or options.kept == kept then
      table.insert(rows[protocol], { name = name .. (kept and ", on a kept connection" or ""),
        script = script, kept = kept, comes_of_it = kept and options.if_kept or comes_of_it,
        delivered = options.delivered or 0,
        idle = options.idle, but_get = options.but_get })
    end
  end
end

local idle = " connection:note('idle')" -- the client may call
local endings = { closes = "connection:close()", resets = "connection:reset()" }

-- What the server has done with the request when the connection dies: script, deliveries. Where
-- it has nothing of the body, the body may not have begun to leave.
local moments = {
  http1 = {
    { "with nothing of the request read but a byte", "connection:read(1)", 0, bodiless = true },
    { "with half of the head read", "connection:read(60)", 0, bodiless = true },
    { "with the head read", "connection:head()", 0, bodiless = true },
    { "with half of the body read", "connection:head() connection:read(9)", 0, but_get = true },
    { "with all of the request read", "connection:request()", 1 },
    { "in the midst of the status line", "connection:request() connection:send('HTTP/1.1 20')",
      1 },
    { "after the head of its reply", [[connection:request()
      connection:send("HTTP/1.1 201 Created\r\nContent-Length: " .. #REPLY .. "\r\n\r\n")]], 1 },
    { "in the midst of its reply", [[connection:request()
      connection:send("HTTP/1.1 201 Created\r\nContent-Length: " .. #REPLY .. "\r\n\r\n"
        .. REPLY:sub(1, 20))]], 1 },
  },
  http2 = {
    { "with nothing of the request read but a byte", "connection:read(1)", 0, bodiless = true },
    { "with the head read", "peer:head()", 0, bodiless = true },
    { "with half of the body read", "peer:head() connection:read(14)", 0, but_get = true },
    { "with all of the request read", "peer:request()", 1 },
    { "after the head of its reply", "peer:headers(peer:request().stream, 201)", 1 },
    { "in the midst of its reply", [[local stream = peer:request().stream
      peer:headers(stream, 201)
      peer:data(stream, REPLY:sub(1, 20))]], 1 },
  },
}

for protocol, list in pairs(moments) do
  for ending, script in pairs(endings) do
    for _, moment in ipairs(list) do
      add(protocol, ("it %s %s"):format(ending, moment[1]), moment[2] .. " " .. script,
        moment.bodiless and "either" or "lost",
        { delivered = moment[3], but_get = moment.but_get })
    end
    add(protocol, ("it %s at once"):format(ending), script, "either", { kept = false })
    -- A reset is felt at once, be the last answer read or not.
    add(protocol, ("it %s while idle"):format(ending),
      "connection:sleep(0.2) " .. script .. idle, "fine", { kept = true, idle = true })
  end
end

-- What HTTP/2 has besides. `stream` is the request's; those before it had their replies.
local answer = "peer:reply(stream, 200, REPLY)"
local close = " connection:close()"
local read, refuse = "local stream = peer:request().stream ",
  "local stream = peer:request('refused').stream "

-- libcurl does not always say why it has given up a kept connection.
local unsure = { if_kept = "either" }
for _, code in ipairs { "NO_ERROR", "ENHANCE_YOUR_CALM", "INTERNAL_ERROR" } do
  add("http2", ("GOAWAY (%s), idle"):format(code), ("peer:goaway(1, %q)"):format(code) .. idle,
    "fine", { kept = true, idle = true })
  add("http2", ("GOAWAY (%s) before it has read the request"):format(code),
    ("peer:goaway(kept and 1 or 0, %q) peer:request()"):format(code), "fine")
  add("http2", ("GOAWAY (%s) below the request's stream"):format(code),
    refuse .. ("peer:goaway(math.max(stream - 2, 0), %q)"):format(code), "fine", unsure)
  add("http2", ("GOAWAY (%s) below the request's stream, and it closes"):format(code),
    refuse .. ("peer:goaway(math.max(stream - 2, 0), %q)"):format(code) .. close, "fine", unsure)
  add("http2", ("GOAWAY (%s) of the request's stream, and it closes"):format(code),
    read .. ("peer:goaway(stream, %q)"):format(code) .. close, "lost", { delivered = 1 })
end
add("http2", "GOAWAY (NO_ERROR) of the request's stream, and it answers",
  read .. "peer:goaway(stream, 'NO_ERROR') " .. answer, "fine")
add("http2", "GOAWAY of any stream, then of the request's, and it answers", read
  .. "peer:goaway(2^31 - 1 | 0, 'NO_ERROR') peer:goaway(stream, 'NO_ERROR') " .. answer, "fine")
add("http2", "GOAWAY of any stream, and it closes",
  read .. "peer:goaway(2^31 - 1 | 0, 'NO_ERROR')" .. close, "lost", { delivered = 1 })
add("http2", "REFUSED_STREAM with the head read",
  "peer:reset(peer:head().stream, 'REFUSED_STREAM')", "fine", unsure)
add("http2", "REFUSED_STREAM with all of the request read",
  refuse .. "peer:reset(stream, 'REFUSED_STREAM')", "fine", unsure)
local asked_again = { NO_ERROR = true, CANCEL = true, HTTP_1_1_REQUIRED = true }
for _, code in ipairs { "REFUSED_STREAM", "NO_ERROR", "CANCEL", "INTERNAL_ERROR",
  "PROTOCOL_ERROR", "ENHANCE_YOUR_CALM", "HTTP_1_1_REQUIRED" } do
  local reset = (" peer:reset(stream, %q)"):format(code)
  local options = { delivered = 1, but_get = not asked_again[code] }
  if code ~= "REFUSED_STREAM" then
    add("http2", code .. " with all of the request read", read .. reset, "lost", options)
  end
  local comes_of_it = code == "NO_ERROR" and "cut" or "lost"
  add("http2", code .. " after the head of its reply",
    read .. "peer:headers(stream, 201)" .. reset, comes_of_it, options)
  add("http2", code .. " in the midst of its reply",
    read .. "peer:headers(stream, 201) peer:data(stream, REPLY:sub(1, 20))" .. reset,
    comes_of_it, options)
end

-- A server plays the row that it was told of by a request for /arm/ROW, to the connection
-- that comes next; else it answers one request for each. A connection that a row has left open is
-- there for further attempts, until the next row.
local script = [[
  local connection, index = ...
  accepted, left = index, left or {}
  local peer = %s
  if connection.wants_tls then connection:starttls() end
  REPLY = '{"id":"m","conversationId":"m","message":"own"}'
  local rows = { %s }
  local function reply(request, last)
    if connection ~= peer then
      if last then peer:goaway(request.stream, "NO_ERROR") end
      peer:reply(request.stream, 200, REPLY)
    else
      connection:reply(200, REPLY, last and { Connection = "close" })
    end
  end
  if armed and index > armed.index then
    local row = armed
    armed = nil
    local first = row.kept and peer:request()
    if first then reply(first) end
    row.play(connection, peer, row.kept)
    if connection.closed then return end
    left[connection] = true
  end
  local request = peer:request()
  if not request or request.refused then return end
  local row = request.path:match "^/arm/(%%d+)"
  if row then
    armed = rows[tonumber(row)]
    armed.index = accepted
    left[connection] = nil
    for other in pairs(left) do
      if not other.closed then other:shutdown_write() end
    end
    left = {}
  end
  reply(request, true)
  connection:wait_close(5) -- libcurl 8.1 to 8.5 drop an answer that is followed by the end
]]

local function script_of(protocol)
  local list = {}
  for i, row in ipairs(rows[protocol]) do
    list[i] = ("{ kept = %s, play = function(connection, peer, kept) %s end }"):format(
      row.kept, row.script)
  end
  return script:format(protocol == "http2" and "connection:http2() or connection" or "connection",
    table.concat(list, ",\n"))
end

-- Each has a server of its own, to which it goes through all rows; they do so side by side.
local lanes = {}
for _, protocol in ipairs { { "HTTP/1.1", "http1" }, { "HTTP/1.1 over TLS", "http1", "" },
  { "HTTP/2", "http2", "h2" } } do
  for way, methods in pairs { [""] = { "send", "create", "start", "get" },
    [" through a proxy"] = { "send" } } do
    for _, method in ipairs(methods) do
      table.insert(lanes, { name = protocol[1] .. way, method = method, proxied = way ~= "",
        protocol = protocol[2], alpn = protocol[3], idle = 0, outcomes = {} })
    end
  end
end

local certificate, proxy

local function connect_by(lane, path)
  return connect(lane.server.base_url .. path, { timeout = 20, max_retries = 1,
    ca_file = certificate.ca, proxy = lane.proxied and "http://127.0.0.1:" .. proxy.port or "" })
end

local function play(lane, i, row)
  local client <close> = connect_by(lane, "/row" .. i)
  -- Once HTTP/2 is known to be spoken, a client keeps to connections made for it.
  if row.kept then assert(client:request("GET", "/first")) end
  local armer <close> = connect_by(lane, "")
  assert(armer:request("GET", "/arm/" .. i))
  if row.kept then assert(client:request("GET", "/kept")) end
  if row.idle then
    lane.idle = lane.idle + 1
    for _ = 1, 500 do
      if #lane.server:notes() >= lane.idle then break end
      raia.sleep(0.02)
    end
    if lane.proxied then proxy:notes() end -- it has passed on what has come
  end
  return calls[lane.method](client)
end

local function applies(row, lane) return not (row.but_get and lane.method == "get") end

-- How often the call of a row was delivered.
local function deliveries(lane, i)
  local count, path = 0, "/row" .. i .. "/external"
  for _, request in ipairs(lane.requests) do
    if request.path:sub(1, #path) == path then count = count + 1 end
  end
  return count
end

local checks = {}

function checks.lost(row, lane, delivered, result, message, err)
  if lane.method == "get" then
    assert(result, message)
    assert.equal(row.delivered + 1, delivered)
  else
    assert.is_nil(result, "it succeeded")
    assert.equal("connection", err.kind, message)
    assert.equal("maybe", err.sent, message)
    assert.is_false(err.retryable)
    assert.equal(1, err.attempts)
    assert.equal(row.delivered, delivered)
  end
end

function checks.fine(_, _, delivered, result, message)
  assert(result, message)
  assert.equal(1, delivered)
end

function checks.either(row, lane, delivered, result, ...)
  return (result and checks.fine or checks.lost)(row, lane, delivered, result, ...)
end

function checks.cut(row, _, delivered, result, message, err)
  assert.is_nil(result, "it succeeded")
  assert.is_true(err.kind == "decode" or err.kind == "connection", message)
  assert.equal("maybe", err.sent)
  assert.equal(row.delivered, delivered)
end

describe("delivered once at most:", function()
  lazy_setup(function()
    certificate = certificates()
    proxy = server.start [[
      local connection = ...
      local port = connection:head().path:match ":(%d+)$"
      connection:send("HTTP/1.1 200 Connection established\r\n\r\n")
      connection:pipe("127.0.0.1", tonumber(port))
    ]]
    for _, lane in ipairs(lanes) do
      lane.server = server.start(script_of(lane.protocol), { tls = lane.alpn and {
        cert = certificate.good.cert, key = certificate.good.key, protocol = lane.alpn } })
    end
    raia.run(function()
      for _, lane in ipairs(lanes) do
        raia.spawn(function()
          for i, row in ipairs(rows[lane.protocol]) do
            if applies(row, lane) then
              lane.outcomes[i] = table.pack(pcall(play, lane, i, row))
            end
          end
          lane.requests = lane.server:requests()
        end)
      end
    end)
  end)

  lazy_teardown(function()
    for _, lane in ipairs(lanes) do lane.server:close() end
    proxy:close()
    certificate.remove()
  end)

  for _, lane in ipairs(lanes) do
    for i, row in ipairs(rows[lane.protocol]) do
      if applies(row, lane) then
        it(("%s over %s: %s"):format(lane.method, lane.name, row.name), function()
          assert(table.unpack(lane.outcomes[i], 1, 2))
          checks[row.comes_of_it](row, lane, deliveries(lane, i),
            table.unpack(lane.outcomes[i], 2))
        end)
      end
    end
  end
end)

describe("a server that refuses each time, by HTTP/2,", function()
  local how = { REFUSED_STREAM = "peer:reset(request.stream, 'REFUSED_STREAM')",
    GOAWAY = "peer:goaway(0, 'NO_ERROR')" }
  for name, refusal in pairs(how) do
    for _, method in ipairs { "send", "get" } do
      it(("with %s has no %s, and its caller knows"):format(name, method), function()
        local made = certificates()
        local refusing <close> = server.start(([[
          local peer = ...
          peer = peer:http2()
          local request = peer:request("refused")
          while request do
            %s
            request = peer:request("refused")
          end
        ]]):format(refusal), { tls = { cert = made.good.cert, key = made.good.key,
          protocol = "h2" } })
        local client <close> = connect(refusing, { timeout = 20, max_retries = 1,
          ca_file = made.ca })
        local result, message, err = calls[method](client)
        made.remove()
        assert.is_nil(result)
        assert.equal("connection", err.kind, message)
        assert.equal("no", err.sent, message)
        assert.is_true(err.retryable)
        assert.equal(2, err.attempts)
        assert.is_true(#refusing:refused() >= 2)
      end)
    end
  end
end)

describe("a server process that dies on the second message of a kept connection", function()
  for _, over_tls in ipairs { false, true } do
    it("has had it once" .. (over_tls and ", over TLS" or ""), function()
      local made = certificates()
      local dying <close> = server.start([[
        local connection = ...
        connection:request()
        connection:reply(200, '{"id":"m","message":"own"}')
        connection:request()
        os.exit(1, false)
      ]], { tls = over_tls and made.good or nil })
      local client <close> = connect(dying, { timeout = 20, max_retries = 2, ca_file = made.ca })
      local conversation = client:conversation("a")
      assert(conversation:send("first"))
      local result, message, err = conversation:send("second")
      made.remove()
      assert.is_nil(result)
      assert.equal("connection", err.kind, message)
      assert.equal("maybe", err.sent, message)
      assert.equal(1, err.attempts)
      dying:close()
      assert.equal(2, #dying:requests())
    end)
  end
end)
