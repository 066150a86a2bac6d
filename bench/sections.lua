-- The measurements, as data. A section is a table of lines and columns; the fields of both make up
-- a cell (see runner.lua). `against` are fields of the cell that it is divided by.

-- The cost of one call, from a long run and a short one.
local function each(many, few)
  return { count = many, less = { count = few }, per = many - few }
end

local function with(fields, more)
  for k, v in pairs(more) do fields[k] = v end
  return fields
end

local raw, raw_cjson, raia, luasocket, lua_http, fetch =
  { entrant = "raw" }, { entrant = "raw_cjson" }, { entrant = "raia" },
  { entrant = "luasocket" }, { entrant = "lua_http" }, { entrant = "fetch" }

-- Lines of ever more.
local function grow(counts, of_what, fields)
  local lines = {}
  for i, n in ipairs(counts) do
    local label = ("%d"):format(n):reverse():gsub("(%d%d%d)(%d)", "%1,%2"):reverse()
    lines[i] = with(fields(n), { x = n, label = label .. " " .. of_what })
  end
  return lines
end

local both = {
  { label = "raw", entrant = "raw", against = false },
  { label = "raia", entrant = "raia" },
}

local plain = "delay/d1000"
local none = { count = 0 } -- the start of the process

return {
  {
    name = "send", title = "One `send`: 150 bytes there, 600 bytes back, on a kept connection",
    note = "LuaSocket keeps no connection. System calls are those of an answer that takes 5 ms.",
    fields = { scenario = "send", at = "delay/d0", against = raw, against_name = "raw" },
    lines = { raw, raw_cjson, raia, luasocket, lua_http, fetch },
    columns = {
      with(each(220, 20), { label = "instructions", metric = "instructions", steady = true,
        not_of = "fetch" }),
      with(each(220, 20), { label = "system calls", metric = "calls", steady = true,
        at = "delay/d5", format = "%.1f", against = false, not_of = "fetch" }),
      with(each(4000, 200), { label = "CPU", metric = "cpu", unit = "µs" }),
    },
  },
  {
    name = "flight", title = "Many in flight: sends at once, each answered after a second",
    fields = { scenario = "flight", at = plain, against = raw, against_name = "raw" },
    lines = { raw, raw_cjson, raia, lua_http, fetch },
    columns = {
      { label = "1,000: wall", metric = "wall", unit = "s", count = 1000 },
      { label = "CPU", metric = "cpu", unit = "ms", count = 1000, less = none },
      { label = "memory", metric = "memory", unit = "MB", count = 1000 },
      { label = "5,000: wall", metric = "wall", unit = "s", count = 5000 },
      { label = "CPU", metric = "cpu", unit = "ms", count = 5000, less = none },
      { label = "memory", metric = "memory", unit = "MB", count = 5000 },
    },
  },
  {
    name = "trickle", rounds = 3,
    title = "Answers that trickle in: 5,000 sends of 0.1 to 1.9 s, 1,000 in flight",
    fields = { scenario = "flight", at = "delay/d100-1900", count = 5000, most = 1000,
      against = raw, against_name = "raw" },
    lines = { raw, raw_cjson, raia, lua_http, fetch },
    columns = {
      { label = "wall", metric = "wall", unit = "s", against = false },
      { label = "CPU", metric = "cpu", unit = "ms", less = none },
      { label = "memory", metric = "memory", unit = "MB" },
    },
  },
  {
    name = "h2", title = "TLS and HTTP/2: 1,000 sends at once, each answered after a second",
    fields = {
      scenario = "flight", at = "tls/d1000", count = 1000,
      against = { entrant = "raw", scenario = "flight_http1" },
      against_name = "raw on HTTP/1.1",
    },
    lines = {
      { entrant = "raw", scenario = "flight_http1", label = "raw libcurl, HTTP/1.1" },
      raw, raw_cjson, raia, lua_http,
      { entrant = "fetch", label = "Node's fetch, HTTP/1.1" },
    },
    columns = {
      { label = "CPU", metric = "cpu", unit = "ms", less = none },
      { label = "memory", metric = "memory", unit = "MB" },
      { label = "connections", metric = "connects", steady = true, against = false,
        format = "%d" },
    },
  },
  {
    name = "history", title = "Histories of 100, 1,000 and 10,000 messages, as messages",
    note = "Memory is the peak of a process that has read one, or five one after the other.",
    fields = { scenario = "history", against = raw_cjson, against_name = "raw + cjson" },
    lines = { with({ label = "raw libcurl, bytes only" }, raw), raw_cjson, raia, luasocket,
      lua_http, fetch },
    columns = {
      with(each(420, 20), { label = "100: CPU", metric = "cpu", unit = "ms", at = "static/h100" }),
      with(each(42, 2), { label = "1,000: CPU", metric = "cpu", unit = "ms",
        at = "static/h1000" }),
      with(each(9, 1), { label = "10,000: CPU", metric = "cpu", unit = "ms",
        at = "static/h10000" }),
      with(each(9, 1), { label = "wall", metric = "wall", unit = "ms", at = "static/h10000" }),
      { label = "memory: one", metric = "memory", unit = "MB", at = "static/h10000", count = 1,
        against = false },
      { label = "five", metric = "memory", unit = "MB", at = "static/h10000", count = 5,
        against = false },
    },
  },
  {
    name = "cold", title = "Cold start: a process, its modules and one request",
    fields = { scenario = "send", at = "delay/d0", count = 1, runs = 20, against = raw,
      against_name = "raw" },
    lines = { raw, raw_cjson, raia, luasocket, lua_http, with({ runs = 3 }, fetch) },
    columns = {
      { label = "wall", metric = "wall", unit = "ms" },
      { label = "CPU", metric = "cpu", unit = "ms" },
      { label = "memory", metric = "memory", unit = "MB" },
    },
  },
  {
    name = "memory", title = "Memory of one of many",
    fields = { metric = "memory", entrant = "raia", gives = "count", at = "delay/d0" },
    lines = {
      with(each(2000, 100), { label = "a client before its first call", scenario = "clients" }),
      with(each(100000, 1000), { label = "a conversation", scenario = "conversations" }),
      with(each(10000, 100), { label = "a message", scenario = "messages" }),
      with(each(20000, 100), { label = "a request that is queued", scenario = "requests" }),
      with(each(4000, 100), { label = "a request in flight", scenario = "flight", at = plain,
        gives = "answers" }),
      with(each(4000, 100), { label = "the same, raw + cjson", scenario = "flight", at = plain,
        gives = "answers", entrant = "raw_cjson" }),
    },
    columns = { { label = "bytes", unit = "B" } },
  },
  {
    name = "idle", title = "While nothing happens, a second",
    note = "Of two runs that differ by some seconds of silence: what is below zero is noise.",
    fields = { entrant = "raia", gives = "one", steady = true, at = "delay/d0" },
    lines = {
      with(each(4, 1), { label = "asleep, nothing in flight", scenario = "sleep" }),
      { label = "100 in flight", scenario = "flight", count = 100, gives = "answers",
        at = "delay/d9000", less = { at = plain }, per = 8 },
    },
    columns = {
      { label = "system calls", metric = "calls", format = "%.1f" },
      { label = "instructions", metric = "instructions", format = "%.0f" },
    },
  },
  {
    name = "careful", title = "What each way to do it costs raia",
    fields = { entrant = "raia", scenario = "send", at = "delay/d0", steady = true,
      metric = "instructions", against = { scenario = "send", entrant = "raia" },
      against_name = "a plain send" },
    lines = {
      { label = "a plain send, a string" },
      { label = "a table", scenario = "send_table" },
      { label = "two options", scenario = "send_options" },
      { label = "a header of its own", scenario = "send_header" },
      { label = "on_event is set", scenario = "send_event" },
      { label = "wait = false, then wait", scenario = "send_background" },
      { label = "in raia.run", scenario = "send_task" },
      { label = "in raia.timeout in raia.run", scenario = "send_timeout" },
      { label = "under cqueues", scenario = "send_cqueues" },
      { label = "under luv", scenario = "send_luv" },
      { label = "a body of a thousand strings", scenario = "large" },
      { label = "the same, raw + cjson", scenario = "large", entrant = "raw_cjson" },
    },
    columns = { with(each(220, 20), { label = "instructions" }) },
  },
  {
    name = "careful_tasks", title = "A task",
    fields = { entrant = "raia", gives = "count", at = "delay/d0", metric = "instructions",
      against = { scenario = "send", gives = "answers", count = 220, less = { count = 20 },
        per = 200 }, against_name = "a plain send" },
    lines = {
      with(each(2200, 200), { label = "spawn and join of nothing", scenario = "spawn" }),
      with(each(2000, 1000), { label = "one of 2,000 that sleep", scenario = "sleepers" }),
      with(each(64000, 32000), { label = "one of 64,000 that sleep", scenario = "sleepers" }),
    },
    columns = { { label = "instructions" } },
  },
  {
    name = "careful_many", title = "1,000 in flight, each answered after a second, by each way",
    fields = { entrant = "raia", at = plain, count = 1000, against = { scenario = "flight" },
      against_name = "wait = false" },
    lines = {
      { label = "wait = false", scenario = "flight" },
      { label = "raia.map", scenario = "flight_map" },
      { label = "under cqueues", scenario = "flight_cqueues" },
      { label = "under luv, raia.spawn", scenario = "flight_luv" },
    },
    columns = {
      { label = "CPU", metric = "cpu", unit = "ms", less = none },
      { label = "memory", metric = "memory", unit = "MB" },
    },
  },
  {
    name = "careful_history", title = "A history of 10,000 messages, by each way",
    fields = { entrant = "raia", at = "static/h10000", against = { scenario = "history" },
      against_name = "messages" },
    lines = {
      { label = "messages()", scenario = "history" },
      { label = "messages(), and each text is read", scenario = "history_read" },
      { label = "client:request, plain tables", scenario = "history_plain" },
    },
    columns = {
      with(each(9, 1), { label = "CPU", metric = "cpu", unit = "ms" }),
      { label = "memory", metric = "memory", unit = "MB", count = 1 },
    },
  },
  {
    name = "growth_flight", title = "CPU of a call, with ever more in flight", rounds = 3,
    note = "Of 10,000 calls on connections that are there; raia has many in several handles.",
    fields = { scenario = "flight", at = "delay/d0", metric = "cpu", unit = "µs", against = raw,
      against_name = "raw" },
    lines = grow({ 1, 10, 100, 1000, 5000 }, "in flight", function(n)
      return { count = 10000 + n, most = n, less = { count = n }, per = 10000 }
    end),
    columns = both,
  },
  {
    name = "growth_calls", title = "CPU of a call, of ever more one after the other", rounds = 3,
    fields = { scenario = "send", at = "delay/d0", metric = "cpu", unit = "µs", against = raw,
      against_name = "raw" },
    lines = grow({ 100, 1000, 10000, 100000 }, "calls", function(n)
      return { count = n, less = none, per = n }
    end),
    columns = { both[1], both[2],
      { label = "raia: memory", metric = "memory", unit = "MB", entrant = "raia", against = false,
        less = false, per = false } },
  },
  {
    name = "growth_history", title = "CPU of a message, of ever longer histories", rounds = 3,
    fields = { scenario = "history", metric = "cpu", unit = "µs", against = raw_cjson,
      against_name = "raw + cjson" },
    lines = grow({ 100, 300, 1000, 3000, 10000, 30000 }, "messages", function(n)
      local times = math.max(30000 // n, 2)
      return { at = "static/h" .. n, count = times, less = none, per = times * n }
    end),
    columns = { { label = "raw + cjson", entrant = "raw_cjson", against = false }, both[2] },
  },
}
