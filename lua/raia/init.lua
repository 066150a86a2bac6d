-- raia: a client for the conversations API of the raia platform.
-- Every public name is described in raia/meta.lua.
return require "raia.core"
