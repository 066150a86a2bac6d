-- raia: a client for the conversations API of the raia platform.
-- Every public name is described in raia/meta.lua.
pcall(require, "raia.lazy") -- raia.core is opened sooner by it, but works without, too
local core = require "raia.core"
local require = require

-- A function of a module that is read when it is first needed: for one call, none of them is. A
-- host that takes `require` away afterwards reads raia.many and raia.progress before.
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
