-- raia: a client for the conversations API of the raia platform.
-- Every public name is described in raia/meta.lua.
local core = require "raia.core"

local raia = {
  _VERSION = core._VERSION,
  client = core.client, null = core.null, totable = core.totable,
  progress = require "raia.progress",
}
for name, value in pairs(require "raia.task") do raia[name] = value end
return raia
