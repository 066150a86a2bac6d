-- Bursts of calls on a new client, during a 429, with replies that announce more than they send,
-- and on a connection that is just closing.
local cqueues = require "cqueues"
local raia = require "raia"
local calls = require "spec.support.calls"
local certificates = require "spec.support.certificates"
local server = require "spec.support.server"
local support = require "spec.support.run"
local clients = require "spec.support.client"

local certificate = certificates()
teardown(function() certificate.remove() end)

local no_wait = { wait = false }

local function start(protocol, script, ports)
  return server.start(script, { ports = ports, tls = protocol and {
    cert = certificate.good.cert, key = certificate.good.key, protocol = protocol } })
end

local connect = clients { timeout = 60, ca_file = certificate.ca }

-- Moves along for some seconds, or until so many of the requests are done. Gives those, and the
-- others.
local function wait_for(requests, count)
  local done, others
  for _ = 1, 300 do
    done, others = {}, {}
    for _, request in ipairs(requests) do
      table.insert(request:done() and done or others, request)
    end
    if #done >= count then break end
    raia.step(0.05)
  end
  return done, others
end

-- ---- a client that knows nothing of its server ----

describe("ten calls at once of a new client, to a server of HTTP/1.1 over TLS:", function()
  local firsts = {
    { "its first answer hangs", "connection:request() connection:wait_close(60)", hangs = true },
    { "its first handshake hangs", "connection:plain() connection:wait_close(60)", sent = "no" },
    { "its first connection is reset", "connection:plain() connection:reset()", sent = "no" },
    { "its first request is not answered", "connection:request()", sent = "maybe" },
  }
  for _, protocol in ipairs { "", "http/1.1" } do
    for _, first in ipairs(firsts) do
      it(("%s, and the other nine are answered soon%s"):format(first[1],
        protocol == "" and "" or " (ALPN says " .. protocol .. ")"), function()
          local fault_server <close> = start(protocol, ([[
            local connection, index = ...
            if index == 1 then %s return end
            local request = connection:request()
            while request do
              connection:reply(200, { id = request.path })
              request = connection:request()
            end
          ]]):format(first[2]))
          local client <close> = connect(fault_server, { connect_timeout = 2 })
          local requests = {}
          for i = 1, 10 do requests[i] = client:request("POST", "/" .. i, nil, no_wait) end
          local done, others = wait_for(requests, first.hangs and 9 or 10)
          assert.equal(first.hangs and 1 or 0, #others)
          local failed = 0
          for _, request in ipairs(done) do
            local value, message, err = request:result()
            if value then
              assert.equal(request, requests[tonumber(value.id:match "%d+")])
            else
              failed = failed + 1
              assert.equal(first.sent, err.sent, message)
            end
          end
          assert.equal(first.hangs and 0 or 1, failed)
        end)
    end
  end
end)

describe("a hundred calls at once over HTTP/2, beside a busy core,", function()
  local echo = [[
    local connection = ...
    local peer = connection:http2()
    local request = peer:request()
    while request do
      peer:reply(request.stream, 200, '{"path":"' .. request.path .. '"}')
      request = peer:request()
    end
  ]]
  local busy, pid

  lazy_setup(function()
    busy = io.popen("echo $$; exec lua5.4 -e 'for _ = 1, 1e11 do end'", "r")
    pid = busy:read "n"
  end)

  lazy_teardown(function()
    os.execute("kill " .. pid)
    busy:close()
  end)

  for _, kept in ipairs { false, true } do
    it("share a few connections, on a " .. (kept and "used" or "new") .. " client", function()
      local fault_server <close> = start("h2", echo, 10)
      for place = 1, 10 do
        local client <close> = connect(fault_server,
          { base_url = fault_server.base_urls[place] })
        if kept then assert(client:request("GET", "/first")) end
        local requests = {}
        for i = 1, 100 do
          requests[i] = client:request(i % 2 == 0 and "GET" or "POST", "/" .. i, nil, no_wait)
        end
        for i = 1, 100 do assert.equal("/" .. i, assert(requests[i]:wait()).path) end
        local connections = fault_server:connections(place)
        assert.is_true(connections <= 9, "there were " .. connections)
      end
    end)
  end
end)

-- ---- a client that is held back ----

describe("while a 429 with Retry-After: 20 holds a client back,", function()
  local names = {}
  for name in pairs(calls) do names[#names + 1] = name end

  for _, max_retries in ipairs { 0, 2 } do
    it("calls of a second end in their own time, and were not sent: max_retries " .. max_retries,
      function()
        local fault_server <close> = start(nil, [[
          local connection = ...
          while connection:request() do
            connection:reply(429, { message = "slow down" }, { ["Retry-After"] = "20" })
          end
        ]])
        local client <close> = connect(fault_server)
        assert.equal(429, select(3, calls.send(client)).status)
        local began = cqueues.monotime()
        local requests = {}
        for _, name in ipairs(names) do
          requests[#requests + 1] = calls[name](client, { wait = false, timeout = 1,
            max_retries = max_retries })
        end
        for _, request in ipairs(requests) do
          local value, message, err = request:wait()
          assert.is_nil(value)
          assert.equal("http", err.kind, message)
          assert.equal(429, err.status)
          assert.equal("no", err.sent)
          assert.is_true(err.retryable)
          assert.is_true(err.retry_after > 1 and err.retry_after <= 20)
        end
        assert.is_true(cqueues.monotime() - began < 10, "they have waited")
        assert.equal(1, #fault_server:requests())
      end)
  end

  it("a call that has the time waits, and is answered", function()
    local fault_server <close> = start(nil, [[
      local connection = ...
      while connection:request() do
        seen = (seen or 0) + 1
        connection:reply(seen == 1 and 429 or 200, '{"id":"m"}', { ["Retry-After"] = "2" })
      end
    ]])
    local client <close> = connect(fault_server)
    assert.equal(429, select(3, calls.send(client)).status)
    local short = calls.send(client, { wait = false, timeout = 0.5 })
    assert(calls.send(client, { timeout = 20 }))
    assert.equal(429, select(3, short:wait()).status)
    assert.equal(2, #fault_server:requests())
  end)
end)

-- ---- what fifty replies may cost ----

describe("fifty replies that announce 32 MiB and send a byte", function()
  local scripts = {
    { "HTTP/1.1", nil, [[
      local connection = ...
      connection:request()
      connection:send("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
        .. "Content-Length: 33554432\r\n\r\n{")
      connection:wait_close(60)
    ]] },
    { "HTTP/2", "h2", [[
      local connection = ...
      local peer = connection:http2()
      local request = peer:request()
      while request do
        peer:headers(request.stream, 200, { ["content-type"] = "application/json",
          ["content-length"] = 33554432 })
        peer:data(request.stream, "{")
        request = peer:request()
      end
    ]] },
  }
  for _, case in ipairs(scripts) do
    it("take memory for what came, over " .. case[1], function()
      local fault_server <close> = start(case[2], case[3])
      local output = support.run("lua5.4 -", { URL = fault_server.base_url, CA = certificate.ca },
        [[
          local raia = require "raia"
          local client = raia.client { base_url = os.getenv "URL", ca_file = os.getenv "CA",
            secret_key = "a-marked-key", timeout = 60, max_retries = 0 }
          local function kilobytes(name)
            for line in io.lines "/proc/self/status" do
              local number = line:match("^" .. name .. ":%s*(%d+)")
              if number then return tonumber(number) end
            end
          end
          local size, resident = kilobytes "VmSize", kilobytes "VmRSS"
          local requests = {}
          for i = 1, 50 do
            requests[i] = client:request("GET", "/" .. i, nil, { wait = false })
          end
          for _ = 1, 40 do raia.step(0.05) end
          print("grown", kilobytes "VmSize" - size, kilobytes "VmRSS" - resident)
          for i = 1, 50 do if requests[i]:done() then print(requests[i]:result()) end end
          os.exit(0)
        ]])
      local size, resident = output:match "^grown\t(%-?%d+)\t(%-?%d+)\n$"
      assert(size, output)
      assert.equal(50, #fault_server:requests())
      assert.is_true(tonumber(size) < 300 * 1024, "the process has grown by kB: " .. size)
      assert.is_true(tonumber(resident) < 100 * 1024, "memory has grown by kB: " .. resident)
    end)
  end
end)

-- ---- connections ----

-- The timer of the client's socket to `port`, and its hundredths of a second, as Linux tells them.
local function timer_of(port)
  local wanted = (":%04X"):format(port)
  for _, path in ipairs { "/proc/net/tcp", "/proc/net/tcp6" } do
    for line in io.lines(path) do
      local peer, timer, left = line:match "^%s*%d+: %x+:%x+ %x+(:%x+) 01 %x+:%x+ (%x+):(%x+)"
      if peer == wanted then return tonumber(timer, 16), tonumber(left, 16) end
    end
  end
end

describe("a connection on which a call waits", function()
  for name, protocol in pairs { ["HTTP/1.1"] = false, ["HTTP/1.1 over TLS"] = "",
    ["HTTP/2"] = "h2" } do
    it("is probed after a minute of silence, over " .. name, function()
      local fault_server <close> = start(protocol or nil, [[
        local connection = ...
        local peer = connection.wants_tls and connection:http2() or connection
        peer:request()
        connection:wait_close(60)
      ]])
      local client <close> = connect(fault_server)
      local request = calls.send(client, no_wait)
      local timer, left
      for _ = 1, 200 do
        raia.step(0.05)
        timer, left = timer_of(fault_server.port)
        if timer == 2 and #fault_server:requests() == 1 then break end
      end
      assert.equal(2, timer, "it has no keepalive timer")
      assert.is_true(left > 3000 and left <= 6000, "it is due in hundredths: " .. left)
      request:cancel()
    end)
  end
end)

-- ---- a connection that is just ending ----

describe("HTTP/2: a server closes without GOAWAY behind its answer;", function()
  local rows = {}
  for _, pause in ipairs { 0, 0.1, 0.5, 1.2 } do
    for _, count in ipairs { 1, 5 } do
      for _, max_retries in ipairs { 0, 2 } do
        for _, apart in ipairs { 0, 0.02 } do
          table.insert(rows, { pause = pause, count = count, max_retries = max_retries,
            apart = apart })
        end
      end
    end
  end
  local fault_server, delivered

  -- The first connection that a client is to keep closes `apart` seconds behind the answer. What
  -- comes yet is read, and counted.
  lazy_setup(function()
    local texts = {}
    for i, row in ipairs(rows) do texts[i] = row.apart end
    fault_server = start("h2", ([[
      local connection, _, place = ...
      local apart = { %s }
      local peer = connection:http2()
      local request = peer:request()
      connection:within(10)
      while request do
        if not connection.ended then
          peer:reply(request.stream, 200, '{"id":"' .. request.path .. '"}')
        end
        if request.path:find "last" then
          if apart[place] > 0 then connection:sleep(apart[place]) end
          connection:shutdown_write()
          connection.ended = true
        end
        request = peer:request()
      end
    ]]):format(table.concat(texts, ", ")), #rows)
    local places = {}
    for i in ipairs(rows) do places[i] = i end
    raia.map(places, function(place)
      local row = rows[place]
      local client <close> = connect(fault_server, { base_url = fault_server.base_urls[place],
        max_retries = row.max_retries })
      assert(client:request("GET", "/first"))
      assert(client:request("GET", "/last"))
      if row.pause > 0 then raia.sleep(row.pause) end
      row.requests = {}
      for i = 1, row.count do
        row.requests[i] = client:request(i % 2 == 1 and "POST" or "PUT",
          ("/%d/%d"):format(place, i), { body = { i } }, no_wait)
      end
      for i = 1, row.count do row.requests[i]:wait() end
      return true
    end)
    delivered = {}
    for _, request in ipairs(fault_server:requests()) do
      delivered[request.path] = (delivered[request.path] or 0) + 1
    end
  end)

  lazy_teardown(function() fault_server:close() end)

  for place, row in ipairs(rows) do
    it(("%d calls %.1f s later, the close %.2f s behind, max_retries %d: once at most"):format(
      row.count, row.pause, row.apart, row.max_retries), function()
        for i, request in ipairs(row.requests) do
          local path = ("/%d/%d"):format(place, i)
          local value, message, err = request:result()
          local times = delivered[path] or 0
          if value then
            assert.equal(path, value.id)
          else
            assert.equal("connection", err.kind, message)
            assert.is_true(err.sent == "maybe" or times == 0, message)
          end
          assert.is_true(times <= (i % 2 == 1 and 1 or 1 + row.max_retries),
            "it was delivered " .. times .. " times")
          if row.max_retries == 2 and i % 2 == 0 then assert(value, message) end
        end
      end)
  end
end)
