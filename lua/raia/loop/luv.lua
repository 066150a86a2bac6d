-- raia under luv. luv runs callbacks, not coroutines: the coroutines that suspend are those of
-- raia.spawn, which go on while uv.run() does.
local uv = require "luv"

local polls, timer = {}, nil -- polls by their descriptors; of which there is one

local loop = {}

-- Unused handles are stopped, not closed: luv crashes when the process ends with a handle that is
-- still closing.
function loop.watch(fd, seconds, step)
  timer = timer or uv.new_timer()
  for other, poll in pairs(polls) do
    if other ~= fd then poll:stop() end
  end
  if fd then
    polls[fd] = polls[fd] or uv.new_poll(fd)
    polls[fd]:start("r", step)
  end
  if seconds then
    timer:start(math.ceil(seconds * 1000), 0, step)
  else
    timer:stop()
  end
end

return loop
