-- With 1 to 20 calls in flight, each is delivered at most once and gets its own answer, on new and
-- kept connections that the server breaks at every moment.
local raia = require "raia"
local certificates = require "spec.support.certificates"
local server = require "spec.support.server"
local connect = require "spec.support.client" ()

local TIMEOUT, WORKERS, LATER = 60, 64, 3 -- a call that is left hanging is told as a timeout

-- ---- what a server does ----

-- When it breaks a connection, and how it gets there: the requests that have begun by then are its
-- `list`. `heads`: there are some; `all`: it has the whole of all.
local moments = {
  http2 = {
    { "at once", "return {}", early = true },
    { "at the first byte", "connection:await() return {}", early = true },
    { "with half of the heads read",
      "return gather('begun', (n + 1) // 2)", heads = true },
    { "with all read", "return gather('whole', n)", heads = true, all = true },
    { "with all read and half answered", [[local list = gather("whole", n)
      for i = 1, #list // 2 do if list[i].whole then answer(list[i]) end end
      return list]], heads = true, all = true, least = 2 },
  },
  stingy = {
    { "with the windows full", "return gather('bytes', 65535)", heads = true },
  },
  http1 = {
    { "at once", "return {}", early = true },
    { "at the first byte", "connection:await() return {}", early = true },
    { "with the head read", [[connection:take(function(buffer)
      return buffer:find("\r\n\r\n", 1, true) and 0 end) return {}]] },
    { "with all read", "return { peer:request() }" },
    { "within its reply", [[local list = { peer:request() }
      connection:send("HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{") return list]] },
  },
}

-- How it breaks it: `last` and `answered` are the last streams that it has seen and answered.
-- Where it is done to `each` request that has no answer, there have to be some; `all`: it needs
-- the whole of all.
local function each(what)
  return ([[for _, request in ipairs(list) do
    if not request.answered then %s request.answered = true end end]]):format(what)
end

local endings = {
  http2 = {
    { "a PING of 3 bytes", "peer:frame(6, 0, 0, 'abc')" },
    { "HEADERS that are no HPACK", "peer:frame(1, 4, math.max(last, 1), ('\\255'):rep(9))" },
    { "a window that overflows", "peer:frame(8, 0, 0, '\\127\\255\\255\\255')" },
    { "a frame too large", "peer:frame(0, 0, math.max(last, 1), ('x'):rep(70000))" },
    { "a PUSH_PROMISE", "peer:frame(5, 4, math.max(last, 1), '\\0\\0\\0\\2\\136')" },
    { "a FIN", "connection:shutdown_write()" },
    { "a reset", "reset()" },
    { "GOAWAY (of none)", "peer:goaway(answered, 'NO_ERROR')" },
    { "GOAWAY (of none), and a FIN",
      "peer:goaway(answered, 'NO_ERROR') connection:shutdown_write()" },
    { "GOAWAY (of all), and a FIN",
      "peer:goaway(last, 'NO_ERROR') connection:shutdown_write()" },
    { "GOAWAY (of all), and a reset", "peer:goaway(last, 'ENHANCE_YOUR_CALM') reset()" },
    { "GOAWAY (of any), and a FIN",
      "peer:goaway(2^31 - 1 | 0, 'NO_ERROR') connection:shutdown_write()" },
    { "GOAWAY (even)", "peer:goaway(math.max(last - 1, answered), 'NO_ERROR')" },
    { "GOAWAY (of half)", "peer:goaway(list[(#list + 1) // 2].stream, 'NO_ERROR')",
      each = true },
    { "GOAWAY (of half), and a FIN", [[
      peer:goaway(list[(#list + 1) // 2].stream, 'INTERNAL_ERROR') connection:shutdown_write()]],
      each = true },
    { "HEADERS and NO_ERROR", each [[
      peer:headers(request.stream, 200, JSON) peer:reset(request.stream, "NO_ERROR")]],
      each = true },
    { "HEADERS, half a body and NO_ERROR", each [[peer:headers(request.stream, 200, JSON)
      peer:data(request.stream, '{"i') peer:reset(request.stream, "NO_ERROR")]], each = true },
    { "HTTP_1_1_REQUIRED", each "peer:reset(request.stream, 'HTTP_1_1_REQUIRED')", each = true,
      all = true },
    { "INTERNAL_ERROR", each "peer:reset(request.stream, 'INTERNAL_ERROR')", each = true },
    { "REFUSED_STREAM", each [[request.refused = true
      peer:reset(request.stream, "REFUSED_STREAM")]], each = true },
    { "REFUSED_STREAM, GOAWAY and a FIN", each [[request.refused = true
      peer:reset(request.stream, "REFUSED_STREAM")]]
      .. " peer:goaway(last, 'NO_ERROR') connection:shutdown_write()", each = true },
  },
  http1 = {
    { "a FIN", "connection:shutdown_write()" },
    { "a reset", "reset()" },
    { "no HTTP", [[connection:send("PING 3\r\n\r\n") connection:shutdown_write()]] },
  },
}

-- ---- who breaks what when, and how many calls are in flight ----

-- Each row has a port of its own. The connections on which the calls come break, and where raia
-- may try twice again, the one after them. When that is over, a second
-- burst of calls is answered, or `lost` once it was read.
local groups = {
  { name = "HTTP/2", over = "http2", alpn = "h2", counts = { 1, 2, 5, 20 }, to = 3 },
  { name = "HTTP/2", over = "http2", alpn = "h2", counts = { 1, 2, 5, 20 }, from = 4 },
  { name = "HTTP/2, bodies of 100 kB", over = "http2", alpn = "h2", counts = { 1, 2, 5 },
    size = 100000, from = 3, to = 4 },
  { name = "HTTP/2, bodies of 300 kB and no room for them", over = "http2", alpn = "h2",
    counts = { 1, 2, 5 }, size = 300000, moments = moments.stingy, stingy = true },
  { name = "HTTP/2, bodies of 70 kB and no room for them", over = "http2", alpn = "h2",
    counts = { 20 }, size = 70000, moments = moments.stingy, stingy = true },
  { name = "HTTP/1.1", over = "http1", counts = { 2, 5, 20 } },
  { name = "HTTP/1.1 over TLS", over = "http1", alpn = "", counts = { 2, 5, 20 } },
}

local function add_row(group, m, e, n, kept)
  local i, max_retries = #group.rows + 1, #group.rows % 3
  local moment, ending = group.moments[m], group.endings[e]
  local connections = group.over == "http1" and n or 1
  group.rows[i] = { group = group, place = i, moment = m, ending = e, n = n, kept = kept,
    each = ending.each, max_retries = max_retries, lost = i % 5 < 2, connections = connections,
    again = max_retries == 2, early = moment.early,
    least = group.over == "http2" and moment.all and n or 0, seen = -1,
    name = ("%s of %d calls, %s, on a %s connection"):format(ending[1], n, moment[1],
      kept and "kept" or "new") }
end

for _, group in ipairs(groups) do
  group.rows, group.endings = {}, endings[group.over]
  group.moments = group.moments or moments[group.over]
  for m = group.from or 1, group.to or #group.moments do
    local moment = group.moments[m]
    for e, ending in ipairs(group.endings) do
      for _, n in ipairs(group.counts) do
        if (moment.heads or not ending.each) and (moment.all or not ending.all)
          and n >= (moment.least or 1) then
          add_row(group, m, e, n, false)
          add_row(group, m, e, n, true)
        end
      end
    end
  end
end

-- ---- the server ----

local script = [[
  local connection, _, place = ...
  rows = rows or { ROWS }
  local row, peer = rows[place], nil
  local JSON = { ["content-type"] = "application/json" }

  local function id_of(request)
    request.id = request.id or (request.path .. request.body):match "id%-%l+%-%d+%-%d+"
    return request.id
  end

  local function answer_to(request)
    local id = id_of(request)
    request.answered = true
    return ('{"id":"%s","conversationId":"%s","message":"%s"}'):format(id, id, id)
  end

  PROTOCOL

  -- What has come is read, and counted, all the same.
  local function reset()
    connection:within(0)
    while peer:request() do end
    connection:reset()
  end

  local moments = { MOMENTS }
  local endings = { ENDINGS }
  local function play(n)
    peer.stingy, peer.counts = STINGY, { begun = 0, whole = 0, bytes = 0 }
    table.insert(row.counts, peer.counts)
    local list = moments[row.moment](n)
    row.broken = row.broken + 1
    local whole = 0
    for _, counts in ipairs(row.counts) do whole = whole + counts.whole end
    connection:note(whole)
    if #list > 0 or not row.each then endings[row.ending](list, peer.highest) end
    if peer.stingy and not connection.closed then give_room() end
    connection:within(1.5) -- libcurl does not always leave a connection that is of no more use
  end

  -- The calls that warm up have connections of their own, each of which is broken then.
  local function warm_up(request)
    row.warm = (row.warm or 0) + 1
    for _ = 1, 500 do
      if row.warm >= row.connections then break end
      connection:sleep(0.01)
    end
    answer(request)
    play(row.n)
  end

  peer = open()
  if not peer then return end
  connection:within(60)
  row.broken, row.counts = row.broken or 0, row.counts or {}
  if row.broken == 0 and not row.kept then
    play(row.n)
  elseif row.again and row.broken >= row.connections then
    row.again, row.counts = false, {}
    play(1)
  end
  local request = not connection.closed and peer:request()
  while request do
    local id = id_of(request)
    local lost = row.lost and id:find "later"
    if lost then connection:shutdown_write() end
    if id:find "warm" then
      warm_up(request)
    elseif not (lost or request.answered or request.refused) then
      answer(request)
    end
    request = not connection.closed and peer:request()
  end
]]

local protocols = {
  http2 = [[
    local answered = 0

    local function answer(request)
      answered = math.max(answered, request.stream)
      peer:headers(request.stream, 200, JSON)
      peer:data(request.stream, answer_to(request), true)
    end

    -- The calls of a new client may come by more than one connection: those of all are waited
    -- for, ten seconds after the last news. A window is each connection's own, and those without
    -- a body do not fill it: two seconds.
    local function gather(what, most)
      local list = {}
      local function enough(counts)
        local sum = 0
        for _, of in ipairs(what == "bytes" and { counts } or row.counts) do
          sum = sum + of[what]
        end
        return sum >= most
      end
      local before, quiet, counts = 0, 0, peer.counts
      while quiet < (what == "bytes" and 100 or 500) and not enough(counts) do
        local more = peer:gather(enough, 0.02)
        table.move(more, 1, #more, #list + 1, list)
        local now = counts.begun + counts.bytes
        before, quiet = now, now > before and 0 or quiet + 1
      end
      return list
    end

    local function give_room()
      local room = "\0\16\0\0"
      peer.stingy = false
      peer:frame(8, 0, 0, room)
      for stream in pairs(peer.streams) do peer:frame(8, 0, stream, room) end
    end

    local function open()
      local own = connection:http2()
      if not own then return end
      local log = own.log
      own.log = function(request)
        request.body = id_of(request) -- the log does not need all
        log(request)
      end
      return own
    end
  ]],
  http1 = [[
    local function answer(request) connection:reply(200, answer_to(request)) end
    local function open() return connection end
    local give_room
  ]],
}

local function functions(list, arguments)
  local parts = {}
  for i, item in ipairs(list) do
    parts[i] = ("function(%s) %s end"):format(arguments, item[2])
  end
  return table.concat(parts, ",\n")
end

local function script_of(group)
  local parts = { MOMENTS = functions(group.moments, "n"), STINGY = tostring(group.stingy),
    ENDINGS = functions(group.endings, "list, last"), PROTOCOL = protocols[group.over] }
  local rows = {}
  for i, row in ipairs(group.rows) do
    rows[i] = ("{ moment = %d, ending = %d, kept = %s, n = %d, connections = %d, again = %s, "
      .. "lost = %s, each = %s }"):format(row.moment, row.ending, row.kept, row.n,
      row.connections, row.again, row.lost, row.each)
  end
  parts.ROWS = table.concat(rows, ",\n")
  return (script:gsub("PROTOCOL", parts):gsub("%u%u%u%u+", parts))
end

-- ---- the calls ----

local unanswered = { wait = false }

-- Each with an id of its own, by which the server knows it, and `text`, which may be large.
local kinds = {
  send = function(client, id, text)
    return client:conversation(id):send(text or "hello", unanswered)
  end,
  create = function(client, id, text)
    return client.conversations:create({ conversationUserId = id, customData = { text = text } },
      unanswered)
  end,
  start = function(client, id, text)
    return client.conversations:start({ channel = "sms", firstName = id, lastName = "Byron",
      phoneNumber = "+15551234567", smsIntroduction = text or "Hi" }, unanswered)
  end,
  get = function(client, id) return client.conversations:get(id, unanswered) end,
  delete = function(client, id) return client.conversations:delete_all(id, unanswered) end,
}

for _, method in ipairs { "POST", "PUT", "PATCH" } do
  kinds[method] = function(client, id, text)
    return client:request(method, "/" .. id, { body = { id, text } }, unanswered)
  end
end

kinds["empty POST"] = function(client, id)
  return client:request("POST", "/" .. id, nil, unanswered)
end

local turns = { "send", "empty POST", "PUT", "create", "POST", "get", "start", "PATCH", "delete" }
local harmless = { PUT = true, get = true, delete = true }

-- Makes so many calls at once, and gives them with what has come of each.
local function burst(client, row, name, n, text)
  local calls = {}
  for i = 1, n do
    local kind = turns[(row.place + i) % #turns + 1]
    local id = ("id-%s-%d-%d"):format(name, row.place, i)
    calls[i] = { id = id, kind = kind, request = kinds[kind](client, id, text) }
  end
  for _, call in ipairs(calls) do
    call.outcome = table.pack(pcall(call.request.wait, call.request))
  end
  return calls
end

local certificate

local function play(row)
  local client <close> = connect(row.group.server.base_urls[row.place], {
    timeout = TIMEOUT, max_retries = row.max_retries, ca_file = certificate.ca })
  if row.kept then
    local warm = {}
    if row.group.over == "http2" then -- a client may keep to connections made for HTTP/2
      assert(client:request("GET", ("/id-first-%d-1"):format(row.place)))
    end
    for i = 1, row.connections do
      warm[i] = client:request("GET", ("/id-warm-%d-%d"):format(row.place, i), nil, unanswered)
    end
    for _, request in ipairs(warm) do assert(request:wait() or row.early) end
  end
  row.calls = burst(client, row, "call", row.n, row.group.size and ("x"):rep(row.group.size))
  table.move(burst(client, row, "later", LATER), 1, LATER, row.n + 1, row.calls)
end

-- ---- what is promised ----

local told = { connection = true, decode = true }

-- What of a call was not as promised, or nil.
local function fault(call, delivered, max_retries)
  local ok, value, message, err = table.unpack(call.outcome, 1, 4)
  local most = not harmless[call.kind] and 1 or err and err.attempts or 1 + max_retries
  if not ok then return "raised " .. tostring(value) end
  if delivered > most then return ("delivered %d times"):format(delivered) end
  if value then
    if delivered == 0 then return "told as ok, never delivered" end
    return value ~= true and value.id ~= call.id and "answered with " .. tostring(value.id) or nil
  end
  if not told[err.kind] then return message end
  if err.sent == "no" and delivered > 0 then return "delivered, told as not sent: " .. message end
end

local function check(row)
  assert(row.played, row.why)
  local faults = {}
  for _, call in ipairs(row.calls) do
    local what = fault(call, row.group.delivered[call.id] or 0, row.max_retries)
    if what then faults[#faults + 1] = ("%s, %s: %s"):format(call.id, call.kind, what) end
  end
  assert.same({}, faults)
end

describe("once at most, each its own answer:", function()
  lazy_setup(function()
    certificate = certificates()
    local queue = {}
    for _, group in ipairs(groups) do
      group.server = server.start(script_of(group), { ports = #group.rows, tls = group.alpn and {
        cert = certificate.good.cert, key = certificate.good.key, protocol = group.alpn } })
      table.move(group.rows, 1, #group.rows, #queue + 1, queue)
    end
    local next_row = 0
    raia.run(function()
      for _ = 1, WORKERS do
        raia.spawn(function()
          while next_row < #queue do
            next_row = next_row + 1
            local row = queue[next_row]
            row.played, row.why = pcall(play, row)
          end
        end)
      end
    end)
    for _, group in ipairs(groups) do
      for _, record in ipairs(group.server:notes()) do
        local row = group.rows[record.place]
        row.seen = math.max(row.seen, record.note)
      end
      group.delivered = {}
      for _, request in ipairs(group.server:requests()) do
        local id = (request.path .. request.body):match "id%-%l+%-%d+%-%d+"
        group.delivered[id] = (group.delivered[id] or 0) + 1
      end
    end
  end)

  lazy_teardown(function()
    for _, group in ipairs(groups) do group.server:close() end
    certificate.remove()
  end)

  -- Of many kept connections at a time, libcurl closes some.
  it("the server has broken what it was to break, when it was to, in nearly all rows", function()
    local all, broken = 0, 0
    for _, group in ipairs(groups) do
      for _, row in ipairs(group.rows) do
        all = all + 1
        if row.seen >= row.least then broken = broken + 1 end
      end
    end
    assert.is_true(broken > 0.95 * all, ("%d of %d"):format(broken, all))
  end)

  -- Of the calls that wanted(row, i) says, the share that was answered.
  local function share(wanted)
    local all, answered = 0, 0
    for _, group in ipairs(groups) do
      for _, row in ipairs(group.rows) do
        for i, call in ipairs(row.calls or {}) do
          if wanted(row, i) then
            all = all + 1
            if call.outcome[2] then answered = answered + 1 end
          end
        end
      end
    end
    return answered / all
  end

  it("what was refused unread is sent again, and answered", function()
    local got = share(function(row, i)
      return row.name:find "^GOAWAY %(of none" and row.max_retries > 0 and i <= row.n
    end)
    assert.is_true(got > 0.75, "a share of " .. got)
  end)

  it("the client goes on: what is asked of it next is answered", function()
    local got = share(function(row, i) return not row.lost and i > row.n end)
    assert.is_true(got > 0.75, "a share of " .. got)
  end)

  for _, group in ipairs(groups) do
    describe(group.name .. ",", function()
      for _, row in ipairs(group.rows) do
        it(row.name, function() check(row) end)
      end
    end)
  end
end)
