-- The key is sent in one header of each request and visible nowhere else.
local certificates = require "spec.support.certificates"
local raia = require "raia"
local calls = require "spec.support.calls"
local run = require("spec.support.run").run
local sandbox = require "raia.sandbox"
local server = require "spec.support.server"
local clients = require "spec.support.client"

-- No eight characters of it occur elsewhere.
local KEY = "Kq7Zx2Wv9Jt4Rb8Ny3Mf6Hd1Gs5LpQzXwVjTrBnYmFhDgSlPk0Uc2Ea4Io7Au9"
local PIECE = 8

-- Whether a text holds the key or a piece of it.
local function leaks(text)
  for i = 1, #KEY - PIECE + 1 do
    if text:find(KEY:sub(i, i + PIECE - 1), 1, true) then return true end
  end
  return false
end

-- What leads to this file's own functions, which know the key.
local function everything_else()
  local seen = { [package] = true, [package.loaded] = true, [_G] = true }
  for name, value in pairs(package.loaded) do
    if not name:find("^raia") then seen[value] = true end
  end
  for _, value in pairs(require "_G") do seen[value] = true end
  return seen
end

-- Where, in all that can be reached from a value, the key is; nil when nowhere.
local function find_key(value, path, seen)
  seen = seen or everything_else()
  if type(value) == "string" then return leaks(value) and path or nil end
  if value == nil or type(value) == "boolean" or type(value) == "number" or seen[value] then
    return nil
  end
  seen[value] = true
  local found
  local function look(inside, name)
    found = found or find_key(inside, path .. " > " .. name, seen)
  end
  if type(value) == "table" then
    for name, inside in next, value do
      look(name, "name")
      look(inside, tostring(name))
    end
  elseif type(value) == "userdata" then
    local n, inside, exists = 1, debug.getuservalue(value, 1)
    while exists do
      look(inside, "user value " .. n)
      n = n + 1
      inside, exists = debug.getuservalue(value, n)
    end
  elseif type(value) == "function" then
    local n, name, inside = 1, debug.getupvalue(value, 1)
    while name do
      look(inside, "upvalue " .. n)
      n = n + 1
      name, inside = debug.getupvalue(value, n)
    end
  end
  look(debug.getmetatable(value), "metatable")
  return found
end

local function hides(value, name)
  -- What any program can reach, this one's own texts with it, says nothing of raia.
  local seen = { [_G] = true, [package] = true, [package.loaded] = true, [require] = true }
  assert.is_nil(find_key(value, name or "value", seen))
end

local connect = clients { secret_key = KEY }

local GOOD = [[
  local connection = ...
  while connection:request() do
    connection:reply(200, '{"id":"c-1","conversationId":"c-1","message":"Hi","messages":'
      .. '[{"id":"m-1","message":"Hi"}]}')
  end]]
-- A server for each way to fail.
local BAD = {
  refused = [[
    local connection = ...
    while connection:request() do
      connection:reply(403, '{"name":"ForbiddenError","message":"INVALID_CREDENTIALS"}')
    end]],
  moved = [[
    local connection = ...
    while connection:request() do
      connection:reply(302, "", { Location = "http://127.0.0.1:1/" })
    end]],
  garbled = [[
    local connection = ...
    while connection:request() do connection:reply(200, "<html>") end]],
  quoted = [[
    local connection = ...
    local request = connection:request()
    while request do
      local key = request.headers["agent-secret-key"]
      connection:reply(400, '{"name":"' .. key .. '","message":"No agent has the key ' .. key
        .. '","details":[{"key":"' .. key .. '"}]}', { ["X-Request-Id"] = key })
      request = connection:request()
    end]],
  ["quoted in a page"] = [[
    local connection = ...
    local request = connection:request()
    while request do
      local key = request.headers["agent-secret-key"]
      connection:reply(200, "<html>" .. key, { ["Content-Type"] = "text/html; " .. key,
        ["X-Request-Id"] = key })
      request = connection:request()
    end]],
  ["quoted where the excerpt ends"] = [[
    local connection = ...
    local request = connection:request()
    while request do
      local key = request.headers["agent-secret-key"]
      connection:reply(200, "<html>" .. ("."):rep(1018 - #key // 2) .. key .. ("."):rep(2000))
      request = connection:request()
    end]],
  ["quoted in half an answer"] = [[
    local connection = ...
    local request = connection:request()
    while request do
      connection:reply(200, '{"key":"' .. request.headers["agent-secret-key"] .. '",')
      request = connection:request()
    end]],
  dropped = "local connection = ...; connection:request()",
  silent = "local connection = ...; connection:request(); connection:wait_close(60)",
}

describe("the search for the key", function()
  it("finds it, or a piece of it, wherever it is", function()
    local inside = { KEY }
    for name, value in pairs {
      ["a string"] = KEY, ["a text"] = "key: " .. KEY .. ".", ["a piece"] = KEY:sub(20, 27),
      ["a table"] = { { inside } }, ["a name"] = { [KEY] = true },
      ["a metatable"] = setmetatable({}, { __index = inside }),
      ["an upvalue"] = function() return inside end,
    } do
      assert.is_string(find_key(value, name), name)
    end
    hides { KEY:sub(1, PIECE - 1), "other" }
  end)
end)

describe("the key is not in", function()
  it("what tostring gives", function()
    local peer <close> = server.start(GOOD)
    local client = connect(peer)
    local objects = { client, client.conversations, client:conversation("c-1"),
      client:request("GET", "/x", nil, { wait = false }) }
    for _, call in pairs(calls) do objects[#objects + 1] = (assert(call(client))) end
    for _, object in ipairs(objects) do assert.is_false(leaks(tostring(object))) end
    client:close()
    for _, object in ipairs(objects) do assert.is_false(leaks(tostring(object))) end
  end)

  it("what can be reached from a client and its objects, with the debug library, too", function()
    local peer <close> = server.start(GOOD)
    local events, count = {}, 0
    local client = connect(peer, { headers = { ["X-A"] = "b" }, on_event = function(event)
      count = count + 1
      events[count] = event
    end })
    local objects = { client, client.conversations, client:conversation("c-1") }
    for _, call in pairs(calls) do
      local result = assert(call(client))
      local request = call(client, { wait = false, headers = { ["X-B"] = "c" } })
      hides(request, "a request under way")
      assert(request:wait())
      objects[#objects + 1] = result
      objects[#objects + 1] = request
    end
    for i, object in ipairs(objects) do hides(object, "object " .. i) end
    hides(raia, "raia")
    assert.equal(16, #events)
    hides(events, "events")
    client:close()
    for i, object in ipairs(objects) do hides(object, "closed object " .. i) end
  end)

  it("the registry of Lua", function()
    local peer <close> = server.start(GOOD)
    local client <close> = connect(peer, { on_event = type })
    assert(calls.get(client))
    for name, value in pairs(debug.getregistry()) do
      if type(name) == "userdata" or type(name) == "string" and name:find("^raia") then
        hides(value, "registry " .. tostring(name))
      end
    end
  end)

  for name, script in pairs(BAD) do
    it(("the error of a call that is %s, nor in its event"):format(name), function()
      local peer <close> = server.start(script)
      local events, count = {}, 0
      local client <close> = connect(peer, { timeout = name == "silent" and 0.2 or nil,
        on_event = function(event)
          count = count + 1
          events[count] = event
        end })
      for _, call in pairs(calls) do
        if name ~= "garbled" or call ~= calls.delete_all then
          local result, message, err = call(client)
          assert.is_nil(result)
          assert.is_false(leaks(message))
          assert.is_false(leaks(tostring(err)))
          hides(err, "error")
        end
      end
      assert.is_true(count >= 7)
      hides(events, "events")
    end)
  end

  it("the error of a call that nobody takes, that is invalid or comes too late", function()
    local client = raia.client { secret_key = KEY, max_retries = 0,
      base_url = "http://127.0.0.1:" .. server.dead_port() }
    for _, call in pairs(calls) do hides({ call(client) }, "no connection") end
    hides({ client.conversations:create { title = 5 } }, "invalid")
    client:close()
    for _, call in pairs(calls) do hides({ call(client) }, "closed") end
  end)

  it("errors that are raised, nor in their tracebacks", function()
    local good = { secret_key = KEY, base_url = "http://127.0.0.1:1" }
    local client = raia.client(good)
    -- what is changed in good options
    local options = {
      { time_out = 5 }, { timeout = -1 }, { timeout = "5" }, { max_retries = 0.5 },
      { secret_key = KEY .. "\n" }, { secret_key = KEY .. "\0" }, { secret_key = { KEY } },
      { secret_key = "\27" .. KEY }, { user_agent = "a\n" }, { region = "mars" },
      { base_url = "file:///etc" }, { base_url = "http://example.com" },
      { base_url = "https://" .. KEY .. "@example.com" },
      { base_url = "https://example.com/?key=" .. KEY }, { base_url = "http://" .. KEY },
      { headers = { ["Agent-Secret-Key"] = KEY } }, { headers = { ["X-A"] = KEY .. "\n" } },
      { headers = { KEY } }, { headers = KEY }, { proxy = KEY .. "\0" }, { on_event = KEY },
      { ca_file = { KEY } }, { KEY },
    }
    local raising = {
      function() raia.client(KEY) end,
      function() client:conversation("") end,
      function() client:conversation({ KEY }) end,
      function() client:request("GET", "x") end,
      function() client:request("get", "/x") end,
      function() calls.get(client, { headers = { ["agent-secret-key"] = KEY } }) end,
      function() client:request("GET", "/x", { body = {} }) end,
      function() raia.totable(client) end,
      function() client.conversations:start(5) end,
      function() return client.conversations.secret_key.x end,
      function() client.secret_key = KEY end,
      function() return client < client end,
      function() return client .. "" end,
    }
    for _, call in pairs(calls) do
      raising[#raising + 1] = function() call(client, { time_out = 5 }) end
    end
    for _, changes in ipairs(options) do
      local all = {}
      for name, value in pairs(good) do all[name] = value end
      for name, value in pairs(changes) do all[name] = value end
      raising[#raising + 1] = function() raia.client(all) end
    end
    for i, call in ipairs(raising) do
      local ok, text = xpcall(call, debug.traceback)
      assert.is_false(ok, i)
      assert.is_false(leaks(text), text)
    end
  end)
end)

describe("the key is not in what children inherit:", function()
  it("their environment and descriptors, though a client is open", function()
    local peer <close> = server.start(GOOD)
    local client <close> = connect(peer)
    assert(calls.get(client))
    local pipe <close> = assert(io.popen("env; readlink /proc/self/fd/*; cat /proc/self/cmdline"))
    local all = pipe:read("a")
    assert.is_truthy(all:find("PATH=", 1, true))
    assert.is_false(leaks(all))
  end)
end)

describe("the key is in", function()
  it("one header of each request, and in nothing else of it", function()
    local peer <close> = server.start [[
      local connection = ...
      while connection:request() do connection:reply(503) end]]
    local client <close> = connect(peer, { headers = { ["X-A"] = "b" } })
    local waited = {}
    for _, call in pairs(calls) do
      call(client)
      waited[#waited + 1] = call(client, { max_retries = 2, headers = { ["X-B"] = "c" },
        wait = false })
    end
    for _, request in ipairs(waited) do request:wait() end
    local requests = peer:requests()
    assert.equal(8 + 3 + 5 * 3, #requests) -- a POST is not tried again
    for _, request in ipairs(requests) do
      local count = 0
      for _, header in ipairs(request.header_list) do
        if header[1]:lower() == "agent-secret-key" then
          count = count + 1
          assert.equal(KEY, header[2])
        else
          assert.is_false(leaks(header[1] .. header[2]))
        end
      end
      assert.equal(1, count)
      assert.is_false(leaks(request.method .. request.path .. request.body))
      assert.is_false(leaks((request.head:gsub(KEY, "", 1))))
    end
  end)

  it("requests of its own client alone", function()
    local peer <close> = server.start(GOOD)
    local one <close> = connect(peer)
    local other <close> = connect(peer, { secret_key = "other" })
    for _ = 1, 2 do
      assert(calls.get(one))
      assert(calls.get(other))
    end
    local keys = {}
    for i, request in ipairs(peer:requests()) do keys[i] = request.headers["agent-secret-key"] end
    assert.same({ KEY, "other", KEY, "other" }, keys)
  end)
end)

describe("the key is not in the output of a program", function()
  local PROGRAM = [[
    local raia = require "raia"
    print((io.open("/proc/self/cmdline"):read("a"):gsub("\0", " ")))
    local function show(...)
      print(...)
      local err = select(3, ...)
      for name, value in pairs(type(err) == "table" and err or {}) do print(name, value) end
    end
    local client = raia.client { max_retries = 0, timeout = tonumber(os.getenv("SECONDS")),
      ca_file = os.getenv("CA_FILE"), on_event = function(event)
        for name, value in pairs(event) do print(name, value) end
      end }
    print(client, client.conversations)
    show(client.conversations:create { conversationUserId = "u" })
    show(client.conversations:create {})
    show(client.conversations:get("c-1"))
    show(client:conversation("c-1"):send("Hello"))
    show(client:conversation("c-1"):messages())
    show(client.conversations:delete_all("u"))
    print(client:request("GET", "/x", nil, { wait = false }))
    print(pcall(client.request, client, "GET", "/x", nil, { time_out = 5 }))
    client:close()
    show(client.conversations:get("c-1"))]]

  local made

  setup(function() made = certificates() end)
  teardown(function() made.remove() end)

  -- The output of the program against a server, at each level of the log, without any key in it.
  local function outputs(url, more, program)
    local all = {}
    for _, level in ipairs { "info", "debug" } do
      local environment = { RAIA_REGION = false, RAIA_BASE_URL = url, RAIA_LOG = level,
        RAIA_AGENT_SECRET_KEY = KEY, CA_FILE = false, SECONDS = false }
      for name, value in pairs(more or {}) do environment[name] = value end
      local output = run("lua5.4 -", environment, program or PROGRAM)
      for line in output:gmatch("[^\n]+") do assert.is_false(leaks(line), line) end
      assert.is_truthy(output:find("raia: GET ", 1, true), output)
      all[level] = output
    end
    return all
  end

  it("that succeeds", function()
    local peer <close> = server.start(GOOD)
    local debugged = outputs(peer.base_url).debug
    assert.is_truthy(debugged:find("> POST /external/conversations HTTP/1.1", 1, true))
    assert.is_truthy(debugged:find("> Agent-Secret-Key", 1, true))
  end)

  it("that fails, whatever the way", function()
    for name, script in pairs(BAD) do
      local peer <close> = server.start(script)
      outputs(peer.base_url, { SECONDS = name == "silent" and "0.2" or "10" })
    end
    outputs("http://127.0.0.1:" .. server.dead_port())
  end)

  it("of a server that gives it back in its headers", function()
    local peer <close> = server.start [[
      local connection = ...
      local request = connection:request()
      while request do
        local key = request.headers["agent-secret-key"]
        connection:reply(200, '{"id":"c-1","messages":[]}', { ["X-Echo"] = key,
          ["X-More"] = "a" .. key .. key .. "b" })
        request = connection:request()
      end]]
    outputs(peer.base_url)
  end)

  it("over HTTP/2 and TLS", function()
    local box <close> = assert(sandbox.start { key = KEY, any_user = true,
      tls_cert = made.good.cert,
      tls_key = made.good.key })
    local all = outputs(box.base_url, { CA_FILE = made.ca })
    assert.is_truthy(all.debug:find("< HTTP/2 201", 1, true))
    assert.is_truthy(all.debug:lower():find("agent-secret-key", 1, true))
  end)

  it("that does not trust the server", function()
    for _, name in ipairs { "self_signed", "expired", "other_host" } do
      local peer <close> = server.start(GOOD, { tls = made[name] })
      local all = outputs(peer.base_url, { CA_FILE = made.ca })
      assert.is_truthy(all.info:find("tls", 1, true))
      assert.equal(0, #peer:requests())
    end
  end)

  it("when its headers are so many that libcurl sends them in pieces", function()
    local peer <close> = server.start(GOOD, { tls = made.good })
    outputs(peer.base_url, { CA_FILE = made.ca }, [[
      local client = require "raia".client { ca_file = os.getenv("CA_FILE"), max_retries = 0 }
      for _, size in ipairs { 2 ^ 14, 2 ^ 16 } do
        for padding = size - 400, size, 16 do
          local headers = {}
          for i = 1, 5 do headers["X-Pad-" .. i] = ("."):rep(padding // 5) end
          assert(client:request("GET", "/x", nil, { headers = headers, timeout = 10 }))
        end
      end]])
    assert.is_true(#peer:requests() > 100)
  end)
end)
