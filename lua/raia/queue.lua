-- Queues between tasks: take waits for put, and put waits for take when there is no room.
-- What is public of it is described in raia/meta.lua.
local setmetatable, error, math = setmetatable, error, math
local core = require "raia.core".scheduler
local schedule, inner = require "raia.schedule", require "raia.task".inner

local Queue = { __name = "raia.queue" }
Queue.__index = Queue

-- A slot to wait with: to take, until a value is in it; to put, until the value is out.
local Slot = {}

local function is_served(slot) return slot.served end

local function serve(slot)
  slot.served = true
  if slot.waiter then schedule.wake(slot.waiter) end
end

-- Ends a wait, however it ends: a value that was handed over but not taken goes to the next taker.
function Slot:__close()
  self.gone = true
  if self.served and self.take and self.value ~= nil then
    local queue = self.queue
    queue.head = queue.head - 1
    queue.items[queue.head] = self.value
    queue:serve_takers()
  end
end

-- Removes and returns the first slot of a list that somebody still waits with, or nil.
local function pop_slot(slots)
  while slots.first do
    local slot = slots.first
    slots.first = slot.next
    if not slots.first then slots.last = nil end
    if not slot.gone then return slot end
  end
end

local function push_slot(slots, slot)
  if slots.first then slots.last.next = slot else slots.first = slot end
  slots.last = slot
  return setmetatable(slot, Slot)
end

-- Removes and returns the oldest value, or nil.
local function pop_value(queue)
  local value
  if queue.head <= queue.tail then
    value = queue.items[queue.head]
    queue.items[queue.head] = nil
    queue.head = queue.head + 1
  end
  local slot = #queue < queue.room and pop_slot(queue.putters) or value == nil
    and pop_slot(queue.putters)
  if slot then
    if value == nil then
      value = slot.value
    else
      queue.tail = queue.tail + 1
      queue.items[queue.tail] = slot.value
    end
    serve(slot)
  end
  return value
end

function Queue:serve_takers()
  while self.head <= self.tail or self.putters.first do
    local slot = pop_slot(self.takers)
    if not slot then return end
    slot.value = pop_value(self)
    if slot.value == nil then return end
    serve(slot)
  end
end

function Queue:put(value)
  inner.check_self(self, Queue)
  if value == nil then error("raia.queue: cannot put nil", 2) end
  if self.closed then return core.failure("closed", "the queue is closed", "no") end
  local taker = pop_slot(self.takers)
  if taker then
    taker.value = value
    serve(taker)
  elseif #self < self.room then
    self.tail = self.tail + 1
    self.items[self.tail] = value
  else
    local slot <close> = push_slot(self.putters, { value = value })
    if not schedule.wait(slot, is_served) then
      return core.failure("cancelled", "the value was not put", "no")
    end
  end
  return true
end

function Queue:take(seconds)
  inner.check_self(self, Queue)
  if seconds ~= nil then inner.check_seconds(seconds, "queue.take") end
  local value = pop_value(self)
  if value ~= nil or self.closed then return value end
  local slot <close> = push_slot(self.takers, { queue = self, take = true })
  if not schedule.wait(slot, is_served, seconds) then
    return core.failure("timeout", ("nothing came within %g s"):format(seconds or 0), "no")
  end
  value, slot.value = slot.value, nil
  return value
end

function Queue:close()
  inner.check_self(self, Queue)
  self.closed = true
  local slot = pop_slot(self.takers)
  while slot do
    serve(slot)
    slot = pop_slot(self.takers)
  end
end

Queue.__call = Queue.take
Queue.__close = Queue.close

function Queue:__len()
  return self.tail - self.head + 1
end

function Queue:__tostring()
  return ("raia.queue (%d%s)"):format(#self, self.closed and ", closed" or "")
end

return function(room)
  if room ~= nil and (math.type(room) ~= "integer" or room < 0) then
    error("raia.queue: room must be a whole number of at least 0", 2)
  end
  return setmetatable({ room = room or math.huge, items = {}, head = 1, tail = 0,
    takers = {}, putters = {}, closed = false }, Queue)
end
