-- Ids, paths and base URLs: how request URLs are built, and what raises.
local cjson = require("cjson").new()
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
local connect = clients { secret_key = KEY }

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
      local client <close> = connect(peer, { base_url = peer.base_url .. "/prefix" })
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
    local client <close> = connect(peer)
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
    local client <close> = connect(peer)
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
      local client <close> = connect(peer)
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
      local client <close> = connect(peer, { base_url = peer.base_url .. prefix })
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
    local client <close> = connect(peer, { base_url = peer.base_url .. "/v1" })
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
        local client <close> = connect(peer, { base_url = peer.base_url .. prefix .. rest })
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
    local client <close> = connect(peer, { base_url = "http://localhost:" .. peer.port })
    assert(client:request("GET", "/x"))
    assert.equal("localhost:" .. peer.port, peer:requests()[1].headers.host)
  end)
end)
