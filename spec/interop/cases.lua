-- The cases, a row each, and what plays them: cases.play(row, site) raises when a promise is
-- broken, else gives a word for the table.
local messages = require "spec.interop.messages"
local raia = require "raia"

local KIB = 1024

-- Replies around where something is full, and others between.
local sizes = { 131072, 200000 }
for _, kib in ipairs { 1, 3, 9, 16, 32, 64 } do
  for off = -1, 1 do sizes[#sizes + 1] = kib * KIB + off end
end
for i = 0, 120 do sizes[#sizes + 1] = math.floor(512 * 1.05 ^ i) end

local uploads = {}
for _, kib in ipairs { 1, 9, 16, 32, 64, 128, 256, 1024 } do
  for off = -1, 1 do uploads[#uploads + 1] = kib * KIB + off end
end

local some, short = { 600, 2000, 12000 }, { 20 }

-- So many POSTs, each with the bytes of its reply and of its own text.
local function posts(count, replies, texts)
  local list = {}
  for i = 1, count do
    list[i] = { reply = replies[i * 7 % #replies + 1], text = texts[i % #texts + 1] }
  end
  return list
end

local files = {}
for i, bytes in ipairs(sizes) do files[i] = { file = bytes } end

local function wait_until_closed(site)
  local count
  for _ = 1, 50 do
    raia.sleep(0.1)
    count = site:connections()
    if count == 0 then return end
  end
  assert(not count, "the server closes no idle connection")
end

local function check_compression(site)
  assert(site:compresses(), "the server does not compress")
end

--   calls, at_once    what is called, by a new client for each number of calls in flight
--   rounds, between   how often with the same client, and what comes before each but the first
--   idle              seconds until the server closes a connection; default 30
--   meanwhile         what happens to the server, three times; then calls may fail
--   prefix, before    of the paths; what is looked at first
local rows = {
  { name = "files", shows = "replies of every size to GET are there at once, and whole",
    calls = files, at_once = { 1, 16 } },
  { name = "replies", shows = "replies of every size to POST are there at once, and whole",
    calls = posts(#sizes, sizes, short), at_once = { 1 } },
  { name = "at once", shows = "each call gets its own answer, however many are in flight",
    calls = posts(130, sizes, short), at_once = { 2, 4, 8, 16, 32, 64 } },
  { name = "uploads", shows = "bodies of every size arrive whole, and once",
    calls = posts(#uploads, some, uploads), at_once = { 1, 8 } },
  { name = "idle", shows = "a POST succeeds, and is delivered once, when its connection has idled",
    calls = posts(4, some, short), at_once = { 1, 4 }, rounds = 2, between = wait_until_closed,
    idle = 1 },
  { name = "gzip", shows = "replies that are compressed without having been asked for come whole",
    calls = posts(40, sizes, short), at_once = { 1, 8 }, prefix = "/gzip",
    before = check_compression },
  { name = "reload", shows = "each POST is delivered once at most while the server reloads",
    calls = posts(200, some, { 20, 20000 }), at_once = { 16 }, prefix = "/slow",
    meanwhile = "reload" },
  { name = "restart", shows = "each POST is delivered once at most while the server is restarted",
    calls = posts(200, some, { 20, 20000 }), at_once = { 16 }, prefix = "/slow",
    meanwhile = "restart" },
}

local next_id = 1000

-- Makes a call, and checks what comes back. Gives the id of what was sent, and the error.
local function make(call, client, site)
  local id, what, reply, message, err = next_id
  next_id = next_id + 1
  local question, expected = messages.question(call.file or id, call.text or 0,
    call.reply or call.file)
  if call.file then
    what = ("a file of %d bytes"):format(call.file)
    reply, message, err = client:request("GET", ("/file/%d.json"):format(call.file))
  else
    what = ("a POST of %d bytes, answered by %d"):format(call.text, call.reply)
    if site.row.echo then expected = question end
    reply, message, err = client:request("POST", site.path, { body = { message = question } })
  end
  if reply and reply.message == expected then return id end
  return id, { id = id, sent = reply and "maybe" or err.sent, err = err,
    text = ("%s: %s"):format(what, message or "not its own answer, or not whole") }
end

-- Whether a call may fail because the server goes: without an answer, or by its own 502 to 504.
local function may_fail(row, site, err)
  if not err or not row.meanwhile then return false end
  if site.row.keeps == site.protocol and row.meanwhile == "reload" then return false end
  return err.kind == "connection"
    or err.kind == "http" and err.status >= 502 and err.status <= 504
end

-- All calls of a row, at so many at once; gives the ids sent, those that failed, and why.
local function round(row, client, site, at_once)
  local ids, failed, begun = {}, {}, 0
  local _, message = raia.map(row.calls, function(call)
    begun = begun + 1
    if row.meanwhile and begun % (#row.calls // 4) == 0 then site[row.meanwhile](site) end
    local id, failure = make(call, client, site)
    if not call.file then ids[#ids + 1] = id end
    failed[id] = failure
    if failure and not may_fail(row, site, failure.err) then return nil, failure.text end
    return true
  end, { concurrency = at_once })
  return ids, failed, message
end

local function check_deliveries(site, ids, failed)
  if site.row.echo then return end
  local times = site:delivered()
  for _, id in ipairs(ids) do
    local count, failure = times[id] or 0, failed[id]
    local least, most = failure and 0 or 1, failure and failure.sent == "no" and 0 or 1
    if count < least or count > most then
      error(("delivered %d times, told as %s"):format(count,
        failure and ("sent %q: %s"):format(failure.sent, failure.text) or "a success"), 0)
    end
  end
end

local function play_at(row, site, at_once)
  local client <close> = raia.client { base_url = site.base_url .. (row.prefix or ""),
    ca_file = site.ca_file, secret_key = site.secret_key or "a-marked-key", timeout = 5,
    max_retries = row.meanwhile and 6 or 2 }
  local lost = 0
  for i = 1, row.rounds or 1 do
    if i > 1 then row.between(site) end
    local ids, failed, message = round(row, client, site, at_once)
    if row.meanwhile then raia.sleep(0.3) end -- what is on its way
    check_deliveries(site, ids, failed)
    if message then error(("%d at once: %s"):format(at_once, message), 0) end
    for _ in pairs(failed) do lost = lost + 1 end
    if lost > #ids // 2 then error(("%d of %d calls were lost"):format(lost, #ids), 0) end
  end
  return lost
end

local function play(row, site)
  local lost = 0
  if row.before then row.before(site) end
  for _, at_once in ipairs(row.at_once) do lost = lost + play_at(row, site, at_once) end
  return lost == 0 and "ok" or ("ok, %d lost"):format(lost)
end

return { rows = rows, play = play, sizes = sizes }
