-- Part of the API beyond the first six operations, a row each: what goes over the wire with all
-- fields and with the least, what becomes of the reply, and of an error; blocking and in a task.
local cjson = require "cjson"
local raia = require "raia"
local server = require "spec.support.server"
local connect = require "spec.support.client" ()

local C, U = "/external/conversations", "/external/users"

local USER = { id = "u-1", firstName = "Ada", lastName = "Byron", isAnonymized = false }
local CONVERSATION = { id = "c-1", conversationUserId = "u-1", title = "Engines" }
local MESSAGE = { id = "m-1", message = "Hello", conversationId = "c-1", senderRole = "assistant" }
local LIMITS = { tokensAmountPerMonth = 1000, smsAmountPerMonth = 10, emailsAmountPerMonth = 20,
  secondsAmountPerMonth = 600 }
local FILES = { { fileName = "a.pdf", storagePath = "s/a.pdf" } }
local PLACE = { signedUrl = "https://example.com/y?s=1", storagePath = "s/y" }
local ANSWER = { message = "Hi", context = "c", files = FILES }

local function page(list)
  return { currentPage = 1, pageSize = 10, totalItems = #list, totalPages = 1,
    hasNextPage = false, hasPreviousPage = false, data = list }
end

-- Checks of results.
local function is(class, id)
  return function(value)
    assert.matches("^raia." .. class .. " ", tostring(value))
    assert.equal(id, value.id)
  end
end
local function message(value) assert.equal("Hello", tostring(value)) end
local function yes(value) assert.is_true(value) end
local function same(expected) return function(value) assert.same(expected, value) end end

-- name, HTTP method, path, { all arguments }, { the least }, status, reply, check. What is sent is
-- the arguments' first: as the body, or as the query.
local rows = {
  { "conversations:list", "GET", C, query = true, { { page = 2, pageSize = 50,
      orderBy = "createdAt", orderDirection = "ASC", searchKeyword = "a b", userId = "u-1",
      startDate = "2026-01-01",
      endDate = "2026-12-31", withFeedbacksOnly = true } }, {}, 200, page { CONVERSATION },
    function(got)
      assert.equal(1, got.totalItems)
      is("conversation", "c-1")(got.data[1])
      assert.is_nil(got:next())
    end },
  { "conversations:states", "GET", C .. "/states", {}, {}, 200, { { id = "s-1", name = "Open" } },
    same { { id = "s-1", name = "Open" } } },
  { "conversations:states", "GET", C .. "/states", {}, {}, 200, { id = "s-1", name = "Open" },
    same { { id = "s-1", name = "Open" } } },
  { "conversation:update", "PUT", C .. "/c-1", { { title = "T", context = "c", status = "archived",
      conversationStateId = "s-1" } }, { {} }, 200, CONVERSATION, is("conversation", "c-1") },
  { "conversation:set_mode", "PUT", C .. "/c-1/mode", { { mode = "manual" } }, { { mode = "ai" } },
    200, CONVERSATION, is("conversation", "c-1") },
  { "conversation:send", "POST", C .. "/c-1/messages", { ANSWER }, { { message = "" } }, 201,
    MESSAGE, message },
  { "conversation:send_async", "POST", C .. "/c-1/messages/async", { ANSWER },
    { { message = "Hi" } }, 201, MESSAGE, message },
  { "conversation:answer_to", "GET", C .. "/c-1/messages/m-1/response-on", { "m-1" }, { "m-1" },
    200, { status = "completed", message = MESSAGE }, message },
  { "conversation:answer_to", "GET", C .. "/c-1/messages/m-1/response-on", { "m-1" }, { "m-1" },
    200, { status = "pending" }, same(false) },
  { "conversation:answer_to", "GET", C .. "/c-1/messages/m-1/response-on", { "m-1" }, { "m-1" },
    200, { status = "on its way" }, same(false) },
  { "conversation:send_manual", "POST", C .. "/c-1/send-manual-message", { { message = "I am Eve",
      conversationMessageId = "m-0", authorId = "a-1", files = FILES } }, { { message = "Hi" } },
    200, MESSAGE, message },
  { "conversation:upload_url", "POST", C .. "/c-1/message-files/upload-url",
    { { fileName = "a.pdf", contentType = "application/pdf" } },
    { { fileName = "a", contentType = "b" } }, 200, PLACE, same(PLACE) },
  { "conversation:signed_url", "GET", C .. "/c-1/message-files/f%2f1/signed-url", { "f/1" },
    { "f/1" }, 200, { signedUrl = "https://x/y", fileId = "f/1" },
    same { signedUrl = "https://x/y", fileId = "f/1" } },
  { "users:create", "POST", U, { { firstName = "Ada", lastName = "Byron", context = "c",
      source = "CRM", fkId = "k-1", fkUserId = "k-2", customData = { a = 1 },
      email = "ada@example.com", phoneNumber = "+15551234567", skipPhoneNumberValidation = true,
      skipEmailValidation = true } }, { { firstName = "", lastName = "", fkId = "k" } }, 201, USER,
    is("user", "u-1") },
  { "users:search", "GET", U .. "/search", query = true, { { fkId = "k-1" } },
    { { email = "a@b" } }, 200, { user = USER, conversationIds = { "c-1", "c-2" } },
    function(user, ids)
      is("user", "u-1")(user)
      assert.same({ "c-1", "c-2" }, ids)
    end },
  { "users:get", "GET", U .. "/u-1", { "u-1" }, { "u-1" }, 200, USER, is("user", "u-1") },
  { "users:delete", "DELETE", U .. "/u-1", { "u-1" }, { "u-1" }, 204, nil, yes },
  { "user:limits", "GET", U .. "/u-1/limits", {}, {}, 200, LIMITS, same(LIMITS) },
  { "user:create_limits", "POST", U .. "/u-1/limits", { LIMITS }, { LIMITS }, 201, LIMITS,
    same(LIMITS) },
  { "user:update_limits", "PUT", U .. "/u-1/limits", { LIMITS }, { LIMITS }, 200, LIMITS,
    same(LIMITS) },
  { "user:delete_limits", "DELETE", U .. "/u-1/limits", {}, {}, 200, nil, yes },
  { "prompts:ask", "POST", "/external/prompts", { { prompt = "2 + 2?", tokenTrackingId = "t",
      files = FILES } }, { { prompt = "?" } }, 200,
    { status = "completed", response = "4", totalTokens = 3 },
    same { status = "completed", response = "4", totalTokens = 3 } },
  { "prompts:ask_async", "POST", "/external/prompts/async", { { prompt = "2 + 2?",
      tokenTrackingId = "t", files = FILES } }, { { prompt = "?" } }, 200, { promptId = "p-1" },
    same "p-1" },
  { "prompts:answer_to", "GET", "/external/prompts/p-1/response-on", { "p-1" }, { "p-1" }, 200,
    { status = "completed", response = "4" }, same { status = "completed", response = "4" } },
  { "prompts:answer_to", "GET", "/external/prompts/p-1/response-on", { "p-1" }, { "p-1" }, 200,
    cjson.null, same(false) },
  { "prompts:answer_to", "GET", "/external/prompts/p-1/response-on", { "p-1" }, { "p-1" }, 200,
    { status = "pending" }, same(false) },
  { "prompts:upload_url", "POST", "/external/prompts/upload-url",
    { { fileName = "a.pdf", contentType = "application/pdf" } },
    { { fileName = "a", contentType = "b" } }, 200, PLACE, same(PLACE) },
  { "agent:get", "GET", "/external/agents/by-api-key", {}, {}, 200, { id = "a-1", name = "Mindy" },
    same { id = "a-1", name = "Mindy" } },
  { "agent:users", "GET", "/external/agents/users", query = true, { { page = 1, pageSize = 5,
      orderBy = "createdAt", orderDirection = "DESC" } }, {}, 200, page { USER },
    function(got) is("user", "u-1")(got.data[1]) end },
  { "agent:users", "GET", "/external/agents/users", {}, {}, 200, { id = "a-1" },
    same { id = "a-1" } },
  { "agent:statistic", "GET", "/external/agents/statistic", query = true,
    { { startDate = "2026-01-01", endDate = "2026-02-01", fkId = "k", fkUserId = "l",
      userId = "u-1", conversationUserId = "u-2" } }, {}, 200, { tokensUsed = 3 },
    same { tokensUsed = 3 } },
  { "agent:create_webhook", "POST", "/external/agents/webhooks", { { title = "T",
      description = "D", url = "https://example.com/hook", triggerCondition = "each_message",
      headers = { ["X-Secret"] = "s" } } }, { { title = "T", description = "D", url = "https://e",
      triggerCondition = "manual" } }, 201, { id = "w-1" }, same { id = "w-1" } },
  { "agent:usage", "GET", "/external/agents/limits", {}, {}, 200, { smsAmount = 3 },
    same { smsAmount = 3 } },
  { "agent:create_limits", "POST", "/external/agents/limits", { LIMITS }, { LIMITS }, 201, LIMITS,
    same(LIMITS) },
  { "agent:update_limits", "PUT", "/external/agents/limits", { LIMITS },
    { { smsAmountPerMonth = 1 } }, 200, LIMITS, same(LIMITS) },
  { "agent:delete_limits", "DELETE", "/external/agents/limits", {}, {}, 200, nil, yes },
  { "files:list", "GET", "/external/agent-files/by-api-key", {}, {}, 200, { { id = "f-1" } },
    same { { id = "f-1" } } },
  { "files:delete", "DELETE", "/external/agent-files/f-1/delete", { "f-1" }, { "f-1" }, 200, nil,
    yes },
  { "files:delete_many", "DELETE", "/external/agent-files", { { fileIds = { "f-1", "f-2" } } },
    { { fileIds = {} } }, 200, nil, yes },
  { "files:add_to_store", "PUT", "/external/agent-files/f-1/add-to-vector-store", { "f-1" },
    { "f-1" }, 200, nil, yes },
  { "files:add_to_store_async", "PUT", "/external/agent-files/f-1/add-to-vector-store/async",
    { "f-1" }, { "f-1" }, 200, nil, yes },
  { "files:remove_from_store", "DELETE", "/external/agent-files/f-1/delete-from-vector-store",
    { "f-1" }, { "f-1" }, 200, nil, yes },
  { "usage:record", "POST", "/external/resource-usage", { { type = "OPENAI_TOKENS",
      amount = 12.5 } }, { { type = "VAPI_SECONDS", amount = 1 } }, 201, nil, yes },
  { "feedbacks:create", "POST", "/external/conversation-message-feedbacks",
    { { conversationMessageId = "m-1", userId = "u-1", voteType = "up", question = "q",
      answer = "a", comment = "c" } }, { { conversationMessageId = "m-1", userId = "u-1",
      voteType = "down", question = "q" } }, 201, { id = "f-1" }, same { id = "f-1" } },
}

local function decode(hex) return string.char(tonumber(hex, 16)) end

local function read_query(query)
  local result = {}
  for name, value in (query or ""):gmatch "([^&=]+)=([^&]*)" do
    result[name:gsub("%%(%x%x)", decode)] = value:gsub("%%(%x%x)", decode)
  end
  return result
end

local function as_text(query)
  local result = {}
  for name, value in pairs(query or {}) do result[name] = tostring(value) end
  return result
end

-- Calls a method on the object that has it.
local function call(client, owner, method, arguments)
  local object = owner == "conversation" and client:conversation "c-1"
    or owner == "user" and assert(client.users:get "u-1") or client[owner]
  return object[method](object, arguments[1])
end

-- A server whose users can be got, and that gives the reply to anything else.
local function serve_row(row, status, body)
  local reply = body == nil and "" or cjson.encode(body)
  return server.start(([[
    local connection = ...
    local request = connection:request()
    while request do
      if request.method == "GET" and request.path == "/external/users/u-1"
        and %q ~= request.path then
        connection:reply(200, %q)
      else
        connection:reply(%d, %q)
      end
      request = connection:request()
    end]]):format(row[3], cjson.encode(USER), status, reply))
end

for number, row in ipairs(rows) do
  local owner, method = row[1]:match "(%a+):([%a_]+)"
  describe(("%s (%d)"):format(row[1], number), function()
    -- Makes the call, and checks the request that came and the result.
    local function check(arguments, in_task)
      local peer <close> = serve_row(row, row[6], row[7])
      local client <close> = connect(peer)
      local results
      local function go() results = table.pack(call(client, owner, method, arguments)) end
      if in_task then raia.run(go) else go() end
      assert.is_nil(results[1] == nil and results[2] or nil)
      row[8](table.unpack(results, 1, results.n))
      local requests = peer:requests()
      local request = requests[#requests]
      assert.equal(row[2], request.method)
      local path, query = request.path:match "^([^?]*)%??(.*)$"
      assert.equal(row[3], path)
      if row.query then
        assert.same(as_text(arguments[1]), read_query(query))
        assert.equal("", request.body)
      else
        assert.equal("", query)
        local body = type(arguments[1]) == "table" and arguments[1] or nil
        if body then
          assert.same(body, cjson.decode(request.body))
        else
          assert.equal("", request.body)
        end
      end
    end

    it("sends all fields, and the least", function()
      check(row[4])
      check(row[5])
    end)

    it("does the same in a task", function() check(row[4], true) end)

    it("gives the server's error", function()
      local peer <close> = serve_row(row, 404, { status = 404, name = "ENTITY_NOT_FOUND_ERROR",
        message = "ENTITY_NOT_FOUND", details = {} })
      local client <close> = connect(peer)
      local result, text, err = call(client, owner, method, row[4])
      assert.is_nil(result)
      assert.matches("^" .. owner .. ":" .. method .. ": HTTP 404 ENTITY_NOT_FOUND", text)
      assert.equal(404, err.status)
    end)
  end)
end
