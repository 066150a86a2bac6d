-- What is measured, as data. A section is a table of lines and columns; the fields of both make up
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

return {
  {
    name = "send", title = "One `send`: 150 bytes there, 600 bytes back, on a kept connection",
    fields = { scenario = "send", at = "delay/d0", against = raw, against_name = "raw" },
    lines = { raw, raw_cjson, raia, luasocket, lua_http, fetch },
    columns = {
      with(each(220, 20), { label = "instructions", metric = "instructions", steady = true,
        not_of = "fetch" }),
      with(each(220, 20), { label = "system calls", metric = "calls", steady = true,
        format = "%.1f", against = false, not_of = "fetch" }),
      with(each(4000, 200), { label = "CPU", metric = "cpu", unit = "µs" }),
    },
  },
}
