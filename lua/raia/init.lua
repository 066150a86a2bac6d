-- raia: a client for the conversations API of the raia platform.
-- Every public name is described in raia/meta.lua.
pcall(require, "raia.lazy") -- raia.core is opened sooner by it, but works without, too
local core = require "raia.core"
local require = require

-- What the files of raia see: all there is, and `require` though a host may take it away.
local environment = setmetatable({ require = require }, { __index = _G })

-- Has one of them read now, wherever the program goes from here, and compiled when it is first
-- needed: for one call, none of them is. In pieces, as Lua has buffers of its own for larger ones,
-- and loses them for good where memory runs out when it makes the first.
local function read(module)
  local search = package.searchpath
  local path = search and not package.preload[module] and search(module, package.path)
  local file <close> = path and io.open(path, "rb") or nil
  if not file then return require(module) end
  local pieces = {}
  for piece in file:lines(1024) do pieces[#pieces + 1] = piece end
  package.preload[module] = function(...)
    local next_piece = 0
    return assert(load(function()
      next_piece = next_piece + 1
      return pieces[next_piece]
    end, "@" .. path, "bt", environment))(...)
  end
end

read "raia.task"
read "raia.many"
read "raia.progress"

local function later(module, name)
  return function(...) return require(module)[name](...) end
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
