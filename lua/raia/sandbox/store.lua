-- What the sandbox keeps: conversations and their messages, in memory; and what the bodies
-- of requests may hold, as tables of fields.

local json = require "cjson"

local store = {}
store.__index = store

local PHONE = "^%+[1-9]%d+$"

store.start_fields = {
  { "firstName", "string", required = true }, { "lastName", "string", required = true },
  { "channel", "string", required = true, one_of = { "email", "sms", "voice" } },
  { "context", "string" }, { "conversationContext", "string" }, { "source", "string" },
  { "fkId", "string" }, { "fkUserId", "string" }, { "customData", "object" },
  { "email", "string" }, { "phoneNumber", "string", pattern = PHONE, max = 16,
    hint = "an E.164 number such as +15551234567" },
  by_channel = {
    email = {
      { "email", "string", required = true }, { "emailSubject", "string", required = true },
      { "emailIntroduction", "string", required = true },
      { "includeSignatureInEmail", "boolean" }, { "resetConversation", "boolean" },
    },
    sms = {
      { "phoneNumber", "string", required = true },
      { "smsIntroduction", "string", required = true },
      { "includeSignatureInSms", "boolean" }, { "resetConversation", "boolean" },
    },
    voice = {
      { "phoneNumber", "string", required = true }, { "firstMessage", "string", required = true },
    },
  },
}

store.create_fields = {
  { "conversationUserId", "string", required = true }, { "title", "string", max = 255 },
  { "context", "string", max = 256000 }, { "customData", "object" },
}

store.send_fields = { { "message", "string", required = true }, { "context", "string" } }

store.delete_fields = { { "conversationUserId", "string", required = true } }

local function type_of(value)
  local kind = type(value)
  return kind ~= "table" and kind or type(next(value)) == "number" and "array" or "object"
end

local function complaint(field, value)
  if value == nil then return field.required and "is required" or nil end
  if type_of(value) ~= field[2] then
    return (field[2] == "object" and "must be an " or "must be a ") .. field[2]
  elseif value == "" and field.required then
    return "must not be empty"
  elseif field.pattern and not value:find(field.pattern) then
    return "must be " .. field.hint
  elseif field.max and utf8.len(value) > field.max then
    return ("must be %s of at most %d characters"):format(field.hint or "a text", field.max)
  end
  for _, allowed in ipairs(field.one_of or { value }) do
    if value == allowed then return nil end
  end
  return "must be one of " .. table.concat(field.one_of, ", ")
end

-- What is wrong with a body: an array of { field =, message = }, empty when nothing is.
function store.check(fields, body)
  local details, seen = {}, {}
  for _, list in ipairs { fields, fields.by_channel and fields.by_channel[body.channel] } do
    for _, field in ipairs(list) do
      local name = field[1]
      local message = not seen[name] and complaint(field, body[name])
      if message then
        seen[name] = true
        details[#details + 1] = { field = name, message = name .. " " .. message }
      end
    end
  end
  return details
end

function store.uuid()
  local random = math.random
  return ("%08x-%04x-4%03x-%04x-%012x"):format(random(0, 0xffffffff), random(0, 0xffff),
    random(0, 0xfff), random(0x8000, 0xbfff), random(0, 0xffffffffffff))
end

function store.new()
  return setmetatable({ conversations = {}, users = {} }, store)
end

-- `custom` is the JSON text of the custom data, kept as it came.
function store:create(body, custom)
  local conversation = {
    id = store.uuid(),
    conversationUserId = body.conversationUserId,
    title = body.title,
    context = body.context,
    conversationContext = body.conversationContext,
    channel = body.channel or "api",
    custom = custom or "{}",
    messages = {},
  }
  self.conversations[conversation.id] = conversation
  return conversation
end

-- A person with the same foreign key, phone number or email is the same user.
function store:start(body, custom, first_message)
  local person = body.fkUserId or body.phoneNumber or body.email
  self.users[person] = self.users[person] or store.uuid()
  local conversation = self:create(body, custom)
  conversation.conversationUserId = self.users[person]
  conversation.aiCallId = body.channel == "voice" and store.uuid() or nil
  store.add(conversation, "assistant", body.channel, first_message)
  return conversation
end

function store.add(conversation, role, source, text, question)
  local message = {
    id = store.uuid(),
    message = text,
    rawMessage = text,
    conversationId = conversation.id,
    senderRole = role,
    conversationMessageId = question and question.id,
    source = source,
  }
  table.insert(conversation.messages, message)
  return message
end

function store:delete_user(user)
  for id, conversation in pairs(self.conversations) do
    if conversation.conversationUserId == user then self.conversations[id] = nil end
  end
end

-- What an agent sees: a copy, which it may change as it likes. The history is copied when it
-- is asked for.
function store.view(conversation, context)
  local view = { customData = json.decode(conversation.custom) }
  for _, name in ipairs { "id", "conversationUserId", "title", "context", "conversationContext",
    "channel" } do
    view[name] = conversation[name]
  end
  view.context = context or view.context
  local count = #conversation.messages
  return setmetatable(view, { __index = function(_, name)
    if name ~= "messages" then return nil end
    view.messages = {}
    for i = 1, count do
      view.messages[i] = {}
      for key, value in pairs(conversation.messages[i]) do view.messages[i][key] = value end
    end
    return view.messages
  end })
end

return store
