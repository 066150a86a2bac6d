-- Headers of clients and calls: which may be sent, which are raia's own, and which one wins.
local raia = require "raia"
local calls = require "spec.support.calls"
local run = require("spec.support.run").run
local server = require "spec.support.server"
local clients = require "spec.support.client"
local mistakes = require "spec.support.mistakes"

local ECHO, raised, mentions = mistakes.ECHO, mistakes.raised, mistakes.mentions
local KEY = "key-of-the-agent"
local NOWHERE = "http://127.0.0.1:1"
local connect = clients { secret_key = KEY }

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
      mentions(raised(connect, peer, { headers = headers }), "headers")
      local client <close> = connect(peer)
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
    local client <close> = connect(peer, { user_agent = "bot/2", headers = { ["X-Team"] = "ops",
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
    local client <close> = connect(peer, { headers = { ["X-Team"] = "ops", ["X-A"] = "1" } })
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
    local client <close> = connect(peer, { headers = { ["X-Team"] = "ops" } })
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
