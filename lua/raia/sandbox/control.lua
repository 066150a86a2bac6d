-- What tests of programs ask of a sandbox: failures, answers, what came and what went out.

local cqueues = require "cqueues"
local fields = require "raia.sandbox.fields"
local json = require "raia.sandbox.json"
local store = require "raia.sandbox.store"

local control = {}

-- What a sandbox has for it.
function control.open(self)
  self.faults, self.answers, self.requests, self.sent = {}, {}, {}, {}
end

-- The fault that a request meets, if any; it is used up.
function control.take_fault(self, method, path)
  for i, fault in ipairs(self.faults) do
    if (not fault.method or fault.method == method)
      and (not fault.path or path:find(fault.path, 1, true)) then
      fault.times = (fault.times or 1) - 1
      if fault.times <= 0 then table.remove(self.faults, i) end
      return fault
    end
  end
end

-- Delays what the fault says; gives the status, body and headers of its answer, or nil if it has
-- none.
function control.answer_of(fault)
  if fault.delay then cqueues.sleep(fault.delay) end
  if not fault.status then return nil end
  local body = fault.body or json.encode { status = fault.status, name = "SANDBOX_FAULT",
    message = "as the test asked" }
  local seconds = fault.retry_after
  return fault.status, body, seconds and { ["retry-after"] = tostring(seconds) }
end

local FAULT = { { "status", "number" }, { "times", "number" }, { "method", "string" },
  { "path", "string" }, { "retry_after", "number" }, { "delay", "number" },
  { "drop", "string", one_of = { "before", "after" } }, { "body", "string" } }
local ANSWERS = { { "answers", "array", required = true } }

-- A person writes; the agent answers, unless a person has taken over.
local function receive(self, body, fail)
  local conversation = self.store.conversations[body.conversationId]
    or fail(404, "ENTITY_NOT_FOUND")
  local message = store.add(conversation, "conversation_user",
    body.source or conversation.channel, body.message)
  if conversation.mode == "ai" then
    self.controller:wrap(function()
      local ok, answer = pcall(self.text_of_agent, self, body.message, store.view(conversation))
      if ok then store.add(conversation, "assistant", message.source, answer, message) end
    end)
  end
  return message
end

local calls = {
  fail = { FAULT, function(self, body) table.insert(self.faults, body) end },
  answers = { ANSWERS, function(self, body) self.answers = body.answers end },
  receive = { fields.receive, receive },
  requests = { {}, function(self) return { list = json.array(self.requests) } end },
  outbox = { {}, function(self) return { list = json.array(self.sent) } end },
  reset = { {}, function(self)
    self.store = store.new(self.any_user)
    control.open(self)
  end },
}

-- Carries out the call at `path`; returns a status and a body. `fail` ends it with an error.
function control.call(self, path, text, fail)
  local call = calls[path:match "^/sandbox/(%a+)$"] or fail(404, "no such path")
  local body, problem = json.read_body(text)
  if not body then fail(400, problem) end
  local details = fields.check(call[1], body)
  if details[1] then fail(400, details[1].message, details) end
  return 200, json.encode(call[2](self, body, fail) or {})
end

return control
