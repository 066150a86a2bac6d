-- raia under luv. luv runs callbacks, not coroutines: the coroutines that suspend are those of
-- raia.spawn, which go on while uv.run() does.
local uv = require "luv"

local poll, watched, timer

local loop = {}

function loop.watch(fd, seconds, step)
  timer = timer or uv.new_timer()
  if fd ~= watched then
    if poll then poll:close() end
    poll, watched = fd and uv.new_poll(fd), fd
    if poll then poll:start("r", step) end
  end
  if seconds then
    timer:start(math.ceil(seconds * 1000), 0, step)
  else
    timer:stop()
  end
end

return loop
