-- Fails when raia takes many more instructions than it did, beside raw + cjson doing the same.
package.path = "./?.lua;" .. package.path
local runner = require "bench.runner"

local rows = { -- the bounds are 7 to 10 % above what was measured
  { "a send", bound = 1.10,
    { scenario = "send", at = "delay/d0", count = 70, less = { count = 20 }, per = 50 } },
  { "a message of a history", bound = 1.19,
    { scenario = "history", at = "static/h1000", count = 3, less = { at = "static/h100" },
      per = 2700 } },
  { "a request in flight", bound = 1.24,
    { scenario = "flight", at = "delay/d500", count = 120, less = { count = 20 }, per = 100 } },
}

local good = true
for _, row in ipairs(rows) do
  local cost = {}
  for _, entrant in ipairs { "raia", "raw_cjson" } do
    cost[entrant] = runner.cost(
      runner.merged(row[2], { entrant = entrant, metric = "instructions" }), 1)
  end
  local ratio = cost.raia / cost.raw_cjson
  print(("%s: %.0f instructions, %.2f of raw + cjson (at most %.2f)"):format(
    row[1], cost.raia, ratio, row.bound))
  good = good and ratio <= row.bound
end
os.exit(good)
