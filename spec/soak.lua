-- A soak test: many calls on one client and many clients, with faults, tasks and cancels. Memory
-- and descriptors must stay flat, and no POST may be acted on twice.
-- lua5.4 spec/soak.lua [CALLS [CLIENTS [ROWS [SEED]]]] (Linux: it reads /proc)
local raia = require "raia"
local servers = require "spec.support.server"
local certificates = require "spec.support.certificates"

local calls, clients = tonumber(arg[1]) or 100000, tonumber(arg[2]) or 10000
local rows = tonumber(arg[3]) or 10 -- of the table, for each part
local seed = tonumber(arg[4]) or os.time()

-- Flat means: from the first row after the start to the last, at most so many descriptors more,
-- and so much memory. A kept connection or two may be there or not. HTTP/2 has up to eight, and a
-- multi handle of its own; what it has freed is touched anew bit by bit.
local growth = tonumber(os.getenv "SOAK_MIB") or 2 -- MiB
local flat = { descriptors = 2, growth = growth }
local flat_http2 = { descriptors = 12, growth = growth + 3 }

---- The server -----------------------------------------------------------------------------

-- What it does, as the path says, and how often in ten thousand calls it is asked to.
local faults = { ok = 8189, ["500"] = 200, ["404"] = 400, reset = 200, close = 200, half = 200,
  garbage = 200, busy = 10, slow = 400, busy_for_a_second = 1 }

-- The same of HTTP/2, where each that ends a connection concerns all that share it.
local http2_faults = { ok = 8000, ["500"] = 200, ["404"] = 400, reset = 50, close = 50, half = 50,
  garbage = 50, ping = 50, window = 50, goaway = 100, refused = 300, internal = 200, cut = 200,
  http1 = 100, busy = 10, slow = 190 }

-- /FAULT/ID. It counts which POSTs it has acted on: all that it read whole and did not refuse
-- with 404 or 429. /stats tells, /acted/ID-ID… says of some whether one was
-- acted on, and /drop closes all other connections.
local script = [[
local connection = ...
acted, busy, twice, all = acted or {}, busy or {}, twice or 0, all or {}
total = total or 0
all[connection] = true
local http2 = connection.wants_tls and connection:http2()
local latest = 0 -- stream that a request came on

local function read_http1()
  local line = connection:read_line()
  local method, path = (line or ""):match "^(%S+) (%S+)"
  if not method then return nil end
  local length = 0
  repeat
    line = connection:read_line()
    length = tonumber((line or ""):match "^[Cc]ontent%-[Ll]ength: (%d+)") or length
  until not line or line == ""
  if not connection:read(length) then return nil end
  return { method = method, path = path }
end

local function reply(request, status, fields)
  local cjson = require "cjson"
  if http2 then return http2:reply(request.stream, status, cjson.encode(fields)) end
  return connection:reply(status, fields)
end

-- What HTTP/2 has alone. True when there is no answer.
local breaks = {
  goaway = function() http2:goaway(latest, "NO_ERROR") end,
  ping = function()
    http2:frame(6, 0, 0, "bad")
    connection:close()
    return true
  end,
  window = function()
    http2:frame(8, 0, 0, "\0\0\0\0")
    connection:close()
    return true
  end,
  internal = function(stream) return http2:reset(stream, "INTERNAL_ERROR") end,
  http1 = function(stream) return http2:reset(stream, "HTTP_1_1_REQUIRED") end,
  cut = function(stream)
    http2:headers(stream, 200, { ["content-type"] = "application/json" })
    return http2:reset(stream, "NO_ERROR")
  end,
}

local function half(request)
  if http2 then
    http2:headers(request.stream, 200, { ["content-length"] = 100 })
    http2:data(request.stream, '{"id":')
  else
    connection:send "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"id\":"
  end
  return connection:close()
end

local function act(request, fault, id)
  if fault:find "^busy" and not busy[id] then
    busy[id] = true
    if http2 then return http2:headers(request.stream, 429, {}, true) end
    return connection:reply(429, {}, { ["Retry-After"] = fault ~= "busy" and 1 or nil })
  elseif fault == "refused" and not busy[id] then
    busy[id] = true
    return http2:reset(request.stream, "REFUSED_STREAM")
  end
  if request.method == "POST" and fault ~= "404" then
    if acted[id] then twice = twice + 1 else total = total + 1 end
    acted[id] = true
  end
  if fault == "reset" then return connection:reset() end
  if fault == "close" then return connection:close() end
  if fault == "half" then return half(request) end
  if fault == "garbage" then
    connection:send "this is no HTTP, of any version\r\n\r\n"
    return connection:close()
  end
  if fault == "slow" then connection:sleep(0.02) end
  if breaks[fault] and breaks[fault](request.stream) then return end
  reply(request, tonumber(fault) or 200, { id = id, text = ("x"):rep(#id * 40) })
end

local function serve(request)
  local fault, id = request.path:match "^/(%w+[%w_]*)/?([%w-]*)"
  if request.refused then return end -- by a GOAWAY
  latest = math.max(latest, request.stream or 0)
  if fault == "stats" then
    reply(request, 200, { acted = total, twice = twice })
  elseif fault == "acted" then
    local one
    for each in id:gmatch "%w+" do one = acted[each] and each or one end
    reply(request, 200, { one = one })
  elseif fault == "drop" then
    for other in pairs(all) do
      if other ~= connection then other:shutdown_write() end
    end
    reply(request, 200, {})
  else
    act(request, fault, id)
  end
end

repeat
  local request = (http2 and http2.request or read_http1)(http2)
  if request then serve(request) end
until not request or connection.closed
all[connection] = nil
]]

---- Calls ----------------------------------------------------------------------------------

local count = { calls = 0, posts = 0, answered = 0, sure = 0, cancelled = 0, failed = 0 }
local unsent = {} -- ids, as integers, of POSTs that are said not to have been sent

local function check(condition, ...)
  if not condition then error(table.concat({ ... }, " "), 0) end
end

local function pick(from)
  local at = math.random(10000)
  for fault, weight in pairs(from) do
    at = at - weight
    if at <= 0 then return fault end
  end
end

local kinds = { connection = true, http = true, timeout = true }

-- Makes one call and checks what comes of it.
local function call(client, from)
  count.calls = count.calls + 1
  local id, post, way = tostring(count.calls), math.random(2) == 1, math.random(20)
  local path = "/" .. pick(from or faults) .. "/" .. id
  if post then count.posts = count.posts + 1 end
  local request = client:request(post and "POST" or "GET", path,
    post and { body = { text = ("x"):rep(math.random(2000)) } } or nil,
    { wait = false, timeout = way == 1 and 0.01 or 10 })
  if way == 2 then
    raia.sleep(math.random(3) / 1000)
    request:cancel()
  elseif way == 3 then
    raia.timeout(0.005, request.wait, request)
    request:cancel()
  end
  local answer, _, err = request:wait()
  if answer then
    count.answered = count.answered + 1
    count.sure = count.sure + (post and 1 or 0)
    check(answer.id == id, path, "got the answer of", tostring(answer.id))
    return
  end
  if err.kind == "cancelled" then
    check(way == 2 or way == 3, path, "was cancelled by nobody")
    count.cancelled = count.cancelled + 1
  else
    check(kinds[err.kind], path, tostring(err))
    count.failed = count.failed + 1
  end
  if post and err.sent == "no" then unsent[#unsent + 1] = math.tointeger(id) end
end

-- Some calls in tasks; now and then one raises, which cancels others.
local function some_calls(client, how_many, from)
  local list, mark = {}, {}
  for i = 1, how_many do list[i] = i end
  local function one() call(client, from) end
  local function raise()
    raia.sleep(0.005)
    error(mark)
  end
  local _, failures = raia.map(list, function()
    if math.random(100) > 1 then return one() end
    local good, err = pcall(raia.gather, { one, one, raise })
    check(not good and err == mark, tostring(err))
  end, { concurrency = 64, on_error = "collect" })
  local _, failure = next(failures)
  check(not failure, failure and failure.message)
end

local function options(server, certs)
  return { base_url = server.base_url, secret_key = "key", max_retries = math.random(0, 1),
    ca_file = certs.ca, max_connections = 32 }
end

-- What the server tells, also where a connection that it has broken is still kept.
local function ask(server, path)
  local given = options(server, server.certs)
  given.max_retries = 3
  local client <close> = raia.client(given)
  return assert(client:request("GET", path))
end

-- A client of few calls, closed in one of several ways, perhaps with a call under way.
local function short_client(server, certs)
  local client = raia.client(options(server, certs))
  for _ = 1, math.random(0, 2) do call(client) end
  local way = math.random(4)
  if way == 1 then
    local request = client:request("GET", "/slow/0", nil, { wait = false })
    client:close()
    local _, _, err = request:wait()
    check(err and err.kind == "closed", "a closed client's call is", tostring(err))
  elseif way == 2 then
    client:request("GET", "/slow/0", nil, { wait = false }) -- both are collected
  elseif way == 3 then
    local _ <close> = client
  else
    client:close()
  end
end

---- What has to stay flat -------------------------------------------------------------------

local function descriptors()
  local pipe <close> = assert(io.popen("ls /proc/$PPID/fd | wc -l"))
  return pipe:read "n"
end

local function resident()
  for line in io.lines "/proc/self/status" do
    local kilobytes = line:match "^VmRSS:%s*(%d+)"
    if kilobytes then return kilobytes / 1024 end
  end
end

local began = os.time()

-- Has all connections closed but one for each server, then prints and returns a row.
local function sample(part, done, running)
  for _, server in ipairs(running) do ask(server, "/drop") end
  raia.sleep(1.1) -- libcurl looks for dead connections once a second
  for _, server in ipairs(running) do ask(server, "/stats") end
  collectgarbage()
  collectgarbage()
  local row = { descriptors = descriptors(), resident = resident() }
  print(("%-11s %9d %9d %8d %12d %13.1f %9.0f"):format(part, done, count.calls,
    os.time() - began, row.descriptors, row.resident, collectgarbage "count"))
  return row
end

-- Runs work(n), which does n units or a few more, until `total` are done; complains when something
-- grows.
local function watch(part, total, running, work, most)
  local first, row
  local done = 0
  for i = 0, rows do
    while done < total * i // rows do
      local n = math.min(2000, total * i // rows - done)
      raia.run(work, n)
      done = done + n
    end
    row = sample(part, done, running)
    if i == 1 then first = row end
  end
  check(row.descriptors - first.descriptors <= most.descriptors,
    part .. ": descriptors went from", first.descriptors, "to", row.descriptors)
  check(row.resident - first.resident <= most.growth, part .. ": memory went from",
    first.resident, "to", row.resident, "MiB")
end

local function check_deliveries(server)
  local stats = ask(server, "/stats")
  check(stats.twice == 0, stats.twice, "POSTs were acted on twice")
  for i = 1, #unsent, 100 do
    local ids = table.concat(unsent, "-", i, math.min(i + 99, #unsent))
    local one = ask(server, "/acted/" .. ids).one
    check(not one, "POST", one, "was acted on, and said not to have been sent")
  end
  return stats.acted
end

io.stdout:setvbuf "line"

local function main()
  math.randomseed(seed)
  print(("%d calls on one client, %d clients; seed %d; flat: at most %d descriptors and %g MiB"
    .. " more"):format(calls, clients, seed, flat.descriptors, flat.growth))
  print "part             done     calls  seconds  descriptors  resident MiB   Lua KiB"
  local certs = certificates()
  local removed <close> = setmetatable({}, { __close = certs.remove }) -- luacheck: ignore
  local plain <close> = servers.start(script)
  local secure <close> = servers.start(script, { tls = certs.good })
  local sharing <close> = servers.start(script, { tls = { cert = certs.good.cert,
    key = certs.good.key, protocol = "h2" } })
  plain.certs, secure.certs, sharing.certs = certs, certs, certs
  local running = { plain, secure, sharing }

  local client <close> = raia.client(options(plain, certs))
  watch("one client", calls, running, function(n) some_calls(client, n) end, flat)
  local sharer <close> = raia.client(options(sharing, certs))
  watch("HTTP/2", calls // 4, running, function(n) some_calls(sharer, n, http2_faults) end,
    flat_http2)
  watch("clients", clients, running, function(n)
    local list = {}
    for i = 1, n do list[i] = math.random(10) == 1 and secure or plain end
    assert(raia.map(list, function(server)
      short_client(server, certs)
      return true
    end, { concurrency = 16 }))
  end, flat)

  local acted = 0
  for _, server in ipairs(running) do acted = acted + check_deliveries(server) end
  check(acted <= count.posts and acted >= count.sure, acted, "POSTs were acted on,", count.posts,
    "were made and", count.sure, "answered")
  print(("%d calls: %d answered, %d cancelled, %d failed; %d POSTs: %d acted on, none twice")
    :format(count.calls, count.answered, count.cancelled, count.failed, count.posts, acted))
end

local good, err = xpcall(main, function(err)
  return tostring(err):find "interrupted!" and "interrupted" or debug.traceback(err)
end)
if not good then
  io.stderr:write("soak: ", err, "\n")
  os.exit(1, true)
end
