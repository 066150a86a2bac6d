---@meta raia.sandbox
-- The reference of raia.sandbox, a local raia for development and tests.

---@class raia.sandbox
local sandbox = {}

---@class raia.SandboxOptions
---@field port? integer 0, the default, picks a free one
---@field key? string the key to ask for; default "sandbox"
---@field delay? number seconds before each answer; default 0
---@field agent? string a Lua file that returns `function(message, conversation) return text end`;
---it may wait with `cqueues.sleep`, and must not yield; to fail, it returns nil and a table of
---`status`, `message` and `retry_after`
---@field outbox? string a file that emails, SMS and calls are added to; default none
---@field tls_cert? string PEM file of a certificate, to serve https and HTTP/2; with tls_key
---@field tls_key? string PEM file of its key
---@field any_user? boolean let conversations begin with users that nobody has created; default
---false: an unknown `conversationUserId` is a 404
---@field answers? string[] what the agent says, one after the other, before it answers as usual
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

---How the next calls are to fail. Each fault is used as often as it says, the oldest first.
---@class raia.SandboxFault
---@field status? integer the status to answer with, instead of carrying the call out
---@field body? string with it; default an error as the service's
---@field retry_after? number seconds, as `Retry-After`
---@field times? integer default 1
---@field method? string only calls of this method
---@field path? string only calls with this in their path
---@field delay? number seconds before the answer
---@field drop? "before"|"after" break the connection, before or after the call is carried out

---Has calls fail. It raises, as all that follow do, where the sandbox cannot be asked.
---@param fault raia.SandboxFault
function running:fail(fault) end

---What the agent says from now on, one after the other, before it answers as usual.
---@param list string[]
function running:answers(list) end

---The calls that have come: `method`, `path` with its query, `body`.
---@return { method: string, path: string, body: string }[]
function running:requests() end

---What has gone out by email, SMS and voice: `channel`, `to`, `text`, `conversationId`.
---@return { channel: string, to: string?, text: string, conversationId: string }[]
function running:outbox() end

---A person writes in a conversation, and the agent answers unless it is in manual mode.
---@param message { conversationId: string, message: string, source?: string }
---@return table message
function running:receive(message) end

---Forgets all: users, conversations, faults, answers, what came and what went out.
function running:reset() end

return sandbox
