---@meta raia.sandbox
-- The reference of raia.sandbox, a local raia for development and tests.

---@class raia.sandbox
local sandbox = {}

---@class raia.SandboxOptions
---@field port? integer 0, the default, picks a free one
---@field key? string the key to ask for; default "sandbox"
---@field delay? number seconds before each answer; default 0
---@field agent? string a Lua file that returns `function(message, conversation) return text end`;
---it may wait with `cqueues.sleep`, and must not yield
---@field outbox? string a file that emails, SMS and calls are added to; default none
---@field tls_cert? string PEM file of a certificate, to serve https and HTTP/2; with tls_key
---@field tls_key? string PEM file of its key
---@field any_user? boolean let conversations begin with users that nobody has created; default
---false: an unknown `conversationUserId` is a 404
---@field lua? string the Lua to run it with; default "lua5.4"

---A local raia: a process of its own until it is closed, collected, or this process ends.
---@class raia.Sandbox
---@field base_url string
---@field secret_key string
local running = {}

---Starts one (`require "raia.sandbox"`) and waits until it listens. Needs lua-http.
---@param options? raia.SandboxOptions
---@return raia.Sandbox? sandbox
---@return string? message why it could not start
function sandbox.start(options) end

---Stops it.
function running:close() end

return sandbox
