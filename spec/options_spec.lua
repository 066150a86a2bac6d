-- Options of clients and calls, the environment, headers, ids, paths and base URLs.
local certificates = require "spec.support.certificates"
local cjson = require("cjson").new()
local raia = require "raia"
local calls = require "spec.support.calls"
local run = require("spec.support.run").run
local server = require "spec.support.server"

local KEY = "key-of-the-agent"
local CONVERSATIONS = "/external/conversations"
local NOWHERE = "http://127.0.0.1:1"

local ECHO = [[
  local connection = ...
  local request = connection:request()
  while request do
    connection:reply(200, '{"id":"c-1","conversationId":"c-1","messages":[]}')
    request = connection:request()
  end]]
local SILENT = "local connection = ...; connection:request(); connection:wait_close(60)"

local function with(fields, more)
  local result = {}
  for name, value in pairs(fields) do result[name] = value end
  for name, value in pairs(more or {}) do result[name] = value end
  return result
end

local function client_of(peer, options)
  return raia.client(with({ secret_key = KEY, base_url = peer.base_url, max_retries = 0 },
    options))
end

-- The message of the error that a call raises.
local function raised(call, ...)
  local ok, message = pcall(call, ...)
  assert.is_false(ok)
  assert.is_string(message)
  return message
end

local function mentions(text, word)
  assert.is_truthy(text:find(word, 1, true), ("no %q in %q"):format(word, text))
end

local NAN, HUGE = 0 / 0, math.huge

-- name, what is taken, what is refused
local client_options = {
  { "secret_key", { "k", "~k!", ("k"):rep(4000) }, { 5, true, {}, "a\0b", "kéy" } },
  { "region", { "us", "eu" }, { 5, true, {}, "mars", "US", "" } },
  { "base_url", { NOWHERE, "https://example.com" }, { 5, true, {}, print } },
  { "timeout", { 0.001, 1, 60.5, 300 }, { "5", true, {}, 0, -1, NAN, HUGE, -HUGE } },
  { "connect_timeout", { 0.001, 1, 60.5 }, { "5", true, {}, 0, -1, NAN, HUGE } },
  { "max_retries", { 0, 1, 2.0, 10 }, { "2", true, {}, -1, 0.5, NAN, HUGE, 1e9 } },
  { "max_connections", { 1, 64, 65535 }, { "4", true, {}, 0, -1, 0.5, NAN, HUGE, 65536 } },
  { "max_response_bytes", { 1, 1024, 2 ^ 30 }, { "9", true, {}, 0, -1, 0.5, NAN, HUGE, 1e300 } },
  { "headers", { {}, { ["X-A"] = "1" } }, { "X-A: 1", 5, true, print } },
  { "user_agent", { "bot/2" }, { 5, true, {}, "a\0b" } },
  { "proxy", { "", "http://127.0.0.1:3128" }, { 5, true, {}, "a\0b" } },
  { "ca_file", {}, { 5, true, {}, "a\0b", "/etc/ssl/none.pem" } },
  { "allow_insecure", { true, false }, { "true", 1, {}, print } },
  { "on_event", { print }, { "print", 1, true, {}, setmetatable({}, { __call = print }) } },
}

local call_options = {
  { "timeout", { 0.5, 5 }, { "5", true, {}, 0, -1, NAN, HUGE } },
  { "max_retries", { 0, 3, 1.0 }, { "2", true, {}, -1, 0.5, NAN, HUGE } },
  { "headers", { {}, { ["X-A"] = "1" } }, { "X-A: 1", 5, true, print } },
  { "wait", { true, false }, { "false", 0, {}, print } },
}

describe("an option of a client:", function()
  for _, row in ipairs(client_options) do
    local name, good, bad = table.unpack(row)
    local base = name == "base_url" and {} or { base_url = NOWHERE }
    if name == "region" then base = {} end

    it(name .. " is taken", function()
      for _, value in ipairs(good) do
        local client <close> = raia.client(with(with({ secret_key = KEY }, base),
          { [name] = value }))
        assert.is_userdata(client)
      end
    end)

    it(name .. " is refused, by its name, when it is not what it should be", function()
      for _, value in ipairs(bad) do
        mentions(raised(raia.client, with(with({ secret_key = KEY }, base), { [name] = value })),
          name)
      end
    end)
  end

  it("an unknown one is refused, and the message lists the known", function()
    local message = raised(raia.client, { secret_key = KEY, base_url = NOWHERE, time_out = 5 })
    mentions(message, "'time_out'")
    for _, row in ipairs(client_options) do mentions(message, row[1]) end
  end)

  it("one without a name is refused", function()
    raised(raia.client, { KEY, base_url = NOWHERE })
    raised(raia.client, { [true] = 1, secret_key = KEY, base_url = NOWHERE })
  end)

  it("what is no table is refused", function()
    for _, value in ipairs { KEY, 5, true, print } do raised(raia.client, value) end
  end)

  it("region and base_url exclude each other", function()
    local message = raised(raia.client, { secret_key = KEY, region = "eu", base_url = NOWHERE })
    mentions(message, "region")
    mentions(message, "base_url")
  end)

  it("region decides the host", function()
    for region, host in pairs { us = "https://api.raia2.com", eu = "https://api-eu.raia2.com" } do
      mentions(tostring(raia.client { secret_key = KEY, region = region }), host)
    end
  end)

  it("the table of options stays as it was", function()
    local options = { secret_key = KEY, base_url = NOWHERE, headers = { ["X-A"] = "1" } }
    local before = with(options)
    local client <close> = raia.client(options)
    assert.is_userdata(client)
    assert.same(before, options)
  end)
end)

describe("an option of a call:", function()
  local peer, client

  setup(function()
    peer = server.start(ECHO)
    client = client_of(peer)
  end)

  teardown(function()
    client:close()
    peer:close()
  end)

  for call_name, call in pairs(calls) do
    for _, row in ipairs(call_options) do
      local name, good, bad = table.unpack(row)
      it(("%s of %s is taken or refused"):format(name, call_name), function()
        for _, value in ipairs(good) do
          local result, message = call(client, { [name] = value })
          assert.is_truthy(result, message)
        end
        local before = #peer:requests()
        for _, value in ipairs(bad) do
          mentions(raised(call, client, { [name] = value }), "'" .. name .. "'")
        end
        assert.equal(before, #peer:requests())
      end)
    end

    it(("an unknown one of %s is refused, and the message lists the known"):format(call_name),
      function()
        local before = #peer:requests()
        local message = raised(call, client, { time_out = 5 })
        mentions(message, "'time_out'")
        for _, row in ipairs(call_options) do mentions(message, row[1]) end
        assert.equal(call_name == "send", message:find("context", 1, true) ~= nil)
        raised(call, client, { "wait" })
        for _, value in ipairs { 5, "wait", true } do raised(call, client, value) end
        assert.equal(before, #peer:requests())
      end)
  end

  it("context is one of send alone", function()
    for name, call in pairs(calls) do
      if name ~= "send" then
        mentions(raised(call, client, { context = "Order 1815" }), "'context'")
      end
    end
  end)

  it("client:request takes a body and a query, and nothing else", function()
    local before = #peer:requests()
    local message = raised(client.request, client, "POST", "/x", { bdy = {} })
    for _, word in ipairs { "'bdy'", "body", "query" } do mentions(message, word) end
    for _, name in ipairs { "body", "query" } do
      for _, value in ipairs { "text", 5, true } do
        mentions(raised(client.request, client, "POST", "/x", { [name] = value }), name)
      end
    end
    for _, query in ipairs { { "a" }, { a = {} }, { a = print }, { [true] = "a" },
      { a = raia.null } } do
      mentions(raised(client.request, client, "GET", "/x", { query = query }), "query")
    end
    mentions(raised(client.request, client, "GET", "/x", { body = {} }), "body")
    assert.equal(before, #peer:requests())
  end)

  it("client:request takes the methods of the API", function()
    local before = #peer:requests()
    for _, method in ipairs { "get", "HEAD", "CONNECT", "OPTIONS", "TRACE", "", "GET /x",
      "GET\r\n" } do
      raised(client.request, client, method, "/x")
    end
    for _, method in ipairs { 5, true, {} } do raised(client.request, client, method, "/x") end
    assert.equal(before, #peer:requests())
  end)
end)

describe("the environment:", function()
  local clean = { RAIA_AGENT_SECRET_KEY = false, RAIA_REGION = false, RAIA_BASE_URL = false,
    RAIA_LOG = false }

  -- What a process with these variables prints.
  local function child(environment, code)
    return (run("lua5.4 -", with(clean, environment), 'local raia = require "raia"\n' .. code))
  end

  local SHOW = "print(select(2, pcall(raia.client, %s)))"

  -- variables, options, what is printed
  local cases = {
    ["a key from RAIA_AGENT_SECRET_KEY is enough"] = { { RAIA_AGENT_SECRET_KEY = "k" }, "nil",
      "raia.client https://api.raia2.com\n" },
    ["RAIA_REGION is the region"] = { { RAIA_AGENT_SECRET_KEY = "k", RAIA_REGION = "eu" }, "{}",
      "raia.client https://api-eu.raia2.com\n" },
    ["the argument region wins"] = { { RAIA_AGENT_SECRET_KEY = "k", RAIA_REGION = "eu" },
      '{ region = "us" }', "raia.client https://api.raia2.com\n" },
    ["RAIA_BASE_URL is the base URL"] = { { RAIA_AGENT_SECRET_KEY = "k", RAIA_BASE_URL = NOWHERE },
      "{}", "raia.client " .. NOWHERE .. "\n" },
    ["the argument base_url wins"] = { { RAIA_AGENT_SECRET_KEY = "k", RAIA_BASE_URL = NOWHERE },
      '{ base_url = "https://example.com" }', "raia.client https://example.com\n" },
    ["the argument base_url wins over RAIA_REGION"] = { { RAIA_AGENT_SECRET_KEY = "k",
      RAIA_REGION = "eu" }, '{ base_url = "https://example.com" }',
      "raia.client https://example.com\n" },
    ["the argument region wins over RAIA_BASE_URL"] = { { RAIA_AGENT_SECRET_KEY = "k",
      RAIA_BASE_URL = NOWHERE }, '{ region = "eu" }', "raia.client https://api-eu.raia2.com\n" },
    ["empty variables count as unset"] = { { RAIA_AGENT_SECRET_KEY = "k", RAIA_REGION = "",
      RAIA_BASE_URL = "", RAIA_LOG = "" }, "{}", "raia.client https://api.raia2.com\n" },
  }
  for name, case in pairs(cases) do
    it(name, function()
      assert.equal(case[3], child(case[1], SHOW:format(case[2])))
    end)
  end

  -- variables, options, words of the error
  local errors = {
    ["without any key it raises, naming both places for one"] = { {}, "{}", "secret_key",
      "RAIA_AGENT_SECRET_KEY" },
    ["an empty key is none"] = { { RAIA_AGENT_SECRET_KEY = "" }, "{}", "secret_key",
      "RAIA_AGENT_SECRET_KEY" },
    ["an empty key as argument is none"] = { {}, '{ secret_key = "" }', "secret_key" },
    ["a key with a line end raises"] = { { RAIA_AGENT_SECRET_KEY = "k\n" }, "{}", "secret_key" },
    ["an unknown RAIA_REGION raises"] = { { RAIA_AGENT_SECRET_KEY = "k", RAIA_REGION = "mars" },
      "{}", "mars", "us", "eu" },
    ["a RAIA_BASE_URL of another machine by http raises"] = { { RAIA_AGENT_SECRET_KEY = "k",
      RAIA_BASE_URL = "http://example.com" }, "{}", "https" },
    ["an unknown RAIA_LOG raises"] = { { RAIA_AGENT_SECRET_KEY = "k", RAIA_LOG = "loud" }, "{}",
      "RAIA_LOG", "info", "debug" },
  }
  for name, case in pairs(errors) do
    it(name, function()
      local output = child(case[1], ("local ok, message = pcall(raia.client, %s)\n"
        .. "print(ok, message)"):format(case[2]))
      assert.matches("^false\t", output)
      for i = 3, #case do mentions(output, case[i]) end
    end)
  end

  it("a key and a base URL from it, or from an argument that wins, are used", function()
    local peer <close> = server.start(ECHO)
    local environment = { RAIA_AGENT_SECRET_KEY = "from-outside", RAIA_BASE_URL = peer.base_url }
    child(environment, 'assert(raia.client():request("GET", "/x"))')
    child(environment, 'assert(raia.client { secret_key = "given" }:request("GET", "/x"))')
    child({ RAIA_AGENT_SECRET_KEY = "from-outside" },
      ('assert(raia.client { base_url = %q }:request("GET", "/x"))'):format(peer.base_url))
    local keys = {}
    for i, request in ipairs(peer:requests()) do keys[i] = request.headers["agent-secret-key"] end
    assert.same({ "from-outside", "given", "from-outside" }, keys)
  end)

  it("a proxy in it is not for this machine", function()
    local peer <close> = server.start(ECHO)
    local proxy = "http://127.0.0.1:" .. server.dead_port()
    assert.equal("done\n", child({ RAIA_AGENT_SECRET_KEY = "k", RAIA_BASE_URL = peer.base_url,
      http_proxy = proxy, ALL_PROXY = proxy, all_proxy = proxy, no_proxy = "", NO_PROXY = "" },
      'assert(raia.client():request("GET", "/x")) print "done"'))
  end)

  local CALLS = [[
    local client = raia.client { max_retries = 1 }
    assert(client:conversation("c-1"):send("a private text", { context = "a secret context" }))
    assert(not client:request("GET", "/gone"))]]
  local ANSWER = [[
    local connection = ...
    local request = connection:request()
    while request do
      if request.method == "POST" then
        connection:reply(201, '{"id":"m-1","message":"a private answer"}')
      else
        connection:reply(503, "")
      end
      request = connection:request()
    end]]

  it("RAIA_LOG unset writes nothing", function()
    local peer <close> = server.start(ANSWER)
    assert.equal("", child({ RAIA_AGENT_SECRET_KEY = "k", RAIA_BASE_URL = peer.base_url }, CALLS))
  end)

  it("RAIA_LOG=info writes a line an attempt", function()
    local peer <close> = server.start(ANSWER)
    local output = child({ RAIA_AGENT_SECRET_KEY = "k", RAIA_BASE_URL = peer.base_url,
      RAIA_LOG = "info" }, CALLS)
    local lines = {}
    for line in output:gmatch("[^\n]+") do lines[#lines + 1] = line end
    assert.equal(3, #lines, output)
    assert.matches("POST " .. CONVERSATIONS .. "/c%-1/messages.*201", lines[1])
    assert.matches("GET /gone.*503.*attempt 1", lines[2])
    assert.matches("GET /gone.*503.*attempt 2", lines[3])
  end)

  it("RAIA_LOG=debug writes what libcurl tells, too", function()
    local peer <close> = server.start(ANSWER)
    local output = child({ RAIA_AGENT_SECRET_KEY = "k", RAIA_BASE_URL = peer.base_url,
      RAIA_LOG = "debug" }, CALLS)
    mentions(output, "> POST " .. CONVERSATIONS .. "/c-1/messages HTTP/1.1")
    mentions(output, "< HTTP/1.1 503")
    mentions(output, "GET /gone: http 503")
  end)

  it("RAIA_LOG never writes what people say", function()
    local peer <close> = server.start(ANSWER)
    for _, level in ipairs { "info", "debug" } do
      local output = child({ RAIA_AGENT_SECRET_KEY = "k", RAIA_BASE_URL = peer.base_url,
        RAIA_LOG = level }, CALLS)
      assert.is_nil(output:find("private", 1, true))
      assert.is_nil(output:find("secret context", 1, true))
      assert.is_true(#output > 100)
    end
  end)
end)

describe("a header", function()
  local bad = {
    ["with CR"] = { "X-A", "a\rb" }, ["with LF"] = { "X-A", "a\nb" },
    ["of more than 16,384 bytes"] = { "X-A", ("a"):rep(16384) },
    ["with another header in it"] = { "X-A", "a\r\nX-Evil: b" },
    ["with NUL"] = { "X-A", "a\0b" }, ["with a last LF"] = { "X-A", "a\n" },
    ["with an escape"] = { "X-A", "\27[31m" }, ["with DEL"] = { "X-A", "a\127" },
    ["with a space in its name"] = { "X A", "a" }, ["with a last space"] = { "X-A ", "a" },
    ["with a colon in its name"] = { "X-A:", "a" }, ["with NUL in its name"] = { "X\0A", "a" },
    ["with CR LF in its name"] = { "X\r\nX-Evil", "a" }, ["without a name"] = { "", "a" },
    ["with a name beyond ASCII"] = { "X-é", "a" }, ["with a tab in its name"] = { "X\tA", "a" },
    ["with a number as value"] = { "X-A", 5 }, ["with a number as name"] = { 1, "X-A: a" },
    ["with a table as value"] = { "X-A", {} }, ["with a boolean as value"] = { "X-A", true },
    ["of the key"] = { "Agent-Secret-Key", "other" },
    ["of the key in other letters"] = { "agent-secret-KEY", "other" },
    ["of the host"] = { "host", "example.com" }, ["of the length"] = { "Content-Length", "5" },
    ["of the coding"] = { "Transfer-Encoding", "chunked" },
    ["of the content"] = { "Content-Type", "text/plain" },
    ["of packing"] = { "accept-Encoding", "gzip" },
  }
  for name, header in pairs(bad) do
    it(name .. " is refused before anything is sent", function()
      local peer <close> = server.start(ECHO)
      local headers = { [header[1]] = header[2] }
      mentions(raised(client_of, peer, { headers = headers }), "headers")
      local client <close> = client_of(peer)
      for _, call in pairs(calls) do
        mentions(raised(call, client, { headers = headers }), "headers")
      end
      assert.equal(0, peer:connections())
    end)
  end

  for name, value in pairs { CR = "a\rb", LF = "a\nb", ["CR LF"] = "k\r\nX-Evil: b", NUL = "a\0b",
    ["a last LF"] = "a\n", escape = "\27[31m" } do
    it(("cannot come of a key or a user agent with %s"):format(name), function()
      mentions(raised(raia.client, { base_url = NOWHERE, secret_key = value }), "secret_key")
      mentions(raised(raia.client, { base_url = NOWHERE, secret_key = KEY, user_agent = value }),
        "user_agent")
    end)
  end

  it("cannot come past the checks by a metatable", function()
    local peer <close> = server.start(ECHO)
    local output = run("lua5.4 -", { RAIA_LOG = false }, ([[
      local raia = require "raia"
      for _, headers in ipairs { { ["X-A"] = "a\r\nX-Evil: b" }, { "X-Evil: b" }, { ["X-A"] = {} },
        { ["X-Evil: b"] = "a" } } do
        local hidden = { __index = { headers = headers } }
        local _, client = pcall(raia.client, setmetatable({ secret_key = "k", base_url = %q },
          hidden))
        if type(client) == "userdata" then client:request("GET", "/x") end
        client = raia.client { secret_key = "k", base_url = %q }
        pcall(client.request, client, "GET", "/x", nil, setmetatable({}, hidden))
      end
      print "done"]]):format(peer.base_url, peer.base_url))
    assert.equal("done\n", output)
    for _, request in ipairs(peer:requests()) do
      assert.is_nil(request.head:lower():find("evil", 1, true))
    end
  end)

  it("of a client goes out with every call", function()
    local peer <close> = server.start(ECHO)
    local client <close> = client_of(peer, { user_agent = "bot/2", headers = { ["X-Team"] = "ops",
      ["X-Empty"] = "", ["X-Tab"] = "a\tb", ["X-Text"] = "é, 😀; \"quoted\"" } })
    for _, call in pairs(calls) do assert(call(client)) end
    local requests = peer:requests()
    assert.equal(8, #requests)
    for _, request in ipairs(requests) do
      assert.equal("bot/2", request.headers["user-agent"])
      assert.equal("ops", request.headers["x-team"])
      assert.equal("", request.headers["x-empty"])
      assert.equal("a\tb", request.headers["x-tab"])
      assert.equal("é, 😀; \"quoted\"", request.headers["x-text"])
    end
  end)

  it("of a call goes before the client's of that name, for that call", function()
    local peer <close> = server.start(ECHO)
    local client <close> = client_of(peer, { headers = { ["X-Team"] = "ops", ["X-A"] = "1" } })
    for _, call in pairs(calls) do
      assert(call(client, { headers = { ["x-team"] = "sales", ["X-B"] = "2", ["x-a"] = "" } }))
      assert(call(client))
    end
    local requests = peer:requests()
    assert.equal(16, #requests)
    for i, request in ipairs(requests) do
      local seen = {}
      for _, header in ipairs(request.header_list) do
        local name = header[1]:lower()
        assert.is_nil(seen[name], name)
        seen[name] = header[2]
      end
      assert.equal(i % 2 == 1 and "sales" or "ops", seen["x-team"])
      assert.equal(i % 2 == 1 and "2" or nil, seen["x-b"])
      assert.equal(i % 2 == 1 and "" or "1", seen["x-a"])
    end
  end)

  it("goes out once with each further attempt", function()
    local peer <close> = server.start [[
      local connection = ...
      while connection:request() do connection:reply(503, "") end]]
    local client <close> = client_of(peer, { headers = { ["X-Team"] = "ops" } })
    client:request("GET", "/x", nil, { max_retries = 2, headers = { ["X-B"] = "2" } })
    local requests = peer:requests()
    assert.equal(3, #requests)
    for _, request in ipairs(requests) do
      assert.same(requests[1].header_list, request.header_list)
      assert.equal("ops", request.headers["x-team"])
      assert.equal("2", request.headers["x-b"])
      assert.equal(KEY, request.headers["agent-secret-key"])
    end
  end)
end)

-- A path in which all escapes are in capitals.
local function normal(path)
  return (path:gsub("%%%x%x", string.upper))
end

describe("an id", function()
  local suffixes = {
    get = "", messages = "/messages", refresh = "", send = "/messages",
  }
  local function ask(client, id, call)
    if call == "get" then return client.conversations:get(id) end
    local conversation = client:conversation(id)
    return conversation[call](conversation, call == "send" and "Hello" or nil)
  end

  local encoded = {
    ["5f7b1b3b-3b3b-4b3b-3b3b-3b3b3b3b3b3b"] = "5f7b1b3b-3b3b-4b3b-3b3b-3b3b3b3b3b3b",
    ["A-Z_a.z~0"] = "A-Z_a.z~0", ["../users/1"] = "..%2Fusers%2F1", ["%2e%2e"] = "%252e%252e",
    ["a/b"] = "a%2Fb", ["a?b"] = "a%3Fb", ["a#b"] = "a%23b", ["a b"] = "a%20b", ["a+b"] = "a%2Bb",
    ["a%b"] = "a%25b", ["a%00b"] = "a%2500b", ["a\0b"] = "a%00b", ["\0"] = "%00",
    ["a\r\nb"] = "a%0D%0Ab", ["é"] = "%C3%A9", ["\xff"] = "%FF", ["..."] = "...", [".a"] = ".a",
    ["a\\..\\b"] = "a%5C..%5Cb", ["a:b@c"] = "a%3Ab%40c", ["a;b&c=d,e"] = "a%3Bb%26c%3Dd%2Ce",
    ["//evil.example"] = "%2F%2Fevil.example", ["./"] = ".%2F", ["../"] = "..%2F",
    [("é"):rep(500)] = ("%C3%A9"):rep(500),
  }
  for id, expected in pairs(encoded) do
    it(("%q stays one segment of the path"):format(id:sub(1, 20)), function()
      local peer <close> = server.start(([[
        local connection = ...
        while connection:request() do connection:reply(200, %q) end]]):format(
          cjson.encode { id = id, messages = {} }))
      local client <close> = client_of(peer, { base_url = peer.base_url .. "/prefix" })
      for call, suffix in pairs(suffixes) do
        assert(ask(client, id, call))
        local requests = peer:requests()
        assert.equal("/prefix" .. CONVERSATIONS .. "/" .. expected .. suffix,
          normal(requests[#requests].path))
      end
    end)
  end

  it("that is empty, a dot or two, or no string raises", function()
    local peer <close> = server.start(ECHO)
    local client <close> = client_of(peer)
    for _, id in ipairs { "", ".", "..", 5, true, {}, print, raia.null } do
      raised(client.conversations.get, client.conversations, id)
      raised(client.conversation, client, id)
    end
    raised(client.conversations.get, client.conversations, nil)
    raised(client.conversation, client, nil)
    assert.equal(0, peer:connections())
  end)

  it("of 16,384 bytes goes out whole, and a longer one raises, as path and query do", function()
    local peer <close> = server.start(ECHO)
    local client <close> = client_of(peer)
    local id = ("a"):rep(16384)
    assert(client.conversations:get(id))
    assert.equal(CONVERSATIONS .. "/" .. id, peer:requests()[1].path)
    raised(client.conversations.get, client.conversations, id .. "a")
    raised(client.conversation, client, ("a"):rep(300000))
    raised(client.request, client, "GET", "/" .. id)
    raised(client.request, client, "GET", "/x", { query = { q = id } })
    assert.equal(1, #peer:requests())
  end)

  it("in a reply leads no further than one of the caller's", function()
    for _, id in ipairs { "", ".", "..", "../..", "a/../..", "%2e%2e", "a?b", "a#b" } do
      local peer <close> = server.start(([[
        local connection = ...
        while connection:request() do connection:reply(200, %q) end]]):format(
          cjson.encode { id = id, conversationId = id }))
      local client <close> = client_of(peer)
      for _, call in ipairs { "start", "create", "get" } do
        local conversation = calls[call](client)
        if conversation then
          pcall(conversation.messages, conversation)
          pcall(conversation.refresh, conversation)
          pcall(conversation.send, conversation, "Hello")
        end
      end
      for _, request in ipairs(peer:requests()) do
        local rest = request.path:sub(#CONVERSATIONS + 2)
        assert.equal(CONVERSATIONS, request.path:sub(1, #CONVERSATIONS))
        local segment = rest:gsub("/messages$", "")
        assert.is_nil(segment:find("[/?#]"), request.path)
        assert.is_true(request.path == CONVERSATIONS or segment ~= "", request.path)
        assert.is_true(segment ~= "." and segment ~= "..", request.path)
      end
    end
  end)
end)

describe("a path of client:request", function()
  it("goes out as it is, under the base URL's own", function()
    local peer <close> = server.start(ECHO)
    for prefix, expected in pairs { [""] = "", ["/"] = "", ["/v1"] = "/v1", ["/v1/"] = "/v1",
      ["/a/b"] = "/a/b" } do
      local client <close> = client_of(peer, { base_url = peer.base_url .. prefix })
      for _, path in ipairs { "/", "/x", "/external/users/search", "/a%20b/c", "/a/.../b", "/a.b",
        "/%C3%A9", "/a/", "/.a", "/a;b=c,d/e:f@g!$&'()*+~_-" } do
        assert(client:request("GET", path))
        local requests = peer:requests()
        assert.equal(expected .. path, normal(requests[#requests].path))
      end
    end
  end)

  it("that could mean another raises", function()
    local peer <close> = server.start(ECHO)
    local client <close> = client_of(peer, { base_url = peer.base_url .. "/v1" })
    for _, path in ipairs { "", "x", "external/x", "http://example.com/", "//example.com/x",
      "/a//b", "/..", "/.", "/../x", "/a/../b", "/a/./b", "/a/..", "/a/.", "/%2e%2e/x", "/%2E%2e",
      "/.%2e/x", "/%2e./x", "/a/%2e/b", "/a?b=c", "/a#b", "/a b", "/a\\..\\b", "/é", "/a\r\nb",
      "/a\nX-Evil: b", "/a\0b", "/%", "/%2", "/%zz", "/a\"b", "/a<b>", "/[a]", "/a|b", "?a=b",
      "#a", "@example.com/x" } do
      mentions(raised(client.request, client, "GET", path), "path")
    end
    for _, path in ipairs { 5, true, {} } do raised(client.request, client, "GET", path) end
    raised(client.request, client, "GET", nil)
    assert.equal(0, peer:connections())
  end)
end)

describe("a base URL", function()
  local function make(url, options)
    return raia.client(with({ secret_key = KEY, base_url = url }, options))
  end

  for _, url in ipairs { "https://example.com", "https://example.com:8443", "HTTPS://example.com",
    "https://example.com/v1/raia", "https://127.0.0.1", "https://[2001:db8::1]:8443/x",
    "https://[fe80::1%25lo]",
    "http://127.0.0.1", "http://127.0.0.1:8787", "http://127.1.2.3:80/x", "http://127.255.255.254",
    "http://[::1]:8787", "http://localhost", "http://LOCALHOST:8787/x", "HTTP://localhost" } do
    it(url .. " is taken, and shown by tostring", function()
      local client <close> = make(url)
      assert.equal("raia.client " .. url, tostring(client))
    end)
  end

  -- what it is taken for
  local ends = {
    ["https://api.raia2.com/external"] = "https://api.raia2.com",
    ["https://api.raia2.com/external/"] = "https://api.raia2.com",
    ["https://api.raia2.com///"] = "https://api.raia2.com",
    ["https://api.raia2.com/external///"] = "https://api.raia2.com",
    ["https://example.com:8443/v1/external/"] = "https://example.com:8443/v1",
    ["https://external/"] = "https://external",
    ["https://external"] = "https://external",
    ["https://example.com/my-external"] = "https://example.com/my-external",
    ["https://example.com/externals"] = "https://example.com/externals",
    ["https://example.com/External"] = "https://example.com/External",
    ["https://example.com/external/v1/"] = "https://example.com/external/v1",
    ["https://example.com/external/external"] = "https://example.com/external",
    ["https://example.com/..."] = "https://example.com/...",
    ["https://example.com/.a/..b/c./d..%2e"] = "https://example.com/.a/..b/c./d..%2e",
  }
  for url, meant in pairs(ends) do
    it(url .. " means " .. meant, function()
      local client <close> = make(url)
      assert.equal("raia.client " .. meant, tostring(client))
    end)
  end

  it("that ends in /external means the same as without", function()
    local peer <close> = server.start(ECHO)
    for _, prefix in ipairs { "", "/v1", "/external" } do
      for _, rest in ipairs { "/external", "/external/", "/external//" } do
        local client <close> = client_of(peer, { base_url = peer.base_url .. prefix .. rest })
        for _, call in pairs(calls) do
          local before = #peer:requests()
          call(client)
          local request = peer:requests()[before + 1]
          local path = request.path:sub(#prefix + 1)
          assert.equal(prefix, request.path:sub(1, #prefix))
          assert.is_truthy(path:find(CONVERSATIONS, 1, true) == 1 or path == "/x?b=2", path)
        end
      end
    end
    assert.equal("raia.client " .. peer.base_url .. "\n", (run("lua5.4 -",
      { RAIA_AGENT_SECRET_KEY = "k", RAIA_BASE_URL = peer.base_url .. "/external/" },
      'print(require "raia".client())')))
  end)

  -- Dots by any spelling, and what some libcurls would take for a host or a slash.
  for _, dots in ipairs { "..", ".", "%2e%2e", "%2E%2e", "%2e", "%2E", ".%2e", "%2e.", ".%2E" } do
    for _, way in ipairs { "/%s", "/%s/", "/%s/x", "/a/%s", "/a/%s/", "/a/%s/b", "/external/%s",
      "/%s/external", "/%s/external/", "/a/%s//" } do
      local url = "https://example.com" .. way:gsub("%%s", (dots:gsub("%%", "%%%%")))
      it(url .. " raises, with every libcurl", function()
        mentions(raised(make, url), "base_url")
      end)
    end
  end

  -- what the message says: what is allowed, or what is in the way
  local refused = {
    ["https"] = { "file:///etc/passwd", "file://localhost/etc/passwd", "ftp://example.com",
      "gopher://127.0.0.1", "example.com", "//example.com", "/external", "", "http:", "localhost",
      "javascript:alert(1)", "httpss://example.com", "http:127.0.0.1", "https:example.com",
      "http://example.com", "http://10.0.0.1", "http://0.0.0.0", "http://128.0.0.1",
      "http://127.0.0.1.example.com", "http://localhost.example.com", "http://localhostx",
      "http://xlocalhost", "http://127.0.0.1example.com", "http://[::2]", "http://[::]",
      "http://[::ffff:10.0.0.1]", "HTTP://EXAMPLE.COM",
      "http://2130706433.example.com", "http://example.com:127",
      "http://example.com/127.0.0.1" },
    ["user"] = { "https://ada@example.com", "https://ada:secret@example.com",
      "http://127.0.0.1@example.com", "http://127.0.0.1:80@example.com/",
      "https://example.com/a@b" },
    ["query"] = { "https://example.com?a=b", "https://example.com/x?", "http://127.0.0.1/?x",
      "http://127.0.0.1?.example.com" },
    ["fragment"] = { "https://example.com#a", "https://example.com/x#", "http://127.0.0.1/#x" },
    ["host"] = { "https://ex%c3%a4mple.com", "http://127.0.0.1%c3", "https://a%7fb",
      "https://a%25b", "http://%31%32%37.1", "https:///%61/x",
      "http://127.0.0.1%2eexample.com", "https:///example.com", "https:////example.com/x",
      "https:///external", "http:///127.0.0.1" },
    ["base_url"] = { "https://", "https:///", "https://:443", "http://", "https://exa mple.com",
      " https://example.com", "https://example.com ", "https://example.com\n",
      "https://example.com/\r\nX-Evil: b", "https://example.com:99999", "https://example.com:a",
      "https://example.com\0.evil.example", "https://[::1", "https://exämple.com",
      "https://example.com/%2e%2e/x", "https://example.com/a|b", "https://example.com/\27",
      "http://127.0.0.1\\.example.com", "https://example.com/a//b" },
  }
  for word, urls in pairs(refused) do
    for _, url in ipairs(urls) do
      it(("%q raises"):format(url):gsub("\n", "n"), function()
        local message = raised(make, url)
        mentions(message, "base_url")
        mentions(message, word)
      end)
    end
  end

  it("of http to another machine needs allow_insecure", function()
    local peer <close> = server.start [[
      local connection = ...
      connection:request()
      connection:reply(407)]]
    raised(make, "http://api.example.invalid", { allow_insecure = false })
    local client <close> = make("http://api.example.invalid", { allow_insecure = true,
      max_retries = 0, proxy = peer.base_url })
    assert.is_nil((client:request("GET", "/x")))
    assert.equal("api.example.invalid:80", peer:requests()[1].path)
    raised(make, "file:///etc/passwd", { allow_insecure = true })
    raised(make, "http://ada@example.com", { allow_insecure = true })
  end)

  it("with the name localhost works", function()
    local peer <close> = server.start(ECHO)
    local client <close> = client_of(peer, { base_url = "http://localhost:" .. peer.port })
    assert(client:request("GET", "/x"))
    assert.equal("localhost:" .. peer.port, peer:requests()[1].headers.host)
  end)
end)

describe("the option", function()
  local function fails(kind, result, _, err)
    assert.is_nil(result)
    assert.equal(kind, err.kind)
    return err
  end

  it("timeout of a client ends every call", function()
    local peer <close> = server.start(SILENT)
    local client <close> = client_of(peer, { timeout = 0.2 })
    for _, call in pairs(calls) do fails("timeout", call(client)) end
  end)

  it("timeout of a call goes before the client's", function()
    local peer <close> = server.start(SILENT)
    local client <close> = client_of(peer, { timeout = 600 })
    for _, call in pairs(calls) do fails("timeout", call(client, { timeout = 0.2 })) end
    local slow <close> = server.start [[
      local connection = ...
      connection:request()
      connection.sleep(0.6)
      connection:reply(200, "{}")]]
    local hasty <close> = client_of(slow, { timeout = 0.2 })
    assert(hasty:request("GET", "/x", nil, { timeout = 60 }))
  end)

  it("max_retries says how often a GET is tried again", function()
    local peer <close> = server.start [[
      local connection = ...
      while connection:request() do connection:reply(503, "") end]]
    local base = { secret_key = KEY, base_url = peer.base_url }
    local requests, all = {}, 0 -- all at once, to wait for the backoff only once
    local function expect(attempts, client, opts)
      all = all + attempts
      requests[client:request("GET", "/x", nil, with({ wait = false }, opts))] = attempts
    end
    expect(3, raia.client(base))
    for _, retries in ipairs { 0, 1, 3 } do
      expect(retries + 1, raia.client(with(base, { max_retries = retries })))
      expect(retries + 1, raia.client(base), { max_retries = retries })
      expect(retries + 1, raia.client(with(base, { max_retries = 2 })), { max_retries = retries })
    end
    for request, attempts in pairs(requests) do
      assert.equal(attempts, fails("http", request:wait()).attempts)
    end
    assert.equal(all, #peer:requests())
  end)

  it("max_connections says how many calls are under way at a time", function()
    local peer <close> = server.start(SILENT)
    local client <close> = client_of(peer, { max_connections = 2 })
    local requests = {}
    for i = 1, 6 do requests[i] = client:request("GET", "/" .. i, nil, { wait = false }) end
    for _ = 1, 10 do requests[6]:wait(0.05) end
    assert.equal(2, peer:connections())
    assert.equal(2, #peer:requests())
    requests[1]:cancel()
    requests[2]:cancel()
    for _ = 1, 10 do requests[6]:wait(0.05) end
    assert.equal(4, #peer:requests())
  end)

  it("max_response_bytes is the most that a reply may have", function()
    local peer <close> = server.start [[
      local connection = ...
      while connection:request() do
        connection:reply(200, '{"id":"' .. ("a"):rep(1000 - 9) .. '"}')
      end]]
    local enough <close> = client_of(peer, { max_response_bytes = 1000 })
    local short <close> = client_of(peer, { max_response_bytes = 999 })
    assert.equal(991, #assert(enough:request("GET", "/x")).id)
    fails("too_large", short:request("GET", "/x"))
    local _, message = short.conversations:get("c-1")
    mentions(message, "max_response_bytes")
    mentions(message, "999")
  end)

  it("proxy names where connections go by", function()
    local peer <close> = server.start [[
      local connection = ...
      connection:request()
      connection:reply(407)]]
    local client <close> = raia.client { secret_key = KEY, max_retries = 0, proxy = peer.base_url,
      base_url = "https://api.example.invalid" }
    fails("connection", client:request("GET", "/x"))
    local request = peer:requests()[1]
    assert.equal("CONNECT", request.method)
    assert.equal("api.example.invalid:443", request.path)
    assert.is_nil(request.head:find(KEY, 1, true))
  end)

  it("ca_file names whom to trust", function()
    local made = certificates()
    finally(made.remove)
    local peer <close> = server.start(ECHO, { tls = made.good })
    fails("tls", client_of(peer):request("GET", "/x"))
    assert.equal(0, #peer:requests())
    assert(client_of(peer, { ca_file = made.ca }):request("GET", "/x"))
  end)
end)
