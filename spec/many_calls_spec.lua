-- Many calls at once: max_connections, one Retry-After for all, HTTP/2, a thousand calls.
local raia = require "raia"
local scheduler = require "raia.core".scheduler
local servers = require "spec.support.server"
local support = require "spec.support.run"
local start_sandbox = require "raia.sandbox".start
local clients = require "spec.support.client"

local connect = clients()

-- Answers with how many connections are open; /wait/SECONDS, /hang, and /limited, which is refused
-- once on each connection.
local script = [[
open, most = (open or 0) + 1, math.max(most or 0, (open or 0) + 1)
local connection = ...
local refused = false
local request = connection:request()
while request do
  local seconds = request.path:match "^/wait/([%d.]+)"
  if seconds then connection:sleep(tonumber(seconds)) end
  if request.path == "/hang" then connection:wait_close(60) end
  if request.path == "/hang" then break end
  if request.path == "/limited" and not refused then
    refused = true
    connection:reply(429, {}, { ["Retry-After"] = 2 })
  else
    connection:reply(200, { path = request.path, most = most })
  end
  request = connection:request()
end
open = open - 1
]]

describe("max_connections", function()
  local server

  before_each(function() server = servers.start(script) end)
  after_each(function()
    server:close()
    assert.equal(0, (scheduler.state()))
  end)

  local function begin(client, path, options)
    local all = { wait = false }
    for name, value in pairs(options or {}) do all[name] = value end
    return client:request("GET", path, nil, all)
  end

  -- Moves along until the server has read so many requests.
  local function until_seen(count)
    for _ = 1, 600 do
      raia.step(0.05)
      if #server:requests() >= count then return end
    end
    error("the server has not seen " .. count .. " requests")
  end

  local function paths()
    local list = {}
    for i, request in ipairs(server:requests()) do list[i] = request.path end
    return list
  end

  for _, most in ipairs { 1, 4 } do
    it("is what the server sees at the most: " .. most, function()
      local client <close> = connect(server, { max_connections = most })
      local requests = {}
      for i = 1, 40 do requests[i] = begin(client, "/wait/0.02/" .. i) end
      local seen = 0
      for i, request in ipairs(requests) do
        local reply = assert(request:wait(60))
        assert.equal("/wait/0.02/" .. i, reply.path)
        seen = math.max(seen, reply.most)
      end
      assert.equal(most, seen)
      assert.equal(most, server:connections())
    end)
  end

  it("is each client's own", function()
    local first <close> = connect(server, { max_connections = 1 })
    local second <close> = connect(server, { max_connections = 1 })
    local requests = { begin(first, "/hang"), begin(first, "/never"), begin(second, "/other") }
    assert.equal("/other", assert(requests[3]:wait(60)).path)
    assert.is_false(requests[2]:done())
  end)

  it("is 64 unless it is given", function()
    local client <close> = connect(server)
    local requests = {}
    for i = 1, 70 do requests[i] = begin(client, "/hang") end
    until_seen(64)
    for _ = 1, 10 do raia.step(0.05) end
    assert.equal(64, #server:requests())
    assert.equal(70, raia.step())
    requests[1]:cancel()
    until_seen(65)
  end)

  it("has the others wait in their order", function()
    local client <close> = connect(server, { max_connections = 1 })
    local requests, expected = {}, {}
    for i = 1, 20 do
      expected[i] = "/" .. i
      requests[i] = begin(client, expected[i])
    end
    assert(requests[20]:wait(60))
    assert.same(expected, paths())
  end)

  it("lets one that waits be cancelled: it is never sent, and the next goes on", function()
    local client <close> = connect(server, { max_connections = 1 })
    local first, second, third =
      begin(client, "/wait/0.3"), begin(client, "/second"), begin(client, "/third")
    until_seen(1)
    assert.is_true(second:cancel())
    local value, _, err = second:wait(60)
    assert.is_nil(value)
    assert.equal("cancelled", err.kind)
    assert.equal("no", err.sent)
    assert.equal(0, err.attempts)
    assert.equal("/third", assert(third:wait(60)).path)
    assert(first:result())
    assert.same({ "/wait/0.3", "/third" }, paths())
  end)

  it("lets one that waits be dropped", function()
    local client <close> = connect(server, { max_connections = 1 })
    local first = begin(client, "/wait/0.3")
    begin(client, "/dropped")
    collectgarbage()
    collectgarbage()
    assert.equal(1, raia.step())
    assert(begin(client, "/last"):wait(60))
    assert(first:result())
    assert.same({ "/wait/0.3", "/last" }, paths())
  end)

  it("makes room when the one under way is cancelled", function()
    local client <close> = connect(server, { max_connections = 1 })
    local first, second = begin(client, "/hang"), begin(client, "/second")
    until_seen(1)
    first:cancel()
    assert.equal("/second", assert(second:wait(60)).path)
  end)

  it("lets those that wait be closed with their client", function()
    local client = connect(server, { max_connections = 1 })
    local requests = {}
    for i = 1, 5 do requests[i] = begin(client, i == 1 and "/hang" or "/" .. i) end
    until_seen(1)
    client:close()
    for i, request in ipairs(requests) do
      local value, _, err = request:wait(60)
      assert.is_nil(value)
      assert.equal("closed", err.kind)
      assert.equal(i == 1 and "maybe" or "no", err.sent)
    end
    assert.same({ "/hang" }, paths())
  end)

  it("lets no time run while a call waits for its turn", function()
    local client <close> = connect(server, { max_connections = 1, timeout = 2 })
    local requests = {}
    for i = 1, 3 do requests[i] = begin(client, "/wait/1.2/" .. i) end
    for i, request in ipairs(requests) do
      local reply, message = request:wait(60)
      assert(reply, message)
      assert.equal("/wait/1.2/" .. i, reply.path)
    end
  end)

  it("lets the next go on after one that timed out", function()
    local client <close> = connect(server, { max_connections = 1 })
    local first, second = begin(client, "/hang", { timeout = 0.3 }), begin(client, "/second")
    assert.equal("timeout", select(3, first:wait(60)).kind)
    assert.equal("/second", assert(second:wait(60)).path)
  end)

  it("holds for quick calls on kept connections: these are not taken for HTTP/2", function()
    local client <close> = connect(server, { max_connections = 4 })
    local list = {}
    for i = 1, 400 do list[i] = "/" .. i end
    local most = 0
    assert(raia.map(list, function(path)
      most = math.max(most, assert(client:request("GET", path)).most)
      return true
    end, { concurrency = 50 }))
    assert.equal(4, most)
    assert.equal(4, server:connections())
  end)

  it("holds for tasks, too", function()
    local client <close> = connect(server, { max_connections = 3 })
    local list, seen = {}, 0
    for i = 1, 30 do list[i] = i end
    assert(raia.map(list, function()
      local reply = assert(client:request("GET", "/wait/0.02"))
      seen = math.max(seen, reply.most)
      return reply
    end, { concurrency = 30 }))
    assert.equal(3, seen)
    assert.equal(3, server:connections())
  end)
end)

describe("a 429 with Retry-After", function()
  it("slows all calls of its client down, but not another's", function()
    local server <close> = servers.start(script)
    local options = { base_url = server.base_url, secret_key = "k", max_retries = 1,
      max_connections = 3 }
    local client <close> = raia.client(options)
    local other <close> = raia.client(options)
    local limited = client:request("GET", "/limited", nil, { wait = false })
    while #server:requests() == 0 do raia.step(0.05) end
    while not limited:wait(0.2) and raia.step() == 0 do raia.step(0.05) end -- the 429 is in
    local requests = {}
    for i = 1, 6 do
      requests[i] = client:request("GET", "/slowed", nil, { wait = false })
    end
    assert(other:request("GET", "/other"))
    assert.equal("/limited", assert(limited:wait(60)).path)
    for _, request in ipairs(requests) do assert(request:wait(60)) end
    local refused, slowed, others = nil, 0, 0
    for _, request in ipairs(server:requests()) do
      refused = refused or request.time
      local after = request.time - refused
      if request.path == "/slowed" then
        slowed = slowed + 1
        assert.is_true(after > 1.5)
      elseif request.path == "/other" then
        others = others + 1
        assert.equal(0, slowed)
      end
    end
    assert.equal(6, slowed)
    assert.equal(1, others)
  end)

  it("lets those that wait for it be cancelled and closed", function()
    local server <close> = servers.start(script)
    local client = connect(server, { max_retries = 2 })
    local limited = client:request("GET", "/limited", nil, { wait = false })
    limited:wait(0.5)
    local late = client:request("GET", "/late", nil, { wait = false })
    local later = client:request("GET", "/later", nil, { wait = false })
    assert.is_true(late:cancel())
    client:close()
    local _, _, err = late:wait(60)
    assert.equal("cancelled", err.kind)
    assert.equal("no", err.sent)
    _, _, err = later:wait(60)
    assert.equal("closed", err.kind)
    assert.equal(1, #server:requests())
    assert.equal(0, (scheduler.state()))
  end)
end)

describe("HTTP/2", function()
  local certificates, sandbox, passage
  local most = 9 -- connections: one by which HTTP/2 becomes known, and eight

  -- The sandbox behind a server that passes bytes on, and counts connections.
  setup(function()
    certificates = require "spec.support.certificates" ()
    sandbox = assert(start_sandbox { delay = 1, any_user = true, tls_cert = certificates.good.cert,
      tls_key = certificates.good.key })
    local host, port = sandbox.base_url:match("^https://([^:]+):(%d+)$")
    passage = servers.start(([[
      local connection = ...
      connection:plain()
      connection:pipe(%q, %d)
    ]]):format(host, port))
  end)

  teardown(function()
    passage:close()
    sandbox:close()
    certificates.remove()
  end)

  local function through_passage(options)
    return clients { ca_file = certificates.ca, secret_key = sandbox.secret_key, timeout = 60,
      max_retries = 2 } ("https://localhost:" .. passage.port, options)
  end

  -- Asks so many questions at once, each with its own answer; gives the seconds it took.
  local function ask(client, count)
    local list = {}
    for i = 1, count do list[i] = "question " .. i end
    local conversation = assert(client.conversations:create { conversationUserId = "h2" })
    local from = scheduler.now()
    local answers = assert(raia.timeout(60, raia.map, list, function(question)
      return conversation:send(question)
    end, { concurrency = count }))
    for i, answer in ipairs(answers) do
      assert.equal("You said: question " .. i, answer.message)
    end
    return scheduler.now() - from
  end

  it("carries two hundred calls at once on few connections", function()
    local client <close> = through_passage()
    local before = passage:connections()
    assert.is_true(ask(client, 200) < 10)
    assert.is_true(passage:connections() - before <= most)
  end)

  it("does so from the first call on", function()
    local client <close> = through_passage()
    local before = passage:connections()
    local list = {}
    for i = 1, 100 do list[i] = i end
    assert(raia.map(list, function()
      return client.conversations:create { conversationUserId = "h2" }
    end, { concurrency = 100 }))
    assert.is_true(passage:connections() - before <= most)
  end)

  it("lets one call be cancelled without harm to the others", function()
    local client <close> = through_passage()
    local conversation = assert(client.conversations:create { conversationUserId = "h2" })
    local before = passage:connections()
    local requests = {}
    for i = 1, 20 do requests[i] = conversation:send("question " .. i, { wait = false }) end
    raia.step(0.3)
    for i = 1, 20, 2 do requests[i]:cancel() end
    for i = 2, 20, 2 do
      assert.equal("You said: question " .. i, assert(requests[i]:wait(60)).message)
    end
    assert(conversation:refresh())
    assert.is_true(passage:connections() - before <= most)
  end)

  it("lets no time run while a call waits for its turn", function()
    local client <close> = through_passage { max_connections = 1, timeout = 4 }
    assert.is_true(ask(client, 450) < 30)
  end)
end)

describe("a thousand calls at once", function()
  it("take little longer than one, and each gets its own answer", function()
    local output, status = support.run("ulimit -n 4096 && lua5.4 -", nil, [[
      local raia = require "raia"
      local now = require "raia.core".scheduler.now
      local sandbox <close> = assert(require "raia.sandbox".start { delay = 1, any_user = true })
      local client <close> = raia.client { base_url = sandbox.base_url,
        secret_key = sandbox.secret_key, max_connections = 1000 }
      local list = {}
      for i = 1, 1000 do list[i] = i end
      local conversations = assert(raia.map(list, function(i)
        return client.conversations:create { conversationUserId = "user " .. i }
      end))
      local from = now()
      local answers = assert(raia.map(conversations, function(conversation, i)
        return conversation:send("question " .. i)
      end, { concurrency = 1000 }))
      local seconds = now() - from
      for i, answer in ipairs(answers) do
        assert(answer.message == "You said: question " .. i)
        assert(answer.conversationId == conversations[i].id)
      end
      print(#answers, seconds < 10 and "in time" or seconds)]])
    assert.equal("1000\tin time\n", output)
    assert.equal(0, status)
  end)
end)
