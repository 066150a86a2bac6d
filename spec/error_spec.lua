-- Errors: nil, message, err for each way a call can fail.
local certificates = require "spec.support.certificates"
local cjson = require("cjson").new()
local run = require("spec.support.run").run
local server = require "spec.support.server"

local CONVERSATIONS = "/external/conversations"
local HOLD = "local connection = ...; connection:request(); connection:wait_close(60)"
local DROP = "local connection = ...; connection:request()"

local FIELDS = { "kind", "message", "status", "code", "details", "request_id", "sent", "retryable",
  "retry_after", "attempts", "method", "path", "host", "body", "field" }
for _, name in ipairs(FIELDS) do FIELDS[name] = true end

-- A server that gives every request the same reply.
local function replying(status, body, headers)
  local words = {}
  for name, value in pairs(headers or {}) do
    words[#words + 1] = ("[%q] = %q"):format(name, value)
  end
  return server.start(([[
    local connection = ...
    while connection:request() do connection:reply(%d, %q, { %s }) end]]):format(
      status, body or "", table.concat(words, ", ")))
end

local connect = require "spec.support.client" ()

-- That a call has failed as documented; gives err and message.
local function failure(kind, ...)
  local result, message, err = ...
  assert.equal(3, select("#", ...))
  assert.is_nil(result)
  assert.is_string(message)
  assert.is_table(err)
  assert.equal(kind, err.kind)
  assert.equal(message, err.message)
  assert.equal(message, tostring(err))
  for name in pairs(err) do assert.is_true(FIELDS[name], name) end
  assert.is_boolean(err.retryable)
  assert.equal("integer", math.type(err.attempts))
  assert.is_true(err.sent == "no" or err.sent == "maybe")
  assert.is_string(err.method)
  assert.is_string(err.path)
  return err, message
end

local calls = {
  ["conversations:start"] = { "POST", CONVERSATIONS .. "/start", function(client)
    return client.conversations:start { channel = "sms", firstName = "Ada", lastName = "Byron",
      phoneNumber = "+15551234567", smsIntroduction = "Hi" }
  end },
  ["conversations:create"] = { "POST", CONVERSATIONS, function(client)
    return client.conversations:create { conversationUserId = "u" }
  end },
  ["conversations:get"] = { "GET", CONVERSATIONS .. "/c-1", function(client)
    return client.conversations:get("c-1")
  end },
  ["conversations:delete_all"] = { "DELETE", CONVERSATIONS, function(client)
    return client.conversations:delete_all("u")
  end },
  ["conversation:send"] = { "POST", CONVERSATIONS .. "/c-1/messages", function(client)
    return client:conversation("c-1"):send("Hello")
  end },
  ["conversation:messages"] = { "GET", CONVERSATIONS .. "/c-1/messages", function(client)
    return client:conversation("c-1"):messages()
  end },
  ["conversation:refresh"] = { "GET", CONVERSATIONS .. "/c-1", function(client)
    return client:conversation("c-1"):refresh()
  end },
  ["client:request"] = { "PATCH", "/external/x", function(client)
    return client:request("PATCH", "/external/x", { body = {}, query = { a = 1 } })
  end },
}

local function get(client) return client:request("GET", "/x") end
local function post(client) return client:request("POST", "/x", { body = {} }) end

describe("a failure of", function()
  for name, call in pairs(calls) do
    it(name .. " says which call it was", function()
      local url = "http://127.0.0.1:" .. server.dead_port()
      local err, message = failure("connection", call[3](connect(url)))
      assert.equal(call[1], err.method)
      assert.equal(call[2], err.path)
      assert.is_truthy(message:find(name, 1, true), message)
    end)
  end

  local made

  setup(function() made = certificates() end)
  teardown(function() made.remove() end)

  -- the fields of err that are known beforehand, and how it comes about
  local cases = {
    ["kind invalid"] = { { kind = "invalid", sent = "no", attempts = 0, retryable = false,
      field = "conversationUserId", method = "POST", path = CONVERSATIONS }, function()
      return connect("http://127.0.0.1:1").conversations:create {}
    end },
    ["kind connection, with none"] = { { kind = "connection", sent = "no", attempts = 1,
      retryable = true, method = "POST", path = "/x" }, function()
      return post(connect("http://127.0.0.1:" .. server.dead_port()))
    end },
    ["kind connection, after a GET"] = { { kind = "connection", sent = "maybe", attempts = 1,
      retryable = true, method = "GET", path = "/x" }, function()
      local peer <close> = server.start(DROP)
      return get(connect(peer))
    end },
    ["kind connection, after a POST"] = { { kind = "connection", sent = "maybe", attempts = 1,
      retryable = false, method = "POST", path = "/x" }, function()
      local peer <close> = server.start(DROP)
      return post(connect(peer))
    end },
    ["kind timeout, of a GET"] = { { kind = "timeout", sent = "maybe", attempts = 1,
      retryable = true }, function()
      local peer <close> = server.start(HOLD)
      return get(connect(peer, { timeout = 1 }))
    end },
    ["kind timeout, of a POST"] = { { kind = "timeout", sent = "maybe", attempts = 1,
      retryable = false }, function()
      local peer <close> = server.start(HOLD)
      return post(connect(peer, { timeout = 1 }))
    end },
    ["kind tls"] = { { kind = "tls", sent = "no", attempts = 1, retryable = false }, function()
      local peer <close> = server.start(HOLD, { tls = made.good })
      return get(connect(peer, { max_retries = 2 }))
    end },
    ["kind http"] = { { kind = "http", sent = "no", attempts = 1, retryable = false,
      status = 404, body = "{}" }, function()
      local peer <close> = replying(404, "{}")
      return get(connect(peer, { max_retries = 2 }))
    end },
    ["kind http that a further attempt may mend"] = { { kind = "http", sent = "maybe",
      attempts = 2, retryable = true, status = 503, retry_after = 1 }, function()
      local peer <close> = replying(503, "", { ["Retry-After"] = "1" })
      return get(connect(peer, { max_retries = 1 }))
    end },
    ["kind http, of a POST that may have been carried out"] = { { kind = "http", sent = "maybe",
      attempts = 1, retryable = false, status = 503 }, function()
      local peer <close> = replying(503)
      return post(connect(peer, { max_retries = 2 }))
    end },
    ["kind http, of a POST that was turned away"] = { { kind = "http", sent = "no", attempts = 2,
      retryable = true, status = 429 }, function()
      local peer <close> = replying(429)
      return post(connect(peer, { max_retries = 1 }))
    end },
    ["kind decode"] = { { kind = "decode", sent = "maybe", attempts = 1, retryable = false,
      body = "<html>" }, function()
      local peer <close> = replying(200, "<html>")
      return get(connect(peer, { max_retries = 2 }))
    end },
    ["kind too_large"] = { { kind = "too_large", sent = "maybe", attempts = 1,
      retryable = false }, function()
      local peer <close> = replying(200, '{"a":"' .. ("b"):rep(1000) .. '"}')
      return get(connect(peer, { max_retries = 2, max_response_bytes = 500 }))
    end },
    ["kind cancelled"] = { { kind = "cancelled", retryable = false }, function()
      local peer <close> = server.start(HOLD)
      local request = connect(peer):request("GET", "/x", nil, { wait = false })
      request:cancel()
      return request:wait()
    end },
    ["kind closed"] = { { kind = "closed", sent = "no", attempts = 0, retryable = false },
      function()
        local client = connect("http://127.0.0.1:1")
        client:close()
        return get(client)
      end },
  }
  for name, case in pairs(cases) do
    it(name .. " has these fields", function()
      local err = failure(case[1].kind, case[2]())
      for field, value in pairs(case[1]) do assert.equal(value, err[field], field) end
      if err.kind ~= "http" and err.kind ~= "decode" then
        for _, field in ipairs { "status", "code", "details", "request_id" } do
          assert.is_nil(err[field], field)
        end
      end
    end)
  end

  it("any call can be given to Lua's assert, which raises the message", function()
    local peer <close> = replying(403, '{"message":"INVALID_CREDENTIALS"}')
    local output = run("lua5.4 -", { RAIA_LOG = false }, ([[
      local client = require "raia".client { secret_key = "k", base_url = %q }
      local function get() return client.conversations:get("c-1") end
      local ok, value = pcall(function() return assert(get()) end)
      local _, message = get()
      print(ok, value:sub(-#message) == message)
      error((select(3, get())))]]):format(peer.base_url))
    assert.matches("^false\ttrue\nlua5.4: conversations:get: HTTP 403 INVALID_CREDENTIALS", output)
  end)
end)

describe("an answer of the server's that is", function()
  local function body_of(status, name, message, details)
    return cjson.encode { status = status, name = name, message = message, details = details }
  end
  local DETAILS = { { field = "title", message = "too long" }, { field = "context" } }
  local PAGE = "<html><body><h1>502 Bad Gateway</h1></body></html>"

  -- status, body, headers, code, details, a word of the message
  local cases = {
    { "400 with details", 400, body_of(400, "BadRequestError", "title is too long", DETAILS), {},
      code = "BadRequestError", details = DETAILS, says = "title is too long" },
    { "401", 401, body_of(401, "UnauthorizedError", "who are you?"), {},
      code = "UnauthorizedError", says = "who are you?" },
    { "403", 403, body_of(403, "ForbiddenError", "INVALID_CREDENTIALS", {}), {},
      code = "INVALID_CREDENTIALS", details = {}, says = "INVALID_CREDENTIALS" },
    { "404", 404, body_of(404, "NotFoundError", "ENTITY_NOT_FOUND", {}), {},
      code = "ENTITY_NOT_FOUND", details = {}, says = "ENTITY_NOT_FOUND" },
    { "403 with a NUL behind a name", 403, body_of(403, nil, "NAME\0\27[31m"), {},
      says = "NAME\\x00\\x1b[31m" },
    { "422", 422, body_of(422, nil, "cannot be processed", DETAILS), {}, details = DETAILS,
      says = "cannot be processed" },
    { "429", 429, body_of(429, "TooManyRequests", "slow down"), {}, code = "TooManyRequests",
      says = "slow down" },
    { "429 with a time", 429, "", { ["Retry-After"] = "90" }, retry_after = 90, says = "429" },
    { "429 with nonsense for a time", 429, "", { ["Retry-After"] = "soon" }, says = "429" },
    { "500", 500, body_of(500, nil, "Internal server error"), {},
      says = "Internal server error" },
    { "502 of a proxy", 502, PAGE, { ["Content-Type"] = "text/html" }, says = "502" },
    { "503 without a body", 503, "", {}, says = "503" },
    { "504 of a proxy", 504, PAGE, { ["Content-Type"] = "text/html" }, says = "504" },
    { "403 with an id", 403, "", { ["X-Request-Id"] = "req-17" }, request_id = "req-17",
      says = "403" },
    { "400 as a problem", 400, body_of(400, "X", "bad"), { ["Content-Type"] =
      "application/problem+json; charset=utf-8" }, code = "X", says = "bad" },
    { "418 which nobody expects", 418, "", {}, says = "418" },
  }
  for _, case in ipairs(cases) do
    it(case[1] .. " is an error with what it says", function()
      local _, status, body, headers = table.unpack(case)
      local peer <close> = replying(status, body, headers)
      for _, call in pairs(calls) do
        local client <close> = connect(peer) -- after 429 it would wait with its next call
        local err, message = failure("http", call[3](client))
        assert.equal(status, err.status)
        assert.equal(case.code, err.code)
        assert.same(case.details, err.details)
        assert.equal(case.retry_after, err.retry_after)
        assert.equal(case.request_id, err.request_id)
        assert.equal(case.request_id and "(request " .. case.request_id .. ")",
          message:match "%(request .-%)")
        assert.equal(peer.base_url:match "//(.*)$", err.host)
        assert.equal(body ~= "" and body or nil, err.body)
        assert.is_truthy(message:find(tostring(status), 1, true), message)
        assert.is_truthy(message:find(case.says, 1, true), message)
      end
    end)
  end

  -- Whether the call can have been carried out, the advice (or what it is where it would do no
  -- harm), and the statuses.
  local advices = {
    { "no", "it was refused: check the secret key", 401, 403 },
    { "no", "it was refused: check the request", 400, 404, 405, 413, 415, 422 },
    { "no", "it was refused: the service wants fewer calls, try again later", 429 },
    { "maybe", "redirects are not followed: check base_url", 301, 304, 307, 399 },
    { "maybe", { again = "check the request" }, 402, 406, 409, 410, 411, 418, 423, 451,
      499 },
    { "maybe", { again = "it can be tried again without harm" }, 408, 500, 501, 502, 503, 504,
      505, 599 },
  }
  local HARMLESS = { GET = true, PUT = true, DELETE = true }
  local DOUBTFUL = "it may have been carried out nevertheless: check before you try again"
  for _, row in ipairs(advices) do
    local sent, advice = row[1], row[2]
    for i = 3, #row do
      it(row[i] .. (" has sent %q and says what to do"):format(sent), function()
        local peer <close> = replying(row[i])
        for _, call in pairs(calls) do
          local client <close> = connect(peer)
          local err, message = failure("http", call[3](client))
          assert.equal(sent, err.sent)
          local expected = type(advice) == "string" and advice
            or HARMLESS[err.method] and advice.again or DOUBTFUL
          assert.equal("; " .. expected, message:match "; .*")
        end
      end)
    end
  end

  for _, status in ipairs { 400, 401, 403, 404, 422 } do
    it(status .. " is not asked for again", function()
      local peer <close> = replying(status)
      local client = connect(peer, { max_retries = 2 })
      local count = 0
      for _, call in pairs(calls) do
        failure("http", call[3](client))
        count = count + 1
      end
      assert.equal(count, #peer:requests())
    end)
  end

  it("in no form that was agreed is an error all the same", function()
    for _, body in ipairs { '{"message":5,"name":7,"details":"x"}', '{"message":null,"name":null}',
      '{"message":{"a":1},"name":[],"details":5}', "[]", "[1,2]", "5", '"text"', "null", "true",
      "{", '{"message":"a', ("["):rep(5000), '{"message":""}', '{"name":""}', "\0\0\0", "\xff\xfe",
      '{"details":null}', '{"message":"\\u0000"}' } do
      local peer <close> = replying(400, body)
      local err = failure("http", get(connect(peer)))
      assert.equal(400, err.status)
      assert.equal(body:sub(1, 1024), err.body)
      assert.is_true(err.code == nil or type(err.code) == "string")
      assert.is_true(err.details == nil or type(err.details) == "table")
    end
  end)

  it("longer than 60 seconds to wait ends the call, and err says so", function()
    local peer <close> = replying(503, "", { ["Retry-After"] = "120" })
    local err = failure("http", get(connect(peer, { max_retries = 2 })))
    assert.equal(120, err.retry_after)
    assert.equal(1, err.attempts)
    assert.equal(1, #peer:requests())
  end)

  it("longer than 1 KiB is kept in err.body up to there", function()
    for _, length in ipairs { 1, 1023, 1024, 1025, 100000 } do
      local body = ("\0é1"):rep(length):sub(1, length)
      local peer <close> = replying(400, body)
      assert.equal(body:sub(1, 1024), failure("http", get(connect(peer))).body)
    end
  end)
end)

describe("a redirect", function()
  for _, status in ipairs { 300, 301, 302, 303, 304, 305, 307, 308 } do
    it(status .. " is an error, and nobody follows it", function()
      local other <close> = replying(200, '{"id":"c-1","conversationId":"c-1","messages":[]}')
      for _, place in ipairs { other.base_url .. "/x", "//127.0.0.1:" .. other.port .. "/x",
        "http://localhost:" .. other.port, "/elsewhere", "elsewhere", "?a=b", "",
        "file:///etc/passwd", "https://127.0.0.1:" .. other.port, "ftp://127.0.0.1/x" } do
        local peer <close> = replying(status, "", { Location = place })
        local client = connect(peer, { max_retries = 2 })
        local count = 0
        for _, call in pairs(calls) do
          local err, message = failure("http", call[3](client))
          assert.equal(status, err.status)
          assert.equal(1, err.attempts)
          assert.is_truthy(message:find(tostring(status), 1, true), message)
          count = count + 1
        end
        assert.equal(count, #peer:requests())
      end
      assert.equal(0, other:connections())
    end)
  end
end)

describe("a reply with 200 that is", function()
  local GOOD = '{"id":"c-1","conversationId":"c-1","messages":[]}'
  local readers = { "conversations:start", "conversations:create", "conversations:get",
    "conversation:send", "conversation:messages", "conversation:refresh" }

  -- body, headers
  local cases = {
    ["a page"] = { "<!DOCTYPE html><html><body>Log in</body></html>",
      { ["Content-Type"] = "text/html" } },
    ["a page that says it is JSON"] = { "<html>Log in</html>" },
    ["nothing"] = { "" },
    ["white space"] = { " \n" },
    ["JSON that says it is text"] = { GOOD, { ["Content-Type"] = "text/plain" } },
    ["JSON after a byte order mark"] = { "\xef\xbb\xbf" .. GOOD },
    ["JSON in UTF-16"] = { (GOOD:gsub(".", "%0\0")) },
    ["half of it"] = { GOOD:sub(1, 20) },
    ["all but the end"] = { GOOD:sub(1, -2) },
    ["two of it"] = { GOOD .. GOOD },
    ["a string"] = { '"c-1"' },
    ["a number"] = { "17" },
    ["null"] = { "null" },
    ["an empty object"] = { "{}" },
    ["an array"] = { "[1,2]" },
    ["without what belongs there"] = { '{"title":"Engines"}' },
    ["null where it matters"] = { '{"id":null,"conversationId":null,"messages":null}' },
    ["a number where it matters"] = { '{"id":17,"conversationId":17,"messages":17}' },
    ["an object where it matters"] = { '{"id":{},"conversationId":{},"messages":{"id":"m"}}' },
    ["nested too deep"] = { ("["):rep(200) .. ("]"):rep(200) },
  }
  for name, case in pairs(cases) do
    it(name .. " is an error with an excerpt", function()
      local peer <close> = replying(200, case[1], case[2])
      local client = connect(peer, { max_retries = 2 })
      for i, reader in ipairs(readers) do
        local err, message = failure("decode", calls[reader][3](client))
        assert.equal(i, #peer:requests())
        assert.equal(case[1] ~= "" and case[1]:sub(1, 1024) or nil, err.body)
        local words = case[1]:match("^[%g ]+")
        if words then
          assert.is_truthy(message:find(words:sub(1, 40), 1, true), message)
        end
      end
    end)
  end

  it("a list with something else among its messages is an error", function()
    for _, element in ipairs { "null", "5", '"text"', "true" } do
      local peer <close> = replying(200, '{"messages":[{"id":"m-1"},' .. element .. "]}")
      failure("decode", connect(peer):conversation("c-1"):messages())
    end
  end)

  it("no object is an error of all others", function()
    for _, body in ipairs { '"text"', "17", "null", "true", "false" } do
      local peer <close> = replying(200, body)
      local client = connect(peer)
      for name, call in pairs(calls) do
        if name ~= "client:request" then failure("decode", call[3](client)) end
      end
    end
  end)

  it("a page is no success of conversations:delete_all", function()
    local peer <close> = replying(200, "<html>Log in</html>", { ["Content-Type"] = "text/html" })
    failure("decode", connect(peer).conversations:delete_all("u"))
  end)

  it("no JSON is an error of client:request", function()
    for _, body in ipairs { "<html>", "{", " ", '"text', "17 18", "nul", "True" } do
      local peer <close> = replying(200, body)
      failure("decode", get(connect(peer)))
    end
  end)

  it("JSON without a content type, or of another JSON type, is read", function()
    for _, line in ipairs { "", "Content-Type: application/vnd.api+json\r\n",
      "Content-Type: Application/JSON; charset=utf-8\r\n" } do
      local peer <close> = server.start(([[
        local connection = ...
        connection:request()
        connection:send("HTTP/1.1 200 OK\r\n" .. %q .. "Content-Length: 2\r\n\r\n{}")]]):format(
          line))
      assert.same({}, (assert(get(connect(peer)))))
    end
  end)
end)

describe("what a server says cannot reach a terminal:", function()
  local ESCAPES = "\27[31mred\27]0;title\7\r\n\0\8\127 \u{9b}1m\u{85} \u{1F600}"

  local function harmless(text)
    assert.is_truthy(utf8.len(text), text)
    for _, code in utf8.codes(text) do
      assert.is_true(code >= 32 and (code < 127 or code > 159), code)
    end
  end

  it("its message", function()
    local peer <close> = replying(400, cjson.encode { name = ESCAPES, message = ESCAPES })
    for _, call in pairs(calls) do
      local err, message = failure("http", call[3](connect(peer)))
      harmless(message)
      assert.is_truthy(message:find("red", 1, true), message)
      assert.is_truthy(message:find("\u{1F600}", 1, true), message)
      assert.equal(400, err.status)
    end
  end)

  it("bytes that are no UTF-8", function()
    for _, body in ipairs { "\x9b31m\xff\xfe", "\xc3", "\xed\xa0\x80\xf4\x90\x80\x80", ESCAPES } do
      local peer <close> = replying(200, body)
      local _, message = failure("decode", get(connect(peer)))
      harmless(message)
      local other <close> = replying(400, '{"message":"' .. body:gsub("%c", "") .. '"}')
      _, message = failure("http", get(connect(other)))
      harmless(message)
    end
  end)

  it("its content type", function()
    local peer <close> = replying(200, "{}", { ["Content-Type"] = "text/\27[31mred\x9b" })
    local _, message = failure("decode", get(connect(peer)))
    harmless(message)
  end)

  it("its ids, by tostring of a conversation", function()
    local peer <close> = replying(201, cjson.encode { id = ESCAPES .. ("a"):rep(900) })
    local text = tostring(assert(calls["conversations:create"][3](connect(peer))))
    harmless(text)
    assert.is_true(#text < 500)
  end)

  it("a message of 1 MiB, which is cut", function()
    for _, unit in ipairs { "a", "\u{1F600}", "\27", "\u{9b}" } do
      local body = cjson.encode { message = unit:rep(2 ^ 20 // #unit) }
      local peer <close> = replying(400, body)
      local err, message = failure("http", get(connect(peer)))
      harmless(message)
      assert.is_true(#message < 4096, #message)
      assert.equal(body:sub(1, 1024), err.body)
    end
  end)

  it("a page of 1 MiB, which is cut", function()
    local peer <close> = replying(200, "<html>" .. ("\u{1F600}"):rep(2 ^ 18))
    local err, message = failure("decode", get(connect(peer)))
    harmless(message)
    assert.is_true(#message < 4096, #message)
    assert.equal(1024, #err.body)
  end)
end)
