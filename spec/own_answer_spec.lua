-- The answer of a call is its own, whole, and there at once, whatever follows it and however it
-- ends: replies of every size, stray bytes behind them, cuts, trailers, gzip, endless headers.
local raia = require "raia"
local calls = require "spec.support.calls"
local certificates = require "spec.support.certificates"
local server = require "spec.support.server"
local clients = require "spec.support.client"

local certificate = certificates()
teardown(function() certificate.remove() end)

local no_wait = { wait = false }
local operations = {}
for name in pairs(calls) do operations[#operations + 1] = name end
table.sort(operations)

-- What each script begins with: padded(request, size) is a reply of so many bytes that suits each
-- operation, and says which path it is for.
local prelude = [[
  local connection, index, place = ...
  local JSON = "application/json"

  local function padded(request, size)
    local from = '{"id":"c-1","conversationId":"c-1","path":"' .. request.path .. '","pad":"'
    if request.method == "GET" and request.path:find "messages$" then
      from = '{"messages":[{"id":"c-1","pad":"'
    end
    local to = from:find "messages" and not from:find "path" and '"}]}' or '"}'
    return from .. ("x"):rep(size - #from - #to) .. to
  end
]]

local alpn = { ["HTTP/1.1 over TLS"] = "", ["HTTP/2"] = "h2" }

local function start(protocol, script, ports)
  return server.start(prelude .. script, { ports = ports, tls = alpn[protocol] and {
    cert = certificate.good.cert, key = certificate.good.key, protocol = alpn[protocol] } })
end

local connect_to = clients { timeout = 10, ca_file = certificate.ca }
local function connect(fault_server, place, options)
  return connect_to(fault_server.base_urls[place or 1], options)
end

describe("a reply over HTTP/2", function()
  local sizes = { 100000, 200000 }
  for _, kilobytes in ipairs { 1, 3, 9, 16, 32, 64 } do
    for off = -1, 1 do sizes[#sizes + 1] = kilobytes * 1024 + off end
  end
  local endings = { "ends with its last bytes", "ends with an empty frame" }
  local fault_server
  local outcomes = {}

  -- Every other reply says its length.
  lazy_setup(function()
    fault_server = start("HTTP/2", ([[
      local sizes = { %s }
      local peer = connection:http2()
      local request = peer:request()
      while request do
        local body = padded(request, sizes[(place + 1) // 2])
        peer:headers(request.stream, 200, { ["content-type"] = JSON,
          ["content-length"] = peer.delivered %% 2 == 0 and #body or nil })
        peer:body(request.stream, body, place %% 2 == 0)
        request = peer:request()
      end
    ]]):format(table.concat(sizes, ", ")), 2 * #sizes)
    local places = {}
    for place = 1, 2 * #sizes do places[place] = place end
    raia.map(places, function(place)
      local client <close> = connect(fault_server, place)
      for _, name in ipairs(operations) do
        for _, n in ipairs { 1, 5 } do
          local requests = {}
          for i = 1, n do requests[i] = calls[name](client, no_wait) end
          for i = 1, n do
            local key = ("%d %s %d"):format(2 - place % 2, name, n)
            outcomes[key] = outcomes[key] or {}
            table.insert(outcomes[key], { sizes[(place + 1) // 2], requests[i]:wait() })
          end
        end
      end
      return true
    end)
  end)

  lazy_teardown(function() fault_server:close() end)

  for e, ending in ipairs(endings) do
    for _, name in ipairs(operations) do
      for _, n in ipairs { 1, 5 } do
        it(("of 1 to 200 kB that %s is there at once: %s, %d in flight"):format(ending, name, n),
          function()
            local list = outcomes[("%d %s %d"):format(e, name, n)]
            assert.equal(n * #sizes, #list)
            for _, outcome in ipairs(list) do
              local size, value, message = table.unpack(outcome, 1, 3)
              assert(value, ("of %d bytes: %s"):format(size, message))
              if name ~= "delete_all" then
                local pad = name == "messages" and value[1].pad or value.pad
                assert.is_true(size - #pad < 120, "it is cut")
              end
            end
          end)
      end
    end
  end
end)

-- Rows of bytes behind a reply: what they are, where they are, how the reply says its length, its
-- size, and the method of the calls. Where there are none, the connection is to be kept.
local strays = {
  { "a whole reply", '"HTTP/1.1 200 OK\\r\\nContent-Type: application/json\\r\\n'
    .. 'Content-Length: 17\\r\\n\\r\\n{\\"path\\":\\"forged\\"}"' },
  { "a CRLF", '"\\r\\n"' },
  { "nothing", '""' },
}
local wheres = {
  { "in its record", "connection:send(head .. body .. stray)" },
  { "in its body's record", "connection:send(head) connection:send(body .. stray)" },
  { "in a record of their own", "connection:send(head .. body) connection:send(stray)" },
  { "a little later", "connection:send(head .. body) connection:sleep(0.05) "
    .. "connection:send(stray)" },
}
local NOTHING, CALLS = #strays, 3

local function stray_rows()
  local rows = {}
  for s in ipairs(strays) do
    for w = 1, s == NOTHING and 2 or #wheres do
      for _, size in ipairs { 300, 500, 1000, 3000, 16000, 64000, 200000 } do
        for _, chunked in ipairs { false, true } do
          for _, method in ipairs { "POST", "GET" } do
            table.insert(rows, { stray = s, where = w, size = size, chunked = chunked,
              method = method, requests = {}, name = ("%s %s (%s, %s)"):format(strays[s][1],
              wheres[w][1], chunked and "chunked" or "Content-Length", method) })
          end
        end
      end
    end
  end
  return rows
end

local function joined(list, form)
  local parts = {}
  for i, item in ipairs(list) do parts[i] = form:format(item[2]) end
  return table.concat(parts, ", ")
end

-- The first reply of a row has the stray bytes behind it.
local function start_straying(protocol, rows)
  local texts = {}
  for i, row in ipairs(rows) do
    texts[i] = ("{ stray = %d, where = %d, size = %d, chunked = %s }"):format(row.stray,
      row.where, row.size, row.chunked)
  end
  return start(protocol, ([[
    local strays, wheres = { %s }, { %s }
    rows = rows or { %s }
    local row = rows[place]
    local request = connection:request()
    while request do
      local body = padded(request, row.size)
      local head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
        .. (row.chunked and "Transfer-Encoding: chunked" or "Content-Length: " .. #body)
        .. "\r\n\r\n"
      if row.chunked then body = ("%%x\r\n%%s\r\n0\r\n\r\n"):format(#body, body) end
      if row.strayed then
        connection:send(head .. body)
      else
        row.strayed = true
        wheres[row.where](head, body, strays[row.stray])
        connection:note("strayed")
      end
      request = connection:request()
    end
  ]]):format(joined(strays, "%s"), joined(wheres, "function(head, body, stray) %s end"),
    table.concat(texts, ", ")), #rows)
end

-- Makes call `number` of the rows from one to another, at once.
local function call_rows(rows, from, to, number)
  for i = from, to do
    rows[i].requests[number] = rows[i].client:request(rows[i].method,
      ("/%d/%d"):format(i, number), nil, no_wait)
  end
  for i = from, to do rows[i].requests[number]:wait() end
end

-- Plays the rows, few at a time, and one of those to be kept: of the connections that many calls
-- at once have needed, not all are.
local function play_rows(fault_server, rows)
  local from = 1
  while from <= #rows do
    local to = from + (rows[from].stray == NOTHING and 0 or 1)
    for i = from, to do rows[i].client = connect(fault_server, i) end
    call_rows(rows, from, to, 1)
    for _ = 1, 500 do
      if #fault_server:notes() == to then break end
      raia.sleep(0.01)
    end
    for number = 2, CALLS do call_rows(rows, from, to, number) end
    for i = from, to do rows[i].client:close() end
    from = to + 1
  end
end

describe("behind a reply", function()
  local groups = { { over = "HTTP/1.1 over TLS" }, { over = "HTTP/1.1" } }
  for _, group in ipairs(groups) do group.rows = stray_rows() end

  lazy_setup(function()
    for _, group in ipairs(groups) do
      group.server = start_straying(group.over, group.rows)
    end
    raia.run(function()
      for _, group in ipairs(groups) do
        raia.spawn(play_rows, group.server, group.rows)
      end
    end)
    for _, group in ipairs(groups) do group.server:close() end
  end)

  for _, group in ipairs(groups) do
    local by_name = {}
    for i, row in ipairs(group.rows) do
      by_name[row.name] = by_name[row.name] or {}
      table.insert(by_name[row.name], i)
    end
    for name, list in pairs(by_name) do
      it(("over %s, %s is neither the answer nor the failure of the next call"):format(group.over,
        name), function()
          for _, i in ipairs(list) do
            local row = group.rows[i]
            for number = 1, CALLS do
              local value, message = row.requests[number]:result()
              local where = ("call %d, after %d bytes: "):format(number, row.size)
              assert(value, where .. tostring(message))
              assert.equal(("/%d/%d"):format(i, number), value.path, where)
            end
            if row.stray == NOTHING then
              assert.equal(1, group.server:connections(i), "a clean connection was not kept")
            end
          end
        end)
    end
  end
end)

-- ---- replies that are cut ----

local function check_cut(kinds, value, message, err)
  assert.is_nil(value, "it succeeded")
  assert.is_truthy(kinds[err.kind], message)
  assert.equal("maybe", err.sent)
end

describe("a reply that is cut before its body", function()
  for _, name in ipairs(operations) do
    it("by NO_ERROR of HTTP/2 is a lost connection: " .. name, function()
      local fault_server <close> = start("HTTP/2", [[
        local peer = connection:http2()
        local request = peer:request()
        while request do
          peer:headers(request.stream, 200, { ["content-type"] = JSON })
          peer:reset(request.stream, "NO_ERROR")
          request = peer:request()
        end
      ]])
      local client <close> = connect(fault_server)
      local requests = {}
      for i = 1, 3 do requests[i] = calls[name](client, no_wait) end
      for i = 1, 3 do check_cut({ connection = true }, requests[i]:wait()) end
    end)
  end

  -- Of half a JSON, libcurl tells no more than that this was all.
  local bodies = {
    ["before"] = { "", { connection = true } },
    ["in the midst of"] = { '{"id":"c-1","conversationId":"c-',
      { connection = true, decode = true } },
  }
  for where, body in pairs(bodies) do
    for _, name in ipairs(operations) do
      it(("by the end of TLS without a goodbye, %s a body without a length: %s"):format(where,
        name), function()
          local fault_server <close> = start("HTTP/1.1 over TLS", ([[
            connection:request()
            connection:send("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n" .. %q)
            connection:cut()
          ]]):format(body[1]))
          local client <close> = connect(fault_server)
          check_cut(body[2], calls[name](client))
        end)
    end
  end
end)

-- ---- what is no header, or too many of them ----

-- What is said in a reply: status, type and Retry-After in its head and behind its body; and what
-- comes of it.
local trailers = {
  { "a Content-Type does not make a reply another type", status = 200, head = "application/json",
    behind = { ["content-type"] = "text/html" }, ok = true },
  { "a Content-Type does not make a page JSON", status = 200, head = "text/html",
    behind = { ["content-type"] = "application/json" }, kind = "decode" },
  { "a Retry-After is not obeyed", status = 429, head = "application/json",
    behind = { ["retry-after"] = "30" }, kind = "http" },
  { "a Retry-After does not take the place of the header's", status = 429,
    head = "application/json", after = 61, behind = { ["retry-after"] = "1" }, kind = "http" },
}

for _, protocol in ipairs { "HTTP/1.1", "HTTP/1.1 over TLS", "HTTP/2" } do
  describe("in the trailers of " .. protocol .. ",", function()
    for _, case in ipairs(trailers) do
      it(case[1], function()
        local name, value = next(case.behind)
        local fault_server <close> = start(protocol, ([[
          local status, content_type, after, name, value = %d, %q, %s, %q, %q
          local peer = connection.wants_tls and connection:http2()
          local request = (peer or connection):request()
          while request do
            local body = padded(request, 300)
            if peer then
              peer:headers(request.stream, status, { ["content-type"] = content_type,
                ["retry-after"] = after })
              peer:data(request.stream, body)
              peer:headers(request.stream, nil, { [name] = value }, true)
            else
              connection:send(("HTTP/1.1 %%d X\r\nContent-Type: %%s\r\n%%s"
                .. "Transfer-Encoding: chunked\r\n\r\n%%x\r\n%%s\r\n0\r\n%%s: %%s\r\n\r\n"):format(
                status, content_type, after and "Retry-After: " .. after .. "\r\n" or "", #body,
                body, name, value))
            end
            request = (peer or connection):request()
          end
        ]]):format(case.status, case.head, case.after, name, value))
        local client <close> = connect(fault_server)
        local result, message, err = calls.send(client)
        if case.ok then
          assert(result, message)
        else
          assert.equal(case.kind, err.kind, message)
          assert.equal(case.after, err.retry_after)
        end
      end)
    end
  end)
end

describe("300 kB of trailers", function()
  for _, name in ipairs(operations) do
    it("are no headers, and no harm: " .. name, function()
      local fault_server <close> = start("HTTP/1.1", [[
        local request = connection:request()
        while request do
          local body = padded(request, 300)
          connection:send(("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
            .. "Transfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n%s\r\n"):format(#body, body,
            ("X-Trailer: " .. ("x"):rep(87) .. "\r\n"):rep(3000)))
          request = connection:request()
        end
      ]])
      local client <close> = connect(fault_server)
      for _ = 1, 2 do assert(calls[name](client)) end
    end)
  end
end)

describe("headers without end", function()
  local endless = {
    ["HTTP/1.1"] = [[connection:request()
      connection:send("HTTP/1.1 200 OK\r\n")
      while connection:send(("X-Header: " .. ("x"):rep(88) .. "\r\n"):rep(100)) do end]],
    ["HTTP/2"] = [[local peer = connection:http2()
      local stream = peer:request().stream
      while peer:headers(stream, 103, { ["x-header"] = ("x"):rep(8000) }) do
        connection:sleep(0.005) -- at once, they are more than libcurl takes in
      end]],
  }
  endless["HTTP/1.1 over TLS"] = endless["HTTP/1.1"]
  for protocol, script in pairs(endless) do
    for _, name in ipairs { "get", "send" } do
      it(("are too large, once: %s over %s"):format(name, protocol), function()
        local fault_server <close> = start(protocol, script)
        local client <close> = connect(fault_server, 1, { max_retries = 2 })
        local value, message, err = calls[name](client)
        assert.is_nil(value)
        -- Over HTTP/2, libcurl 7.88 gives up the connection first, and does not say why.
        local broke = protocol == "HTTP/2" and err.kind == "connection"
        assert.equal(broke and "connection" or "too_large", err.kind, message)
        assert.equal(broke and name == "get" and 3 or 1, err.attempts)
        assert.equal(err.attempts, #fault_server:requests())
      end)
    end
  end
end)

describe("a Content-Type of 200 characters", function()
  local types = {
    { "application/json; charset=utf-8; note=" .. ("x"):rep(162), true },
    { "application/" .. ("x"):rep(183) .. "+json", true },
    { "text/" .. ("x"):rep(195), false },
  }
  for _, protocol in ipairs { "HTTP/1.1", "HTTP/2" } do
    for i, case in ipairs(types) do
      it(("is judged whole, over %s: %d"):format(protocol, i), function()
        assert.equal(200, #case[1])
        local fault_server <close> = start(protocol, ([[
          local content_type = %q
          local peer = connection.wants_tls and connection:http2()
          local request = (peer or connection):request()
          if peer then
            peer:headers(request.stream, 200, { ["content-type"] = content_type })
            peer:data(request.stream, padded(request, 300), true)
            peer:request()
          else
            connection:reply(200, padded(request, 300), { ["Content-Type"] = content_type })
          end
        ]]):format(case[1]))
        local client <close> = connect(fault_server)
        local value, message, err = calls.send(client)
        assert.equal(case[2], value ~= nil, message)
        assert.equal(not case[2] and "decode" or nil, err and err.kind)
      end)
    end
  end
end)

describe("a gzip that nobody asked for", function()
  -- Text of many sizes, as gzip packs it.
  local function pack(text)
    local path = os.tmpname()
    local file = assert(io.open(path, "wb"))
    file:write(text)
    file:close()
    local pipe = assert(io.popen("gzip -c " .. path, "r"))
    local packed = pipe:read "a"
    pipe:close()
    os.remove(path)
    return packed
  end

  for _, protocol in ipairs { "HTTP/1.1", "HTTP/2" } do
    for _, size in ipairs { 10, 50000 } do
      it(("is unpacked for every operation: %d bytes over %s"):format(size, protocol), function()
        local pad = ("x"):rep(size)
        local fault_server <close> = start(protocol, ([[
          local messages, other = %q, %q
          local peer = connection.wants_tls and connection:http2()
          local request = (peer or connection):request()
          while request do
            local list = request.method == "GET" and request.path:find "messages$"
            local body = list and messages or other
            if peer then
              peer:headers(request.stream, 200, { ["content-type"] = JSON,
                ["content-encoding"] = "gzip" })
              peer:data(request.stream, body, true)
            else
              connection:reply(200, body, { ["Content-Encoding"] = "gzip" })
            end
            request = (peer or connection):request()
          end
        ]]):format(pack('{"messages":[{"id":"c-1","pad":"' .. pad .. '"}]}'),
          pack('{"id":"c-1","conversationId":"c-1","pad":"' .. pad .. '"}')))
        local client <close> = connect(fault_server)
        for _, name in ipairs(operations) do
          local value, message = calls[name](client)
          assert(value, ("%s: %s"):format(name, message))
          if name ~= "delete_all" then
            assert.equal(pad, name == "messages" and value[1].pad or value.pad, name)
          end
        end
      end)
    end
  end
end)
