-- Methods that are written in Lua: their objects, arguments and options.
local core = require "raia.core"
local error, getmetatable, next = error, getmetatable, next
local tostring, type = tostring, type

local options = {}

-- Adds functions as methods of a class.
function options.define(class, functions)
  local methods = core.methods[class]
  for name, fn in next, functions do
    methods[name] = function(self, ...)
      local metatable = type(self) == "userdata" and getmetatable(self)
      if not metatable or metatable.__name ~= class then
        error(("calling '%s' on bad self (%s expected, got %s)"):format(name, class,
          type(self)), 2)
      end
      return fn(self, ...)
    end
  end
end

-- Raises unless argument `number` of `method` is of one of the types in `wanted`.
function options.argument(number, method, value, wanted)
  if not wanted:find(type(value), 1, true) then
    error(("bad argument #%d to '%s' (%s expected, got %s)"):format(number, method, wanted,
      type(value)), 3)
  end
end

-- Raises unless `given` is nil or a table with no names but those in `types`, and values of the
-- types that it has for them, of which numbers are positive; `method` is for the message.
function options.check(method, given, types)
  if given == nil then return {} end
  if type(given) ~= "table" then
    error(("bad argument to '%s' (table expected, got %s)"):format(method, type(given)), 3)
  end
  for name, value in next, given do
    local wanted = types[name]
    if not wanted then
      error(("bad argument to '%s' (unknown option '%s')"):format(method, tostring(name)), 3)
    elseif not wanted:find(type(value), 1, true) then
      error(("bad argument to '%s' (option '%s' must be a %s, not %s)"):format(method, name,
        wanted, type(value)), 3)
    elseif type(value) == "number" and not (value > 0 or value == 0 and name == "max_retries") then
      error(("bad argument to '%s' (option '%s' must be positive)"):format(method, name), 3)
    end
  end
  return given
end

-- A copy of `given` (nil: nothing) with the fields of `changes` in it.
function options.with(given, changes)
  local copy = {}
  for name, value in next, given or {} do copy[name] = value end
  for name, value in next, changes do copy[name] = value end
  return copy
end

return options
