-- Options of clients and calls, and the environment: what is accepted, what raises, what wins.
local certificates = require "spec.support.certificates"
local raia = require "raia"
local calls = require "spec.support.calls"
local run = require("spec.support.run").run
local server = require "spec.support.server"
local clients = require "spec.support.client"
local mistakes = require "spec.support.mistakes"

local ECHO, with, raised, mentions =
  mistakes.ECHO, mistakes.with, mistakes.raised, mistakes.mentions
local KEY = "key-of-the-agent"
local CONVERSATIONS = "/external/conversations"
local NOWHERE = "http://127.0.0.1:1"
local SILENT = "local connection = ...; connection:request(); connection:wait_close(60)"
local connect = clients { secret_key = KEY }
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
    client = connect(peer)
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
    for _, query in ipairs { { "a" }, { a = { {} } }, { a = print }, { [true] = "a" },
      { a = raia.null } } do
      local problem = raised(client.request, client, "GET", "/x", { query = query })
      mentions(problem, "query")
      mentions(problem, "bad argument #4 to")
    end
    mentions(raised(client.request, client, "GET", "/x", { body = {} }), "body")
    assert.equal(before, #peer:requests())
  end)

  it("query is added to the URL by every call, with lists that repeat the name", function()
    local echo <close> = server.start(ECHO)
    local one <close> = connect(echo, { max_retries = 0 })
    one:conversation "c-1":messages { query = { ["a b"] = { 1, "x&y", true } } }
    one.conversations:list({ page = 2 }, { query = { none = {} } })
    local requests = echo:requests()
    assert.matches("/messages%?a%%20b=1&a%%20b=x%%26y&a%%20b=true$", requests[1].path)
    assert.matches("/conversations%?page=2$", requests[2].path)
    mentions(raised(one.conversations.list, one.conversations, {}, { query = 5 }), "query")
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
    assert.equal(4, #lines, output)
    assert.matches("POST " .. CONVERSATIONS .. "/c%-1/messages.*201", lines[1])
    assert.matches("GET /gone.*503.*attempt 1", lines[2])
    assert.matches("GET /gone: next attempt in 0.%d s$", lines[3])
    assert.matches("GET /gone.*503.*attempt 2", lines[4])
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

describe("the option", function()
  local function fails(kind, result, _, err)
    assert.is_nil(result)
    assert.equal(kind, err.kind)
    return err
  end

  it("timeout of a client ends every call", function()
    local peer <close> = server.start(SILENT)
    local client <close> = connect(peer, { timeout = 0.2 })
    for _, call in pairs(calls) do fails("timeout", call(client)) end
  end)

  it("timeout of a call goes before the client's", function()
    local peer <close> = server.start(SILENT)
    local client <close> = connect(peer, { timeout = 600 })
    for _, call in pairs(calls) do fails("timeout", call(client, { timeout = 0.2 })) end
    local slow <close> = server.start [[
      local connection = ...
      connection:request()
      connection.sleep(0.6)
      connection:reply(200, "{}")]]
    local hasty <close> = connect(slow, { timeout = 0.2 })
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
    local client <close> = connect(peer, { max_connections = 2 })
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
    local enough <close> = connect(peer, { max_response_bytes = 1000 })
    local short <close> = connect(peer, { max_response_bytes = 999 })
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
    fails("tls", connect(peer):request("GET", "/x"))
    assert.equal(0, #peer:requests())
    assert(connect(peer, { ca_file = made.ca }):request("GET", "/x"))
  end)
end)
