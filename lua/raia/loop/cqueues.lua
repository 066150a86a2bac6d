-- raia under cqueues: calls suspend in the coroutines that a controller runs.
local cqueues = require "cqueues"
local condition = require "cqueues.condition"

local conditions = setmetatable({}, { __mode = "k" }) -- of coroutines
local pumps = setmetatable({}, { __mode = "k" }) -- conditions, of controllers that have one
local fd, seconds, step -- what to wait for, as watch was told last

local loop = {}

function loop.current()
  local _, direct = cqueues.running()
  if not direct then return nil end
  local co = coroutine.running()
  conditions[co] = conditions[co] or condition.new()
  return conditions[co]
end

function loop.suspend(signal, most)
  cqueues.poll(signal, most < math.huge and most or nil)
end

function loop.resume(signal)
  signal:signal()
end

-- Makes a coroutine of the controller wait for what a task has yielded for cqueues.
function loop.adopt(go_on, kind, ...)
  local controller = cqueues.running()
  if kind ~= cqueues._POLL or not controller then return nil end
  local abandoned = condition.new()
  local function wait_in_its_place(...)
    go_on(cqueues.poll(...))
  end
  controller:wrap(wait_in_its_place, abandoned, ...)
  return function() abandoned:signal() end
end

-- A coroutine in a controller that steps raia's loop while there is something to do.
local function pump(controller)
  local changed = pumps[controller]
  while fd or seconds do
    local woken = cqueues.poll({ pollfd = fd, events = fd and "r", timeout = seconds }, changed)
    if woken ~= changed and step then step() end
  end
  pumps[controller] = nil
end

function loop.watch(new_fd, new_seconds, new_step)
  fd, seconds, step = new_fd, new_seconds, new_step
  for _, changed in pairs(pumps) do changed:signal() end
  local controller = cqueues.running()
  if controller and (fd or seconds) and not pumps[controller] then
    pumps[controller] = condition.new()
    controller:wrap(pump, controller)
  end
end

return loop
