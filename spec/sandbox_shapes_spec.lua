-- Each reply of the sandbox has the published shape: the fields that must be there, none that is
-- not known, null only where that may be, and the right types and statuses.
local cjson = require "cjson"
local http = require "socket.http"
local ltn12 = require "ltn12"
local sandbox = require "raia.sandbox"

-- A field: name, "*" if it is always there, "?" if it may be null, and a type if it is no string.
-- A type is a shape, [shape] for an array of it, number, boolean, {} for any object, or values.
local SHAPES = {
  user = "id* firstName* lastName* context source fkId fkUserId email phoneNumber "
    .. "metadata:{} isAnonymized*:boolean",
  feedback = "id* voteType*:up|down question? answer? comment? userEmail? createdAt updatedAt",
  stored_feedback = "id* voteType*:up|down question? answer? comment? userEmail? createdAt "
    .. "updatedAt conversationMessageId*",
  conversation = "id* conversationUserId* title score:number summary aiConversationId* "
    .. "metadata:{} aiCallId threadId mode:manual|ai conversationStateId user*:user "
    .. "createdAt* updatedAt* assignedUser?:{} isAnonymized*:boolean feedbacks:[feedback]",
  file = "id* fileName* openAIFileId* size?:number updatedAt* createdAt*",
  message = "id* message* rawMessage conversationId* senderRole*:conversation_user|assistant|"
    .. "manual_assistant conversationMessageId "
    .. "source:email|sms|live_chat|copilot|api|voice|ms_teams createdAt* "
    .. "conversationMessageFeedbacks*:[feedback] fullAIResponse:{} subagentId? "
    .. "expandedMessage? files:[file] isAnonymized*:boolean",
  messages = "messages*:[message]",
  conversations = "currentPage*:number pageSize*:number totalItems*:number totalPages*:number "
    .. "hasNextPage*:boolean hasPreviousPage*:boolean data*:[conversation]",
  users = "currentPage*:number pageSize*:number totalItems*:number totalPages*:number "
    .. "hasNextPage*:boolean hasPreviousPage*:boolean data*:[user]",
  started = "conversationId*",
  state = "id* name* description? color? isPersistent*:boolean createdAt* updatedAt*",
  answer = "status*:pending|completed|failed message?:message error?",
  upload = "signedUrl* storagePath*",
  download = "signedUrl* fileId*",
  found = "user*:user conversationIds*:[string]",
  user_limits = "tokensAmountPerMonth*:number smsAmountPerMonth*:number "
    .. "emailsAmountPerMonth*:number secondsAmountPerMonth*:number id* conversationUserId* "
    .. "isOrganizationDefault*:boolean",
  agent_limits = "tokensAmountPerMonth*:number smsAmountPerMonth*:number "
    .. "emailsAmountPerMonth*:number secondsAmountPerMonth*:number id* agentId* "
    .. "isOrganizationDefault*:boolean",
  prompt = "status*:pending|completed|failed totalTokens?:number response? error?",
  prompt_id = "promptId*",
  agent = "organizationId* organizationName* id* name* publicName* role* description "
    .. "vectorStoreId* aiConfig*:{} avatarUrl status*:active|inactive|draft tags?:[string] "
    .. "skills*:[{}] restrictDocumentsToOwnerOnly:boolean",
  statistic = "tokensUsed*:number tokensPerConversation*:number vapiSecondsUsed*:number "
    .. "averageCallDuration*:number smsUsed*:number smsPerConversation*:number "
    .. "emailsUsed*:number emailsPerConversation*:number",
  webhook = "title* description* url* triggerCondition* headers:{} id* agentId* status* "
    .. "createdAt* updatedAt*",
  usage = "emailsAmount*:number smsAmount*:number tokensAmount*:number secondsAmount*:number",
  agent_file = "id* fileName* url* createdAt* vectorStoreFileId isUploadedToVectorStore?:boolean "
    .. "vectorStoreUploadStatus?:processing|done|failed uploadedToVectorStoreAt",
  error = "status*:number name* message* details*:[{}]",
}

local check

local function check_type(value, kind, path)
  if kind:find "%?$" and value == cjson.null then return end
  kind = kind:gsub("%?$", "")
  local element = kind:match "^%[(.*)%]$"
  if element then
    assert.equal("table", type(value), path)
    for i, one in ipairs(value) do check_type(one, element, path .. "[" .. i .. "]") end
  elseif kind == "{}" then
    assert.equal("table", type(value), path)
  elseif SHAPES[kind] then
    check(value, kind, path)
  elseif kind == "string" or kind == "number" or kind == "boolean" then
    assert.equal(kind, type(value), path)
  else
    assert.is_truthy(("|" .. kind .. "|"):find("|" .. tostring(value) .. "|", 1, true), path)
  end
end

function check(value, shape, path)
  assert.equal("table", type(value), path)
  local known = {}
  for name, always, null, kind in SHAPES[shape]:gmatch "(%w+)(%*?)(%??):?(%S*)" do
    known[name] = true
    local one = value[name]
    if one == nil then
      assert.equal("", always, path .. "." .. name .. " is missing")
    elseif one == cjson.null then
      assert.equal("?", null, path .. "." .. name .. " is null")
    else
      check_type(one, kind == "" and "string" or kind, path .. "." .. name)
    end
  end
  for name in pairs(value) do assert.is_true(known[name], path .. "." .. name .. " is unknown") end
end

describe("a reply of the sandbox", function()
  local box

  setup(function() box = assert(sandbox.start {}) end)
  teardown(function() box:close() end)

  -- Makes a call; checks status and shape ("": no body), and gives the body.
  local function call(line, body, status, shape)
    local method, path = line:match "^(%S+) (%S+)$"
    local parts, text = {}, body and cjson.encode(body) or nil
    local _, code, headers = http.request { url = box.base_url .. "/external/" .. path,
      method = method, sink = ltn12.sink.table(parts), source = text and ltn12.source.string(text),
      headers = { ["agent-secret-key"] = box.secret_key, ["content-length"] = text and #text,
        ["content-type"] = text and "application/json" } }
    local reply = table.concat(parts)
    assert.equal(status, code, reply)
    if shape == "" then
      assert.equal("", reply)
      if status == 204 then assert.is_nil(headers["content-length"]) end
      return nil
    end
    assert.equal("application/json", headers["content-type"])
    local value = cjson.decode(reply)
    check_type(value, shape, line)
    return value
  end

  it("has the published shape, of each operation", function()
    local LIMITS = { tokensAmountPerMonth = 1, smsAmountPerMonth = 2, emailsAmountPerMonth = 3,
      secondsAmountPerMonth = 4 }
    local person = { firstName = "Ada", lastName = "Byron", fkId = "k-1",
      email = "ada@example.com", customData = { a = { 1 } } }
    local user = call("POST users", person, 201, "user")
    call("POST users", person, 400, "error")
    call("GET users/" .. user.id, nil, 200, "user")
    local id = call("POST conversations", { conversationUserId = user.id, title = "T" }, 201,
      "conversation").id
    call("POST conversations", { conversationUserId = "nobody" }, 404, "error")
    call("GET users/search?fkId=k-1", nil, 200, "found")
    call("GET users/search?fkId=nobody", nil, 404, "error")
    call("POST conversations/start", { channel = "voice", firstName = "A", lastName = "B",
      phoneNumber = "+15551234567", firstMessage = "Hi" }, 201, "started")
    call("GET conversations", nil, 200, "conversations")
    call("GET conversations/states", nil, 200, "[state]")
    local one = "conversations/" .. id
    call("GET " .. one, nil, 200, "conversation")
    call("PUT " .. one, { title = "U" }, 200, "conversation")
    call("PUT " .. one .. "/mode", { mode = "ai" }, 200, "conversation")
    call("POST " .. one .. "/send-manual-message", { message = "x" }, 400, "error")
    local place = call("POST " .. one .. "/message-files/upload-url", { fileName = "a",
      contentType = "text/plain" }, 200, "upload")
    local answer = call("POST " .. one .. "/messages", { message = "Hello", files = { {
      fileName = "a", storagePath = place.storagePath } } }, 201, "message")
    local messages = call("GET " .. one .. "/messages", nil, 200, "messages").messages
    assert.equal(messages[1].id, messages[1].conversationMessageId) -- a question carries its own
    assert.equal(messages[1].id, answer.conversationMessageId)
    call("GET " .. one .. "/message-files/" .. messages[1].files[1].id .. "/signed-url", nil, 200,
      "download")
    local question = call("POST " .. one .. "/messages/async", { message = "Later" }, 201,
      "message")
    assert.equal("conversation_user", question.senderRole)
    call("GET " .. one .. "/messages/" .. question.id .. "/response-on", nil, 200, "answer")
    call("PUT " .. one .. "/mode", { mode = "manual" }, 200, "conversation")
    call("POST " .. one .. "/send-manual-message", { message = "x" }, 200, "message")
    call("POST conversation-message-feedbacks", { conversationMessageId = answer.id, userId = "u",
      voteType = "up", question = "q" }, 201, "stored_feedback")
    assert.equal(1, #call("GET " .. one, nil, 200, "conversation").feedbacks)
    assert.equal(1, call("GET conversations?withFeedbacksOnly=true", nil, 200,
      "conversations").totalItems)

    local limits = "users/" .. user.id .. "/limits"
    call("GET " .. limits, nil, 404, "error")
    call("POST " .. limits, LIMITS, 201, "user_limits")
    call("PUT " .. limits, LIMITS, 200, "user_limits")
    call("GET " .. limits, nil, 200, "user_limits")
    call("DELETE " .. limits, nil, 200, "")
    call("POST agents/limits", LIMITS, 201, "agent_limits")
    call("PUT agents/limits", { smsAmountPerMonth = 9 }, 200, "agent_limits")
    call("DELETE agents/limits", nil, 200, "")
    call("POST resource-usage", { type = "OPENAI_TOKENS", amount = 1.5 }, 201, "")
    assert.equal(1.5, call("GET agents/limits", nil, 200, "usage").tokensAmount)

    call("POST prompts", { prompt = "?" }, 200, "prompt")
    local prompt = call("POST prompts/async", { prompt = "?" }, 200, "prompt_id").promptId
    local line = "GET prompts/" .. prompt .. "/response-on"
    while call(line, nil, 200, "prompt?") == cjson.null do require "raia".sleep(0.02) end
    call("POST prompts/upload-url", { fileName = "a", contentType = "b" }, 200, "upload")
    call("GET agents/by-api-key", nil, 200, "agent")
    call("GET agents/users", nil, 200, "users")
    call("GET agents/statistic", nil, 200, "statistic")
    call("POST agents/webhooks", { title = "t", description = "d", url = "https://e",
      triggerCondition = "manual" }, 201, "webhook")
    call("POST agents/webhooks", { title = "t", description = "d", url = "http://e",
      triggerCondition = "manual" }, 400, "error")
    call("GET agent-files/by-api-key", nil, 200, "[agent_file]")
    call("DELETE agent-files", { fileIds = {} }, 200, "")
    call("DELETE agent-files/none/delete", nil, 404, "error")
    call("DELETE users/" .. user.id, nil, 204, "")
    call("DELETE conversations", { conversationUserId = user.id }, 204, "")
    call("GET " .. one, nil, 404, "error")
    call("POST conversations", { title = 5 }, 400, "error")
  end)

  it("gives an agent whole numbers as they are", function()
    local path = os.tmpname()
    local file = assert(io.open(path, "w"))
    file:write [[return function(_, conversation)
      return math.type(conversation.customData.n) .. " " .. math.type(conversation.customData.x)
    end]]
    file:close()
    local other <close> = assert(sandbox.start { agent = path, any_user = true })
    os.remove(path)
    local client <close> = require "raia".client { base_url = other.base_url,
      secret_key = other.secret_key }
    local conversation = assert(client.conversations:create { conversationUserId = "u",
      customData = { n = 3, x = 0.5 } })
    assert.equal("integer float", tostring(conversation:send "?"))
  end)
end)
