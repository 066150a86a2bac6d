-- What the sandbox keeps, in memory: users, conversations and their messages, files, limits.

local json = require "raia.sandbox.json"

local store = {}
store.__index = store

function store.uuid()
  local random = math.random
  return ("%08x-%04x-4%03x-%04x-%012x"):format(random(0, 0xffffffff), random(0, 0xffff),
    random(0, 0xfff), random(0x8000, 0xbfff), random(0, 0xffffffffffff))
end

-- Each call gives a later time than the last one, in milliseconds.
local last = 0
function store.now()
  last = math.max(last + 1, os.time() * 1000)
  return os.date("!%Y-%m-%dT%H:%M:%S", last // 1000) .. (".%03dZ"):format(last % 1000)
end

function store.new(any_user)
  return setmetatable({ any_user = any_user, conversations = {}, order = {}, users = {},
    user_order = {}, user_limits = {}, questions = {}, prompts = {}, uploads = {}, files = {},
    file_order = {}, webhooks = {}, usage = {} }, store)
end

-- ---- users ----

local USER = { "firstName", "lastName", "context", "source", "fkId", "fkUserId", "email",
  "phoneNumber" }

function store:add_user(body, custom, id)
  local user = { id = id or store.uuid(), isAnonymized = false,
    metadata = { customData = json.raw(custom or "{}") } }
  for _, name in ipairs(USER) do user[name] = body[name] end
  self.users[user.id] = user
  table.insert(self.user_order, user)
  return user
end

-- The user who has one of these values, looked for in the order of the names.
function store:find_user(body, names)
  for _, name in ipairs(names) do
    for _, user in ipairs(body[name] and self.user_order or {}) do
      if user[name] == body[name] then return user end
    end
  end
end

-- The user with that id; where any will do, one is made.
function store:user(id)
  local user = self.users[id]
  if not user and self.any_user then
    user = self:add_user({ firstName = "", lastName = "" }, nil, id)
  end
  return user
end

function store:delete_user(user)
  self:delete_conversations(user.id)
  self.users[user.id], self.user_limits[user.id] = nil, nil
  for i, one in ipairs(self.user_order) do
    if one == user then table.remove(self.user_order, i) end
  end
end

-- ---- conversations ----

-- `custom` is the JSON text of the custom data, kept as it came.
function store:create(user, body, custom)
  local now = store.now()
  local conversation = {
    id = store.uuid(),
    user = user,
    title = body.title,
    context = body.context,
    conversationContext = body.conversationContext,
    conversationStateId = body.conversationStateId,
    channel = body.channel or "api",
    custom = custom or "{}",
    mode = "ai",
    aiConversationId = store.uuid(),
    aiCallId = body.channel == "voice" and store.uuid() or nil,
    createdAt = now, updatedAt = now,
    feedbacks = {}, messages = {},
  }
  self.conversations[conversation.id] = conversation
  table.insert(self.order, conversation)
  return conversation
end

-- A person with the same foreign key, phone number or email is the same user.
function store:start(body, custom, first_message)
  local user = self:find_user(body, { "fkUserId", "phoneNumber", "email", "fkId" })
    or self:add_user(body, custom)
  local conversation = self:create(user, body, custom)
  store.add(conversation, "assistant", body.channel, first_message)
  return conversation
end

function store.add(conversation, role, source, text, question, files)
  local now = store.now()
  local message = {
    id = store.uuid(),
    message = text,
    rawMessage = text,
    conversationId = conversation.id,
    senderRole = role,
    source = source,
    createdAt = now,
    isAnonymized = false,
    conversationMessageFeedbacks = json.array(),
  }
  message.conversationMessageId = question and question.id
    or role == "conversation_user" and message.id or nil
  if files and files[1] then
    message.files = json.array()
    for i, file in ipairs(files) do
      message.files[i] = { id = store.uuid(), fileName = file.fileName, createdAt = now,
        updatedAt = now, openAIFileId = "file-" .. i, storagePath = file.storagePath }
    end
  end
  conversation.updatedAt = now
  table.insert(conversation.messages, message)
  return message
end

function store:delete_conversations(user_id)
  for i = #self.order, 1, -1 do
    local conversation = self.order[i]
    if conversation.user.id == user_id then
      table.remove(self.order, i)
      self.conversations[conversation.id] = nil
    end
  end
end

-- What an agent sees: a copy, which it may change as it likes. The history is copied when it
-- is asked for.
function store.view(conversation, context)
  local view = { customData = json.decode(conversation.custom),
    conversationUserId = conversation.user.id }
  for _, name in ipairs { "id", "title", "context", "conversationContext", "channel" } do
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
