-- raia: a client for the conversations API of the raia platform.
-- Every public name is described in raia/meta.lua.
local require, package, io, load = require, package, io, load -- a host may take them away
if not require then error("raia: this host has no `require`, which is needed to load it", 0) end
local core = require "raia.core"

local loaders, loaded = {}, {} -- of modules of raia's that are loaded later

-- What the files of raia have for `require`.
local function get(module)
  if loaded[module] == nil then
    loaded[module] = (loaders[module] or require)(module)
    if loaders[module] and package.loaded then package.loaded[module] = loaded[module] end
  end
  return loaded[module]
end

local environment = setmetatable({ require = get }, { __index = _ENV })

-- The file that Lua's own `require` would load a module from, where it can be read.
local function find(module)
  if package and package.preload and package.searchpath and io and io.open and load then
    return not package.preload[module] and package.path
      and package.searchpath(module, package.path)
  end
end

-- Has one of them read now, wherever the program goes from here, and compiled when it is first
-- needed: for one call, none of them is. In pieces, as Lua has buffers of its own for larger ones,
-- and loses them for good where memory runs out when it makes the first.
local function read(module)
  local path = find(module)
  local file <close> = path and io.open(path, "rb") or nil
  if not file then return get(module) end
  local pieces = {}
  for piece in file:lines(1024) do pieces[#pieces + 1] = piece end
  loaders[module] = function(name)
    local next_piece = 0
    return assert(load(function()
      next_piece = next_piece + 1
      return pieces[next_piece]
    end, "@" .. path, "bt", environment))(name)
  end
  package.preload[module] = get
end

read "raia.task"
read "raia.many"
read "raia.progress"

local function later(module, name)
  return function(...) return get(module)[name](...) end
end

return {
  _VERSION = core._VERSION,
  client = core.client, null = core.null, totable = core.totable,
  run = later("raia.many", "run"), gather = later("raia.many", "gather"),
  map = later("raia.many", "map"), timeout = later("raia.many", "timeout"),
  spawn = later("raia.task", "spawn"), sleep = later("raia.task", "sleep"),
  step = later("raia.task", "step"), use = later("raia.task", "use"),
  progress = later("raia.progress", "progress"),
}
