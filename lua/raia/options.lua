-- Options of the methods that are written in Lua.
local error, next, tostring, type = error, next, tostring, type

local options = {}

-- Raises unless `given` is nil or a table with no names but those in `types`, and values of the
-- types that it has for them; `method` is for the message.
function options.check(method, given, types)
  if given == nil then return {} end
  if type(given) ~= "table" then
    error(("bad argument to '%s' (table expected, got %s)"):format(method, type(given)), 3)
  end
  for name, value in next, given do
    if not types[name] then
      error(("bad argument to '%s' (unknown option '%s')"):format(method, tostring(name)), 3)
    elseif not types[name]:find(type(value), 1, true) then
      error(("bad argument to '%s' (option '%s' must be a %s, not %s)"):format(method, name,
        types[name], type(value)), 3)
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
