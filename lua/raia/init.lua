-- raia: a client for the conversations API of the raia platform.
-- Every public name is described in raia/meta.lua.
pcall(require, "raia.lazy") -- raia.core is opened sooner by it, but works without, too
local core = require "raia.core"
local task = require "raia.task"
local many = require "raia.many"

return {
  _VERSION = core._VERSION,
  client = core.client, null = core.null, totable = core.totable,
  run = many.run, gather = many.gather, map = many.map, timeout = many.timeout,
  spawn = task.spawn, sleep = task.sleep, step = task.step, use = task.use,
  progress = require "raia.progress",
}
