-- raia: a client for the conversations API of the raia platform.
-- Every public name is described in raia/meta.lua.
if not require then error("raia: this host has no `require`, which is needed to load it", 0) end
local core = require "raia.core"
local task, many = require "raia.task", require "raia.many"
local progress, queue = require "raia.progress", require "raia.queue"
require "raia.answers"
require "raia.files"
require "raia.lists"

return {
  _VERSION = core._VERSION,
  client = core.client, null = core.null, totable = core.totable, array = core.array,
  run = many.run, gather = many.gather, map = many.map, each = many.each,
  timeout = many.timeout, queue = queue, now = task.now,
  spawn = task.spawn, sleep = task.sleep, step = task.step, use = task.use,
  progress = progress.progress,
}
