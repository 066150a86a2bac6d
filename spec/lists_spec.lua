-- Lists that come in pages, users that are found or created, limits that are set: with the
-- sandbox, and with services that fail.
local cjson = require "cjson"
local raia = require "raia"
local fails = require "spec.support.failure"
local server = require "spec.support.server"
local connect = require "spec.support.client" ()

-- A service with these pages of conversations, whose ids are numbers; `more` comes before each.
local function pages(count, size, more)
  return server.start(([[
    local connection = ...
    local request = connection:request()
    while request do
      local page = tonumber(request.path:match "page=(%%d+)") or 1
      local status = 200
      %s
      local data = {}
      for i = 1, %d do data[i] = ('{"id":"%%d"}'):format((page - 1) * %d + i) end
      connection:reply(status, ('{"currentPage":%%d,"pageSize":%d,"totalItems":9,"totalPages":9,'
        .. '"hasNextPage":%%s,"hasPreviousPage":false,"data":[%%s]}'):format(page, page < %d,
        table.concat(data, ",")))
      request = connection:request()
    end]]):format(more or "", size, size, size, count))
end

local function paths_of(peer)
  local list = {}
  for i, request in ipairs(peer:requests()) do list[i] = request.path end
  return list
end

describe("a page", function()
  it("gives the next one, with the same query and options, and nil after the last", function()
    local peer <close> = pages(3, 2)
    local client <close> = connect(peer)
    local query = { pageSize = 2, userId = "u" }
    local page = assert(client.conversations:list(query, { headers = { ["X-Team"] = "ops" } }))
    query.userId = "another"
    local ids = {}
    while page do
      for _, conversation in ipairs(page.data) do
        assert.matches("^raia.conversation", tostring(conversation))
        ids[#ids + 1] = conversation.id
      end
      page = page:next()
    end
    assert.same({ "1", "2", "3", "4", "5", "6" }, ids)
    for _, request in ipairs(peer:requests()) do
      assert.matches("pageSize=2", request.path)
      assert.matches("userId=u", request.path)
      assert.equal("ops", request.headers["x-team"])
    end
    assert.is_nil(select(2, assert(client.conversations:list { page = 3 }):next()))
  end)

  it("comes by a request, too, and so does the next one", function()
    local peer <close> = pages(2, 1)
    local client <close> = connect(peer)
    local page = assert(client.conversations:list(nil, { wait = false }):wait())
    assert.equal("2", page:next():wait().data[1].id)
    assert.equal("2", page:next({ wait = true }).data[1].id)
    assert.same({ currentPage = 1, pageSize = 1, totalItems = 9, totalPages = 9,
      hasNextPage = true, hasPreviousPage = false, data = { { id = "1" } } },
      { currentPage = page.currentPage, pageSize = page.pageSize, totalItems = page.totalItems,
        totalPages = page.totalPages, hasNextPage = page.hasNextPage,
        hasPreviousPage = page.hasPreviousPage, data = raia.totable(page.data) })
  end)

  it("is an error of kind decode when it is none", function()
    for _, reply in ipairs { "{}", '{"data":{"a":1}}', '{"data":[1]}', '{"data":[{}]}',
      '{"data":[{"id":""}]}', "[]" } do
      local peer <close> = server.start(([[
        local connection = ...
        while connection:request() do connection:reply(200, %q) end]]):format(reply))
      local client <close> = connect(peer)
      fails("decode", client.conversations:list {})
    end
  end)

  it("is refused for a query that cannot be right", function()
    local client <close> = connect("http://127.0.0.1:1")
    for field, value in pairs { page = "2", orderBy = "name", withFeedbacksOnly = "true",
      searchKeyword = 5 } do
      local err = fails("invalid", client.conversations:list { [field] = value })
      assert.equal(field, err.field)
    end
    local err = fails("invalid", client.conversations:list { page_size = 2 })
    assert.matches("did you mean 'pageSize'", err.message)
    assert.error_matches(function() client.conversations:list "all" end, "table expected")
  end)
end)

for way, run in pairs { ["in a plain script"] = function(fn) return fn() end,
  ["in a task"] = raia.run } do
  describe("each, " .. way, function()
    it("goes through all pages, and asks for one ahead", function()
      local peer <close> = pages(3, 2)
      local client <close> = connect(peer)
      run(function()
        local ids, asked = {}, {}
        for conversation in client.conversations:each { pageSize = 2 } do
          ids[#ids + 1] = conversation.id
          raia.sleep(0.1)
          asked[#ids] = #peer:requests()
        end
        assert.same({ "1", "2", "3", "4", "5", "6" }, ids)
        assert.is_true(asked[1] <= 2)
        assert.equal(3, #peer:requests())
      end)
    end)

    it("goes through pages that are empty, and through none", function()
      local peer <close> = pages(3, 0)
      local client <close> = connect(peer)
      run(function()
        for _ in client.conversations:each() do error "an element" end
      end)
      assert.equal(3, #peer:requests())
    end)

    it("raises the error that it meets, with what came before", function()
      local peer <close> = pages(3, 2, "if page == 2 then status = 403 end")
      local client <close> = connect(peer)
      local ids = {}
      local ok, err = pcall(run, function()
        for conversation in client.conversations:each {} do ids[#ids + 1] = conversation.id end
      end)
      assert.is_false(ok)
      assert.equal(403, err.status)
      assert.same({ "1", "2" }, ids)
    end)

    it("leaves nothing behind when its loop is left", function()
      local peer <close> = pages(3, 2, "if page == 2 then connection:wait_close(60) return end")
      local client <close> = connect(peer)
      run(function()
        for conversation in client.conversations:each {} do
          if conversation then break end
        end
      end)
      assert.equal(0, (raia.step(0)))
    end)
  end)
end

describe("with the sandbox,", function()
  local box, client

  setup(function()
    box = assert(require "raia.sandbox".start {})
    client = raia.client { base_url = box.base_url, secret_key = box.secret_key }
  end)
  teardown(function()
    client:close()
    box:close()
  end)

  it("a user is created, found again by any key, and deleted", function()
    local fields = { firstName = "Ada", lastName = "Byron", fkId = "k-1",
      email = "ada@example.com", phoneNumber = "+15551234567", customData = { a = { 1 } } }
    local user, ids = assert(client.users:find_or_create(fields))
    assert.same({}, ids)
    assert.equal("Ada", user.firstName)
    assert.same({ a = { 1 } }, user.metadata.customData)
    local conversation = assert(client.conversations:create { conversationUserId = user.id })
    for _, name in ipairs { "fkId", "email", "phoneNumber" } do
      local again
      again, ids = assert(client.users:find_or_create {
        firstName = "A", lastName = "B", [name] = fields[name] })
      assert.equal(user, again)
      assert.same({ conversation.id }, ids)
    end
    assert.equal(user, assert(client.users:get(user.id)))
    local page = assert(user:conversations())
    assert.equal(conversation, page.data[1])
    assert.equal(1, page.totalItems)
    assert.equal(400, fails("http", client.users:create(fields)).status)
    assert.is_true(client.users:delete(user))
    assert.equal(404, fails("http", client.users:get(user.id)).status)
    assert.equal(404, fails("http", client.users:search { fkId = "k-1" }).status)
  end)

  it("one of the keys is needed, and the number is a number unless it is not to be checked",
    function()
      local err = fails("invalid", client.users:create { firstName = "A", lastName = "B" })
      assert.matches("fkId is required, or email, or phoneNumber", err.message)
      fails("invalid", client.users:search {})
      err = fails("invalid", client.users:create { firstName = "A", lastName = "B",
        phoneNumber = "12" })
      assert.equal("phoneNumber", err.field)
      assert(client.users:create { firstName = "A", lastName = "B", phoneNumber = "12",
        skipPhoneNumberValidation = true })
    end)

  it("a user that nobody has created begins no conversation", function()
    local err = fails("http", client.conversations:create { conversationUserId = "ada" })
    assert.equal(404, err.status)
  end)

  it("limits are set whether there are any or not", function()
    local limits = { tokensAmountPerMonth = 1, smsAmountPerMonth = 2, emailsAmountPerMonth = 3,
      secondsAmountPerMonth = 4 }
    local user = assert(client.users:find_or_create { firstName = "L", lastName = "", fkId = "l" })
    for _, owner in ipairs { user, client.agent } do
      for tokens = 1, 2 do
        limits.tokensAmountPerMonth = tokens
        local set = assert(owner:set_limits(limits))
        assert.equal(tokens, set.tokensAmountPerMonth)
      end
      assert.is_true(owner:delete_limits())
    end
    assert.equal(404, fails("http", user:limits()).status)
  end)

  it("a question is answered later, and a prompt", function()
    local user = assert(client.users:find_or_create { firstName = "Q", lastName = "", fkId = "q" })
    local conversation = assert(client.conversations:create { conversationUserId = user.id })
    assert.equal("You said: Why?", tostring(conversation:ask("Why?", { every = 0.05 })))
    assert.equal("You said: Why?", tostring(conversation:find_answer("Why?")))
    assert.equal("You said: 2 + 2?", assert(client.prompts:ask "2 + 2?").response)
    local id = assert(client.prompts:ask_async "And 3?")
    local reply = client.prompts:answer_to(id)
    while reply == false do
      raia.sleep(0.05)
      reply = client.prompts:answer_to(id)
    end
    assert.equal("You said: And 3?", reply.response)
  end)

  it("a person takes over", function()
    local user = assert(client.users:find_or_create { firstName = "M", lastName = "", fkId = "m" })
    local conversation = assert(client.conversations:create { conversationUserId = user.id })
    assert.equal(400, fails("http", conversation:send_manual "I am Eve").status)
    assert.equal(conversation, conversation:set_mode "manual")
    assert.equal("manual", conversation.mode)
    assert.equal("manual_assistant", assert(conversation:send_manual "I am Eve").senderRole)
    assert.equal("T", assert(conversation:update { title = "T" }).title)
    assert.equal("T", conversation.title)
  end)
end)

describe("what a program gets wrong", function()
  local client, conversation

  setup(function()
    client = connect("http://127.0.0.1:1")
    conversation = client:conversation "c-1"
  end)
  teardown(function() client:close() end)

  local function raises(words, fn)
    local ok, message = pcall(fn)
    assert.is_false(ok)
    assert.is_truthy(message:find(words, 1, true), message)
    assert.matches("^spec/lists_spec.lua:", message)
  end

  it("is raised where it was called", function()
    raises("calling 'ask' on bad self (raia.conversation expected, got string)",
      function() conversation.ask("x") end)
    raises("calling 'set_limits' on bad self (raia.agent expected, got nil)",
      function() client.agent.set_limits() end)
    raises("calling 'each' on bad self (raia.conversations expected, got userdata)",
      function() client.conversations.each(client.users) end)
    raises("#1 to 'ask' (string or table expected, got nil)", function() conversation:ask() end)
    raises("#1 to 'find_answer' (string expected, got table)",
      function() conversation:find_answer {} end)
    raises("#1 to 'each' (table or nil expected, got number)",
      function() client.conversations:each(5) end)
    raises("#1 to 'find_or_create' (table expected, got nil)",
      function() client.users:find_or_create() end)
    raises("#1 to 'set_limits' (table expected, got nil)",
      function() client.agent:set_limits() end)
    raises("#1 to 'download' (string expected, got nil)", function() conversation:download() end)
    raises("option 'timeout' must be positive", function()
      conversation:ask("x", { timeout = -1 })
    end)
    raises("option 'every' must be positive", function() conversation:watch { every = 0 } end)
  end)

  it("is an id of another kind of object", function()
    raises("string or raia.user expected, got raia.conversation",
      function() client.users:get(conversation) end)
    raises("string or raia.message expected, got raia.conversation",
      function() conversation:answer_to(conversation) end)
    raises("string or raia.conversation expected, got table",
      function() client.conversations:get {} end)
    raises("string expected, got raia.conversation",
      function() client.files:delete(conversation) end)
  end)
end)

describe("find_or_create", function()
  it("finds the user that somebody else has created meanwhile", function()
    local peer <close> = server.start(([[
      local connection = ...
      local request = connection:request()
      while request do
        searches = (searches or 0) + (request.method == "GET" and 1 or 0)
        if request.method == "POST" then
          connection:reply(400, '{"status":400,"message":"User already exists"}')
        elseif searches == 1 then
          connection:reply(404, "{}")
        else
          connection:reply(200, %q)
        end
        request = connection:request()
      end]]):format(cjson.encode { user = { id = "u-1" }, conversationIds = { "c-1" } }))
    local client <close> = connect(peer)
    local user, ids = assert(client.users:find_or_create { firstName = "A", lastName = "B",
      fkId = "a&b" })
    assert.equal("u-1", user.id)
    assert.same({ "c-1" }, ids)
    assert.same({ "/external/users/search?fkId=a%26b", "/external/users",
      "/external/users/search?fkId=a%26b" }, paths_of(peer))
  end)

  it("creates nobody when it cannot search", function()
    local peer <close> = server.start [[
      local connection = ...
      while connection:request() do connection:reply(403, "{}") end]]
    local client <close> = connect(peer)
    local err = fails("http", client.users:find_or_create { firstName = "A", lastName = "B",
      fkId = "k" })
    assert.equal("GET", err.method)
    assert.equal(1, #peer:requests())
  end)
end)
