-- Fails when raia takes many more instructions than it did: beside raw + cjson doing the same, or,
-- for tasks, beside a plain send.
package.path = "./?.lua;" .. package.path
local runner = require "bench.runner"

local function send_by(scenario)
  return { scenario = scenario, entrant = "raia", at = "delay/d0", count = 70,
    less = { count = 20 }, per = 50 }
end

local plain = send_by "send"

local rows = { -- the bounds are 7 to 10 % above what was measured
  { "a send", bound = 1.00,
    { scenario = "send", at = "delay/d0", count = 320, less = { count = 20 }, per = 300 } },
  { "a message of a history", bound = 0.52,
    { scenario = "history", at = "static/h1000", count = 3, less = { at = "static/h100" },
      per = 2700 } },
  { "a request in flight", bound = 1.20,
    { scenario = "flight", at = "delay/d500", count = 120, less = { count = 20 }, per = 100 } },
  { "a send in raia.run", bound = 1.24, against = plain, send_by "send_task" },
  { "a send under luv", bound = 1.32, against = plain, send_by "send_luv" },
  { "a send in raia.timeout", bound = 1.82, against = plain, send_by "send_timeout" },
  { "spawn and join of nothing", bound = 0.44, against = plain,
    { scenario = "spawn", entrant = "raia", at = "delay/d0", gives = "count", count = 1200,
      less = { count = 200 }, per = 1000 } },
}

local costs = {} -- by cell

local function cost(cell, entrant)
  cell = entrant and runner.merged(cell, { entrant = entrant }) or cell
  costs[cell] = costs[cell] or runner.cost(runner.merged(cell, { metric = "instructions" }), 1)
  return costs[cell]
end

local good = true
for _, row in ipairs(rows) do
  local raia = cost(row[2], not row.against and "raia" or nil)
  local other = row.against and cost(row.against) or cost(row[2], "raw_cjson")
  print(("%s: %.0f instructions, %.2f of %s (at most %.2f)"):format(row[1], raia, raia / other,
    row.against and "a plain send" or "raw + cjson", row.bound))
  good = good and raia / other <= row.bound
end
os.exit(good)
