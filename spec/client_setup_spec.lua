-- raia.client reports what is wrong with its parts before any call.
local certificates = require "spec.support.certificates"
local raia = require "raia"
local run = require("spec.support.run").run
local server = require "spec.support.server"
local connect = require "spec.support.client" ()

local NOWHERE = "http://127.0.0.1:1"
local PIECE = "Kq7Zx2Wv9Jt4"

local function raised(options)
  local all = { secret_key = "a-marked-key", base_url = NOWHERE }
  for name, value in pairs(options) do all[name] = value end
  local ok, message = xpcall(raia.client, debug.traceback, all)
  assert.is_false(ok)
  return message
end

describe("a key", function()
  -- the key, and what the message says of it
  local bad = {
    { " ", "blank" }, { " \t \n", "blank" }, { "\n", "blank" }, { "\r\n", "blank" },
    { PIECE .. "\n", "line end" }, { PIECE .. "\r\n", "line end" }, { PIECE .. "\r", "line end" },
    { " " .. PIECE, "space" }, { PIECE .. " ", "space" }, { "Kq7Zx2 Wv9Jt4", "space" },
    { PIECE .. "\t", "tab" }, { "\u{FEFF}" .. PIECE, "U+FEFF" }, { "\u{FEFF}", "U+FEFF" },
    { PIECE .. "\u{A0}", "U+00A0" }, { "\u{A0}\u{A0}", "U+00A0" },
    { PIECE .. "\u{200B}", "U+200B" }, { "\u{200B}", "U+200B" },
    { '"' .. PIECE .. '"', "quotes" }, { "'" .. PIECE .. "'", "quotes" },
    { "`" .. PIECE .. "`", "quotes" }, { "\u{201C}" .. PIECE .. "\u{201D}", "ASCII" },
    { "Kq7Zx2\u{E9}", "ASCII" }, { "Kq7Zx2\xFF", "ASCII" }, { "\u{2003}" .. PIECE, "ASCII" },
    { "Kq7Zx2\n" .. PIECE, "control" }, { PIECE .. "\27[0m", "control" },
    { PIECE .. "\127", "control" }, { PIECE:rep(2000), "bytes" },
  }
  for _, case in ipairs(bad) do
    it(("like %q raises, by what is wrong with it"):format(case[1]:sub(1, 20)):gsub("\n", "n"),
      function()
        local message = raised { secret_key = case[1] }
        assert.is_truthy(message:find("raia.client: the secret_key ", 1, true), message)
        assert.is_truthy(message:find(case[2], 1, true), message)
        assert.is_nil(message:find("Kq7Zx2", 1, true), message)
        local output = run("lua5.4 -", { RAIA_AGENT_SECRET_KEY = case[1] },
          "print(pcall(require 'raia'.client, {}))")
        assert.is_truthy(output:find("the secret_key of RAIA_AGENT_SECRET_KEY ", 1, true), output)
        assert.is_truthy(output:find(case[2], 1, true), output)
        assert.is_nil(output:find("Kq7Zx2", 1, true), output)
      end)
  end

  it("of all other characters is taken, and goes out as it is", function()
    local key = {}
    for c = 33, 126 do key[#key + 1] = string.char(c) end
    key = table.concat(key)
    local peer <close> = server.start [[
      local connection = ...
      connection:request()
      connection:reply(200, "{}")]]
    local client <close> = connect(peer, { secret_key = key })
    assert(client:request("GET", "/x"))
    assert.equal(key, peer:requests()[1].headers["agent-secret-key"])
  end)
end)

describe("a ca_file", function()
  it("that is not there, is a directory or holds no certificate raises", function()
    local made = certificates()
    finally(made.remove)
    for path, says in pairs { ["/nonexistent/ca.pem"] = "No such file", [""] = "No such file",
      [made.directory] = "directory", ["/dev/null"] = "no PEM certificate",
      [made.good.key] = "no PEM certificate" } do
      local message = raised { ca_file = path }
      assert.is_truthy(message:find("raia.client: the ca_file ", 1, true), message)
      assert.is_truthy(message:find(says, 1, true), message)
    end
    local client <close> = connect(NOWHERE, { ca_file = made.ca })
    assert.is_userdata(client)
  end)
end)

-- A finalizer that runs again and again, whenever Lua allocates, and at the n-th time changes
-- what is being read: for each n.
local FINALIZERS = [[
  local raia = require "raia"
  local url = os.getenv "URL"
  local BAD = { "a\r\nX-Evil: b", 5, {}, true }
  local client = raia.client { secret_key = "a-marked-key", base_url = url, max_retries = 0 }
  collectgarbage("incremental", 1, 1000, 0)
  local ticks, target, change, on, most
  local function arm()
    setmetatable({}, { __gc = function()
      ticks = ticks + 1
      if ticks == target then change() end
      if on then arm() end
    end })
  end
  local function try(i, call)
    local headers = { ["X-A"] = "good", ["X-B"] = "good" }
    local options = { headers = headers, secret_key = "a-marked-key-" .. i,
      base_url = url .. "/" .. i, user_agent = "agent-" .. i }
    function change()
      headers["X-A"] = BAD[i % #BAD + 1]
      headers["X-Evil: " .. i] = "x"
      for name in pairs(options) do if name ~= "headers" then options[name] = nil end end
      collectgarbage()
    end
    ticks, target, on = 0, i // #BAD + 1, true
    arm()
    local ok, result = call(headers, options)
    most, on = ticks, false
    return ok and result
  end
  most = 0
  for i = 1, 120 do
    local other = try(i, function(_, options) return pcall(raia.client, options) end)
    if other then
      assert(other:request("GET", "/x"))
      other:close()
    end
  end
  assert(most > 1 and most < 30, most)
  most = 0
  for i = 1, 120 do
    try(i, function(headers)
      return pcall(client.request, client, "GET", "/x", nil, { headers = headers })
    end)
  end
  assert(most > 1 and most < 30, most)
  print "done"]]

describe("options that a finalizer changes while they are read", function()
  it("are what they were when they were checked", function()
    local peer <close> = server.start [[
      local connection = ...
      while connection:request() do connection:reply(200, "{}") end]]
    local output = run("lua5.4 -", { URL = peer.base_url, RAIA_LOG = false }, FINALIZERS)
    assert.equal("done\n", output)
    local requests = peer:requests()
    assert.is_true(#requests > 100)
    for _, request in ipairs(requests) do
      assert.is_nil(request.head:lower():find("evil", 1, true), request.head)
      local key = request.headers["agent-secret-key"]
      local made = request.path:match("^/(%d+)/x$")
      assert.equal(made and "a-marked-key-" .. made or "a-marked-key", key)
      if made then assert.equal("agent-" .. made, request.headers["user-agent"]) end
    end
  end)
end)
