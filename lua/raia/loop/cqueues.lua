-- raia under cqueues: in a coroutine that a controller runs, calls suspend there.
local cqueues = require "cqueues"
local condition = require "cqueues.condition"

local conditions = setmetatable({}, { __mode = "k" }) -- of coroutines
local pumps = setmetatable({}, { __mode = "k" }) -- of controllers

local loop = {}

function loop.current()
  local _, direct = cqueues.running()
  if not direct then return nil end
  local co = coroutine.running()
  conditions[co] = conditions[co] or condition.new()
  return conditions[co]
end

function loop.suspend(signal, seconds)
  cqueues.poll(signal, seconds < math.huge and seconds or nil)
end

function loop.resume(signal)
  signal:signal()
end

-- A coroutine in the controller that steps when there is something to do, and ends with it.
local function pump(self)
  while self.fd or self.seconds do
    self.pollfd, self.events, self.timeout = self.fd, self.fd and "r", self.seconds
    local woken = cqueues.poll(self, self.changed)
    if woken ~= self.changed then self.step() end
  end
  self.running = false
end

function loop.watch(fd, seconds, step)
  local controller = cqueues.running()
  if not controller then return end
  local self = pumps[controller]
  if not self then
    self = { changed = condition.new() }
    pumps[controller] = self
  end
  self.fd, self.seconds, self.step = fd, seconds, step
  if self.running then
    self.changed:signal()
  elseif fd or seconds then
    self.running = true
    controller:wrap(pump, self)
  end
end

return loop
