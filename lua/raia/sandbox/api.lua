-- The operations of the API, on what the sandbox keeps: a row each, and a function.

local cqueues = require "cqueues"
local fields = require "raia.sandbox.fields"
local json = require "raia.sandbox.json"
local store = require "raia.sandbox.store"

local api = {}

local NAMES = { [400] = "BAD_REQUEST", [403] = "FORBIDDEN_ERROR", [404] = "ENTITY_NOT_FOUND_ERROR",
  [405] = "METHOD_NOT_ALLOWED", [413] = "PAYLOAD_TOO_LARGE" }

-- Ends the request with an error.
local function fail(status, message, details, headers)
  error({ status = status, headers = headers, body = json.encode { status = status,
    name = NAMES[status], message = message, details = json.array(details) } }, 0)
end
api.fail = fail

-- What each channel sends; the last field is the conversation's first message.
local OUTGOING = {
  email = { "email to %s, %s: %s", "email", "emailSubject", "emailIntroduction" },
  sms = { "sms to %s: %s", "phoneNumber", "smsIntroduction" },
  voice = { "call to %s: %s", "phoneNumber", "firstMessage" },
}

-- ---- shapes ----

local function shape(object, names)
  local result = {}
  for _, name in ipairs(names) do result[name] = object[name] end
  return result
end

local CONVERSATION = { "id", "title", "score", "summary", "aiConversationId", "aiCallId", "mode",
  "conversationStateId", "createdAt", "updatedAt" }

local function conversation_shape(conversation, with_feedbacks)
  local result = shape(conversation, CONVERSATION)
  result.conversationUserId = conversation.user.id
  result.user = conversation.user
  result.isAnonymized = false
  result.metadata = { customData = json.raw(conversation.custom) }
  result.feedbacks = with_feedbacks and json.array(conversation.feedbacks) or nil
  return result
end

local MESSAGE = { "id", "message", "rawMessage", "conversationId", "senderRole", "source",
  "conversationMessageId", "createdAt", "isAnonymized", "conversationMessageFeedbacks", "files" }

local FILE = { "id", "fileName", "openAIFileId", "size", "createdAt", "updatedAt" }

local function message_shape(message)
  local result = shape(message, MESSAGE)
  if message.files then
    result.files = json.array()
    for i, file in ipairs(message.files) do result.files[i] = shape(file, FILE) end
  end
  return result
end

local function map(list, to)
  local result = json.array()
  for i, one in ipairs(list) do result[i] = to(one) end
  return result
end

local function page_of(list, query, to)
  local size = math.tointeger(tonumber(query.pageSize)) or 10
  local page = math.tointeger(tonumber(query.page)) or 1
  if page < 1 or size < 1 then fail(400, "INVALID_REQUEST") end
  local pages = math.max((#list + size - 1) // size, 1)
  local data = table.move(list, (page - 1) * size + 1, math.min(page * size, #list), 1, {})
  return { currentPage = page, pageSize = size, totalItems = #list, totalPages = pages,
    hasNextPage = page < pages, hasPreviousPage = page > 1, data = map(data, to) }
end

local function sorted(list, query, default)
  local by, down = query.orderBy or default, query.orderDirection == "DESC"
  table.sort(list, function(a, b)
    if down then a, b = b, a end
    return a[by] < b[by]
  end)
  return list
end

-- ---- conversations ----

local function start(self, request)
  local body, outgoing = request.body, OUTGOING[request.body.channel]
  local values = {}
  for i = 2, #outgoing do values[i - 1] = body[outgoing[i]] end
  local conversation = self.store:start(body, request.custom, values[#values])
  self:send_out(outgoing[1]:format(table.unpack(values)),
    { channel = body.channel, to = values[1], text = values[#values],
      conversationId = conversation.id })
  return { conversationId = conversation.id }
end

local function create(self, request)
  local user = self.store:user(request.body.conversationUserId)
  if not user then fail(404, "ENTITY_NOT_FOUND") end
  return conversation_shape(self.store:create(user, request.body, request.custom))
end

local function delete_all(self, request)
  self.store:delete_conversations(request.body.conversationUserId)
end

local function get(_, request) return conversation_shape(request.conversation, true) end

local function list(self, request)
  local query, found = request.query, {}
  for _, one in ipairs(self.store.order) do
    if (not query.userId or query.userId == one.user.id)
      and (not query.searchKeyword or (one.title or ""):find(query.searchKeyword, 1, true))
      and (not query.startDate or one.updatedAt >= query.startDate)
      and (not query.endDate or one.updatedAt <= query.endDate)
      and (query.withFeedbacksOnly ~= "true" or one.feedbacks[1]) then
      found[#found + 1] = one
    end
  end
  return page_of(sorted(found, query, "createdAt"), query, conversation_shape)
end

local STATES = json.array()
for i, name in ipairs { "Open", "Closed" } do
  STATES[i] = { id = "state-" .. i, name = name, isPersistent = true,
    createdAt = "2026-01-01T00:00:00.000Z", updatedAt = "2026-01-01T00:00:00.000Z" }
end

local function states() return STATES end

local function update(_, request)
  local conversation = request.conversation
  for _, name in ipairs { "title", "context", "status", "conversationStateId", "mode" } do
    conversation[name] = request.body[name] or conversation[name]
  end
  conversation.updatedAt = store.now()
  return conversation_shape(conversation)
end

local function messages(_, request)
  local result, all = json.array(), request.conversation.messages
  for i, one in ipairs(all) do
    result[request.query.orderDirection == "DESC" and #all + 1 - i or i] = message_shape(one)
  end
  return { messages = result }
end

-- The text of the agent: the next of the answers that a test has given, else what its function
-- says. That may give nil and { status =, message =, retry_after = } to fail.
local function text_of_agent(self, text, view)
  if self.answers[1] then return table.remove(self.answers, 1) end
  local answer, failure = self.agent(text, view)
  if answer == nil and type(failure) == "table" then
    fail(failure.status or 500, failure.message or "the agent failed", nil, failure.retry_after
      and { ["retry-after"] = tostring(failure.retry_after) })
  elseif type(answer) ~= "string" or not utf8.len(answer) then
    error("the agent must return UTF-8 text, not a " .. type(answer), 0)
  end
  return answer
end

api.text_of_agent = text_of_agent

-- Adds a question, and gives what makes the answer.
local function ask(self, request)
  local conversation, body = request.conversation, request.body
  local view = store.view(conversation, body.context)
  local question = store.add(conversation, "conversation_user", "api", body.message, nil,
    body.files)
  return question, function()
    if self.delay > 0 then cqueues.sleep(self.delay) end
    return store.add(conversation, "assistant", "api", text_of_agent(self, body.message, view),
      question)
  end
end

local function send(self, request)
  local _, answer = ask(self, request)
  return message_shape(answer())
end

-- Makes what `make` gives later, and keeps it, or why it failed, in `state`.
local function later(self, state, make)
  state.status = "pending"
  self.controller:wrap(function()
    local ok, result = pcall(make)
    state.status = ok and "completed" or "failed"
    if ok then
      state.result = result
    else
      state.error = type(result) == "table" and json.decode(result.body).message
        or tostring(result)
    end
  end)
end

local function send_async(self, request)
  local question, answer = ask(self, request)
  local state = {}
  self.store.questions[question.id] = state
  later(self, state, answer)
  return message_shape(question)
end

local function response_on(self, request)
  local state = self.store.questions[request.id]
  if not state then fail(404, "ENTITY_NOT_FOUND") end
  return { status = state.status, error = state.error,
    message = state.result and message_shape(state.result) }
end

local function send_manual(self, request)
  local conversation, body = request.conversation, request.body
  if conversation.mode ~= "manual" then
    fail(400, "The conversation is not in manual mode")
  end
  local message = store.add(conversation, "manual_assistant", "api", body.message,
    { id = body.conversationMessageId }, body.files)
  self:send_out("message of a person: " .. body.message,
    { channel = conversation.channel, text = body.message, conversationId = conversation.id })
  return message_shape(message)
end

-- ---- files of messages and prompts, by signed URLs ----

local function upload_url(self, request)
  local path = store.uuid() .. "/" .. request.body.fileName:gsub("[^%w.-]", "_")
  self.store.uploads[path] = { type = request.body.contentType }
  return { storagePath = path, signedUrl = self.url .. "/storage/" .. path .. "?signature=s-1" }
end

local function signed_url(self, request)
  for _, message in ipairs(request.conversation.messages) do
    for _, file in ipairs(message.files or {}) do
      if file.id == request.id then
        return { fileId = file.id,
          signedUrl = self.url .. "/storage/" .. file.storagePath .. "?signature=s-1" }
      end
    end
  end
  fail(404, "ENTITY_NOT_FOUND")
end

local function storage(self, request)
  local file = self.store.uploads[request.path:match "^/storage/(.*)$"]
  if not file or request.query.signature ~= "s-1" then fail(403, "SignatureDoesNotMatch") end
  if request.method == "GET" then
    if not file.bytes then fail(404, "NoSuchKey") end
    return file.bytes, file.type
  end
  if request.headers:get "content-type" ~= file.type then fail(403, "SignatureDoesNotMatch") end
  file.bytes = request.text
  return ""
end

-- ---- users ----

local function create_user(self, request)
  local body = request.body
  if not (body.fkId or body.email or body.phoneNumber) then
    fail(400, "one of phoneNumber, email, fkId is required")
  elseif self.store:find_user(body, { "fkId", "email", "phoneNumber" }) then
    fail(400, "User already exists")
  end
  return self.store:add_user(body, request.custom)
end

local function search(self, request)
  local user = self.store:find_user(request.query, { "fkId", "email", "phoneNumber" })
  if not user then fail(404, "ENTITY_NOT_FOUND") end
  local ids = json.array()
  for _, conversation in ipairs(self.store.order) do
    if conversation.user == user then ids[#ids + 1] = conversation.id end
  end
  return { user = user, conversationIds = ids }
end

local function get_user(_, request) return request.user end
local function delete_user(self, request) self.store:delete_user(request.user) end

-- The functions for limits of a user, or of the agent.
local function limits_of(of_user)
  local function place(self, request)
    return self.store.user_limits, of_user and request.user.id or "agent"
  end
  local function existing(self, request)
    local limits, key = place(self, request)
    return limits[key] or fail(404, "ENTITY_NOT_FOUND")
  end
  local function set(self, request)
    local limits, key = place(self, request)
    local one = limits[key] or { id = store.uuid(), isOrganizationDefault = false,
      [of_user and "conversationUserId" or "agentId"] = key }
    for _, field in ipairs(fields.limits) do
      one[field[1]] = request.body[field[1]] or one[field[1]]
    end
    limits[key] = one
    return one
  end
  return existing, set, function(self, request)
    existing(self, request)
    return set(self, request)
  end, function(self, request)
    existing(self, request)
    local limits, key = place(self, request)
    limits[key] = nil
    return ""
  end
end

local user_limits, set_user_limits, change_user_limits, delete_user_limits = limits_of(true)
local _, set_limits, change_limits, delete_limits = limits_of(false)

-- ---- prompts, and the agent of the key ----

local function prompt_reply(state)
  return { status = state.status, response = state.result, error = state.error,
    totalTokens = state.result and #state.result // 4 + 1 }
end

local function answer_prompt(self, request)
  return function()
    if self.delay > 0 then cqueues.sleep(self.delay) end
    return text_of_agent(self, request.body.prompt, { messages = {}, customData = {} })
  end
end

local function prompt(self, request)
  return prompt_reply { status = "completed", result = answer_prompt(self, request)() }
end

local function prompt_async(self, request)
  local id, state = store.uuid(), {}
  self.store.prompts[id] = state
  later(self, state, answer_prompt(self, request))
  return { promptId = id }
end

local function prompt_response(self, request)
  local state = self.store.prompts[request.id]
  if not state then fail(404, "ENTITY_NOT_FOUND") end
  return state.status == "pending" and json.raw "null" or prompt_reply(state)
end

local function agent()
  return { organizationId = "o-1", organizationName = "Sandbox", id = "agent", name = "Sandbox",
    publicName = "Sandbox", role = "tests", status = "active", skills = json.array(),
    vectorStoreId = "vs-1",
    aiConfig = { id = "ai-1", model = "none", temperature = 0, topP = 1, instructions = "" } }
end

local function agent_users(self, request)
  local all = table.move(self.store.user_order, 1, #self.store.user_order, 1, {})
  return page_of(all, request.query, function(user) return user end)
end

local function statistic(self)
  local count = #self.store.order
  return { tokensUsed = count, tokensPerConversation = 1, vapiSecondsUsed = 0,
    averageCallDuration = 0, smsUsed = 0, smsPerConversation = 0, emailsUsed = 0,
    emailsPerConversation = 0 }
end

local function create_webhook(self, request)
  local body = request.body
  if not body.url:find "^https://" then fail(400, "INVALID_REQUEST") end
  local webhook = shape(body, { "title", "description", "url", "triggerCondition", "headers" })
  webhook.id, webhook.agentId, webhook.status = store.uuid(), "agent", "active"
  webhook.createdAt = store.now()
  webhook.updatedAt = webhook.createdAt
  table.insert(self.store.webhooks, webhook)
  return webhook
end

local function usage(self)
  local result = { emailsAmount = 0, smsAmount = 0, tokensAmount = 0, secondsAmount = 0 }
  for _, one in ipairs(self.store.usage) do
    local name = one.type == "OPENAI_TOKENS" and "tokensAmount" or "secondsAmount"
    result[name] = result[name] + one.amount
  end
  return result
end

local function record(self, request)
  table.insert(self.store.usage, request.body)
  return ""
end

local function create_feedback(self, request)
  local body = request.body
  local feedback = shape(body, { "voteType", "question", "answer", "comment" })
  feedback.id, feedback.createdAt = store.uuid(), store.now()
  feedback.updatedAt = feedback.createdAt
  for _, conversation in ipairs(self.store.order) do
    for _, message in ipairs(conversation.messages) do
      if message.id == body.conversationMessageId then
        table.insert(conversation.feedbacks, feedback)
        table.insert(message.conversationMessageFeedbacks, feedback)
        local reply = shape(feedback, { "id", "voteType", "question", "answer", "comment",
          "createdAt", "updatedAt" })
        reply.conversationMessageId = message.id
        return reply
      end
    end
  end
  fail(404, "ENTITY_NOT_FOUND")
end

-- ---- files of the agent ----

-- The parts of a form by name: { value =, file = name of the file or nil }.
local function form_parts(text, content_type)
  local boundary = (content_type or ""):match 'boundary="?([^";]+)'
  local parts, line = {}, "\r\n--" .. (boundary or "")
  text = "\r\n" .. text
  local _, from = text:find(line .. "\r\n", 1, true)
  while boundary and from do
    local head_end, value_from = text:find("\r\n\r\n", from, true)
    local value_end, next_from = text:find(line, value_from or #text, true)
    if not value_end then break end
    local head = text:sub(from + 1, head_end - 1)
    parts[head:match ' name="([^"]*)"' or ""] = { file = head:match 'filename="([^"]*)"',
      value = text:sub(value_from + 1, value_end - 1) }
    from = text:sub(next_from + 1, next_from + 2) == "\r\n" and next_from + 2
  end
  return parts
end

local function upload(self, request)
  local parts = form_parts(request.text, (request.headers:get "content-type"))
  if not (parts.file and parts.file.file) then fail(400, "File is required") end
  local stored = parts.autoAddToVectorStore and parts.autoAddToVectorStore.value == "true"
  local file = { id = store.uuid(), fileName = parts.file.file, createdAt = store.now(),
    isUploadedToVectorStore = stored or false }
  file.url = self.url .. "/storage/" .. file.id .. "?signature=s-1"
  self.store.uploads[file.id] = { type = "application/octet-stream", bytes = parts.file.value }
  self.store.files[file.id] = file
  table.insert(self.store.file_order, file)
  return file
end

local function agent_files(self) return json.array(self.store.file_order) end

local function delete_file(self, id)
  if not self.store.files[id] then fail(404, "ENTITY_NOT_FOUND") end
  for i, file in ipairs(self.store.file_order) do
    if file.id == id then table.remove(self.store.file_order, i) end
  end
  self.store.files[id], self.store.uploads[id] = nil, nil
end

local function delete_one_file(self, request)
  delete_file(self, request.id)
  return ""
end

local function delete_files(self, request)
  for _, id in ipairs(request.body.fileIds) do delete_file(self, id) end
  return ""
end

local function store_file(to)
  return function(self, request)
    local file = self.store.files[request.id]
    if not file then fail(404, "ENTITY_NOT_FOUND") end
    file.isUploadedToVectorStore = to
    return ""
  end
end

-- ---- routes ----

-- In a path, {conversation} and {user} are ids of what must be there, {id} is any.
local routes = {
  { "POST", "conversations/start", 201, start, body = fields.start },
  { "GET", "conversations/states", 200, states },
  { "POST", "conversations", 201, create, body = fields.create },
  { "GET", "conversations", 200, list },
  { "DELETE", "conversations", 204, delete_all, body = fields.delete },
  { "GET", "conversations/{conversation}", 200, get },
  { "PUT", "conversations/{conversation}", 200, update, body = fields.update },
  { "PUT", "conversations/{conversation}/mode", 200, update, body = fields.mode },
  { "GET", "conversations/{conversation}/messages", 200, messages },
  { "POST", "conversations/{conversation}/messages", 201, send, body = fields.send },
  { "POST", "conversations/{conversation}/messages/async", 201, send_async, body = fields.send },
  { "GET", "conversations/{conversation}/messages/{id}/response-on", 200, response_on },
  { "POST", "conversations/{conversation}/send-manual-message", 200, send_manual,
    body = fields.manual },
  { "POST", "conversations/{conversation}/message-files/upload-url", 200, upload_url,
    body = fields.upload },
  { "GET", "conversations/{conversation}/message-files/{id}/signed-url", 200, signed_url },
  { "POST", "users", 201, create_user, body = fields.user },
  { "GET", "users/search", 200, search },
  { "GET", "users/{user}", 200, get_user },
  { "DELETE", "users/{user}", 204, delete_user },
  { "GET", "users/{user}/limits", 200, user_limits },
  { "POST", "users/{user}/limits", 201, set_user_limits, body = fields.limits },
  { "PUT", "users/{user}/limits", 200, change_user_limits, body = fields.limits },
  { "DELETE", "users/{user}/limits", 200, delete_user_limits },
  { "POST", "prompts", 200, prompt, body = fields.prompt },
  { "POST", "prompts/async", 200, prompt_async, body = fields.prompt },
  { "GET", "prompts/{id}/response-on", 200, prompt_response },
  { "POST", "prompts/upload-url", 200, upload_url, body = fields.upload },
  { "GET", "agents/by-api-key", 200, agent },
  { "GET", "agents/users", 200, agent_users },
  { "GET", "agents/statistic", 200, statistic },
  { "POST", "agents/webhooks", 201, create_webhook, body = fields.webhook },
  { "GET", "agents/limits", 200, usage },
  { "POST", "agents/limits", 201, set_limits, body = fields.limits },
  { "PUT", "agents/limits", 200, change_limits, body = fields.some_limits },
  { "DELETE", "agents/limits", 200, delete_limits },
  { "POST", "agent-files/upload", 200, upload },
  { "GET", "agent-files/by-api-key", 200, agent_files },
  { "DELETE", "agent-files", 200, delete_files, body = fields.file_ids },
  { "DELETE", "agent-files/{id}/delete", 200, delete_one_file },
  { "DELETE", "agent-files/{id}/delete-from-vector-store", 200, store_file(false) },
  { "PUT", "agent-files/{id}/add-to-vector-store", 200, store_file(true) },
  { "PUT", "agent-files/{id}/add-to-vector-store/async", 200, store_file(true) },
  { "POST", "resource-usage", 201, record, body = fields.usage },
  { "POST", "conversation-message-feedbacks", 201, create_feedback, body = fields.feedback },
  { "GET", "/storage/", 200, storage, open = true },
  { "PUT", "/storage/", 200, storage, open = true },
}

for _, route in ipairs(routes) do
  local names = {}
  local pattern = route[2]:gsub("%-", "%%-"):gsub("{(%w+)}", function(name)
    names[#names + 1] = name
    return "([^/]+)"
  end)
  route.names = names
  route.pattern = route.open and "^/storage/." or "^/external/" .. pattern .. "$"
end

local function decoded(text)
  return (text:gsub("%%(%x%x)", function(hex) return string.char(tonumber(hex, 16)) end))
end

-- The route of a request and the ids in its path by name; nil and the methods that the path takes.
function api.route(method, path)
  local allowed = {}
  for _, route in ipairs(routes) do
    local found = table.pack(path:match(route.pattern))
    if found[1] and route[1] == method then
      local ids = {}
      for i, name in ipairs(route.names) do ids[name] = decoded(found[i]) end
      return route, ids
    end
    if found[1] then allowed[#allowed + 1] = route[1] end
  end
  return nil, table.concat(allowed, ", ")
end

function api.read_query(target)
  local query = {}
  for name, value in (target:match "%?(.*)$" or ""):gmatch "([^&=]+)=([^&]*)" do
    query[decoded(name)] = decoded(value)
  end
  return query
end

-- Carries out a request whose route is known; returns status, body and content type.
function api.call(self, route, ids, request)
  if route.body then
    local body, problem = json.read_body(request.text)
    if not body then fail(400, problem) end
    local details = fields.check(route.body, body)
    if details[1] then fail(400, details[1].message, details) end
    request.body = body
    request.custom = body.customData and json.member_text(request.text, "customData")
  end
  request.id = ids.id
  request.conversation = ids.conversation and (self.store.conversations[ids.conversation]
    or fail(404, "ENTITY_NOT_FOUND"))
  request.user = ids.user and (self.store.users[ids.user] or fail(404, "ENTITY_NOT_FOUND"))
  local result, content_type = route[4](self, request)
  if type(result) == "string" then return route[3], result, content_type end
  return route[3], result and json.encode(result)
end

return api
