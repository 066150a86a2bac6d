-- raia.progress: shows the progress of a raia.map on standard error.
local math = math -- which a host may take away later
local scheduler = require "raia.core".scheduler

local width, seconds_between = 30, { [true] = 0.1, [false] = 5 } -- on a terminal, elsewhere

local function clock(seconds)
  seconds = math.floor(seconds + 0.5)
  return ("%d:%02d"):format(seconds // 60, seconds % 60)
end

local function progress(label, options)
  label, options = label or "", options or {}
  if type(label) ~= "string" then error("raia.progress: the label must be a string", 2) end
  if type(options) ~= "table" then error("raia.progress: the options must be a table", 2) end
  for name in pairs(options) do
    if name ~= "quiet" then
      error(("raia.progress: unknown option '%s' (known options: quiet)")
        :format(tostring(name)), 2)
    end
  end
  if options.quiet then return function() end end
  local terminal = scheduler.is_terminal()
  local start, shown = scheduler.now(), -math.huge
  return function(done, total)
    local now = scheduler.now()
    if done < total and now - shown < seconds_between[terminal] then return end
    shown = now
    local rate = done / math.max(now - start, 1e-3)
    local text = ("%s %d of %d, %.1f/s, %s"):format(label, done, total, rate,
      done < total and clock((total - done) / rate) .. " left" or clock(now - start))
    if terminal then
      local full = total > 0 and done * width // total or width
      scheduler.say("\r\27[K[" .. ("#"):rep(full) .. ("."):rep(width - full) .. "] " .. text
        .. (done >= total and "\n" or ""))
    else
      scheduler.say(text .. "\n")
    end
  end
end

return { progress = progress }
