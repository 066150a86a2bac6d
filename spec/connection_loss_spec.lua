-- How often a call is delivered, and how it ends, when its connection dies or stalls.
local cqueues = require "cqueues"
local connections = require "spec.support.connections"

local start, connect, calls = connections.start, connections.connect, connections.calls
local send, get = connections.send, connections.get
local check_failure, timed = connections.check_failure, connections.timed
local wait_until = connections.wait_until

teardown(connections.certificate.remove)

-- Sends a message to a server for each case, all at once, and keeps in the case what came of
-- it and after how many seconds. The server plays case[2], over TLS if the case says so.
local function send_to_each(cases, timeout)
  for _, case in ipairs(cases) do
    case.server = start(case[2], case.tls)
    case.client = connect(case.server, { timeout = timeout })
  end
  for _, case in ipairs(cases) do -- once all servers have started: that takes time, too
    case.began = cqueues.monotime()
    case.request = case.client:conversation("a"):send("hello", { wait = false })
  end
  for _, case in ipairs(cases) do
    case.outcome = table.pack(case.request:wait(10))
    case.seconds = cqueues.monotime() - case.began
  end
end

local function close_each(cases)
  for _, case in ipairs(cases) do
    case.client:close()
    case.server:close()
  end
end

describe("a server that says nothing", function()
  local cases = {
    { "and never reads", "connection:sleep(30)", sent = "maybe", delivered = 0 },
    { "after it has read the request", "connection:request() connection:wait_close(30)",
      sent = "maybe", delivered = 1 },
    { "instead of beginning TLS", "connection:sleep(30)", sent = "no", delivered = 0,
      tls = true },
    { "after it has read the beginning of TLS", "connection:plain() connection:wait_close(30)",
      sent = "no", delivered = 0, tls = true },
    { "over TLS, after it has read the request",
      "connection:request() connection:wait_close(30)", sent = "maybe", delivered = 1,
      tls = true },
    { "more, after a 100 Continue", [[connection:request()
      connection:send("HTTP/1.1 100 Continue\r\n\r\n") connection:wait_close(30)]],
      sent = "maybe", delivered = 1 },
    { "more, after HTTP/1.1 200", [[connection:request()
      connection:send("HTTP/1.1 200") connection:wait_close(30)]],
      sent = "maybe", delivered = 1 },
  }

  lazy_setup(function() send_to_each(cases, 2) end)
  lazy_teardown(function() close_each(cases) end)

  for _, case in ipairs(cases) do
    it(case[1] .. " is left when the time is over; the POST was delivered once at most",
      function()
        local err = check_failure("timeout", case.sent, table.unpack(case.outcome))
        assert.equal(case.sent == "no", err.retryable)
        assert.is_true(case.seconds < 10, "it took " .. case.seconds)
        assert.equal(case.delivered, #case.server:requests())
        assert.equal(1, case.server:connections())
      end)
  end

  it("to a POST is asked no second time, whatever max_retries", function()
    local fault_server <close> = start("connection:request() connection:wait_close(30)")
    local client <close> = connect(fault_server, { timeout = 2, max_retries = 2 })
    local err = check_failure("timeout", "maybe", send(client))
    assert.equal(1, err.attempts)
    assert.equal(1, #fault_server:requests())
  end)

  it("to a GET is asked again", function()
    local fault_server <close> = start([[
      if index == 1 then connection:request() connection:wait_close(30) else serve("own") end
    ]])
    local client <close> = connect(fault_server, { timeout = 2, max_retries = 1 })
    assert.equal("m", assert(get(client)).id)
    assert.equal(2, #fault_server:requests())
  end)

  it("instead of beginning TLS is asked again, with a POST too", function()
    local fault_server <close> = start([[
      if index == 1 then connection:sleep(30) else serve("own") end
    ]], true)
    local client <close> = connect(fault_server, { timeout = 2, max_retries = 1 })
    assert.equal("own", tostring(assert(send(client))))
    assert.equal(1, #fault_server:requests())
  end)
end)

-- How a connection can die: `read` is what the server had of the request.
local deaths = {
  { "closes after the request", "connection:request() connection:close()", read = "all",
    get = true },
  { "resets after the request", "connection:request() connection:reset()", read = "all",
    get = true },
  { "closes after half a status line",
    [[connection:request() connection:send("HTTP/1.1 20") connection:close()]], read = "all" },
  { "resets after half a status line", [[connection:request() connection:send("HTTP/1.1 20")
    connection:sleep(0.05) connection:reset()]], read = "all" },
  { "closes after a status line", [[connection:request()
    connection:send("HTTP/1.1 201 Created\r\n") connection:close()]], read = "all" },
  { "closes within the headers", [[connection:request()
    connection:send("HTTP/1.1 201 Created\r\nContent-Le") connection:close()]], read = "all" },
  { "resets after the headers", [[connection:request()
    connection:send("HTTP/1.1 201 Created\r\nContent-Length: 9\r\n\r\n")
    connection:sleep(0.05) connection:reset()]], read = "all" },
  { "closes after a 100 Continue", [[connection:request()
    connection:send("HTTP/1.1 100 Continue\r\n\r\n") connection:close()]], read = "all" },
  { "closes after the request's head", "connection:head() connection:close()", read = "head" },
  { "resets after the request's head", "connection:head() connection:reset()", read = "head" },
  { "closes without reading", "connection:sleep(0.05) connection:close()", read = "nothing" },
  { "resets without reading", "connection:sleep(0.2) connection:reset()", read = "nothing" },
}

for _, over_tls in ipairs({ false, true }) do
  local name = over_tls and "a server behind TLS" or "a server"

  describe(name .. " that", function()
    for _, death in ipairs(deaths) do
      if death.read == "all" then
        for _, call in ipairs(calls) do
          it(("%s gets a %s once"):format(death[1], call[1]), function()
            local fault_server <close> = start(death[2], over_tls)
            local client <close> = connect(fault_server, { max_retries = 2 })
            local err = check_failure("connection", "maybe", call[2](client))
            assert.is_false(err.retryable)
            assert.equal(1, err.attempts)
            assert.equal(1, #fault_server:requests())
          end)

          it(("%s on a kept connection gets a %s once"):format(death[1], call[1]), function()
            local fault_server <close> = start([[
              if index == 1 then connection:request() answer("first") end
            ]] .. death[2], over_tls)
            local client <close> = connect(fault_server, { max_retries = 2 })
            assert(send(client))
            local err = check_failure("connection", "maybe", call[2](client))
            assert.is_false(err.retryable)
            assert.equal(1, err.attempts)
            assert.equal(2, #fault_server:requests())
          end)
        end

        if death.get then
          it(death[1] .. " on a kept connection is asked again with a GET", function()
            local fault_server <close> = start([[
              if index > 1 then return serve("own") end
              connection:request()
              answer("first")
            ]] .. death[2], over_tls)
            local client <close> = connect(fault_server, { max_retries = 1 })
            assert(send(client))
            assert.equal("m", assert(get(client)).id)
            assert.equal(3, #fault_server:requests())
          end)
        end
      else
        for _, call in ipairs(calls) do
          it(("%s on a kept connection gets a %s once at most"):format(death[1], call[1]),
            function()
              local fault_server <close> = start([[
                if index > 1 then return serve("own") end
                connection:request()
                answer("first")
              ]] .. death[2], over_tls)
              local client <close> = connect(fault_server, { max_retries = 0 })
              assert(send(client))
              local result, message, err = call[2](client)
              local delivered = #fault_server:requests() - 1
              if result then
                assert.equal(1, delivered)
              else
                check_failure("connection", err.sent, result, message, err)
                assert.equal(0, delivered)
              end
            end)
        end
      end
    end
  end)

  describe("an idle connection that " .. name .. " has ended", function()
    local ends = {
      { "by closing", "connection:close() connection:note('ended')" },
      { "by a reset", -- of which a client learns at once, be its answer read or not
        "connection:sleep(0.2) connection:reset() connection:note('ended')" },
      { "by closing its side only",
        "connection:shutdown_write() connection:note('ended') connection:wait_close(30)" },
    }
    for _, ending in ipairs(ends) do
      for _, call in ipairs(calls) do
        it(("%s costs nothing: the next %s is delivered once"):format(ending[1], call[1]),
          function()
            local fault_server <close> = start([[
              if index > 1 then return serve("own") end
              connection:request()
              answer("first")
            ]] .. ending[2], over_tls)
            local client <close> = connect(fault_server)
            assert(send(client))
            wait_until(function() return #fault_server:notes() == 1 end)
            assert(call[2](client))
            assert.equal(2, #fault_server:requests())
          end)
      end

      for _, call in ipairs({ calls[1], { "GET", get } }) do
        it(("%s costs nothing when there were many: the next %s is delivered once"):format(
          ending[1], call[1]), function()
            local fault_server <close> = start([[
              if index > 12 then return serve("own") end
              connection:request()
              connection:sleep(0.1)
              answer("first")
            ]] .. ending[2], over_tls)
            local client <close> = connect(fault_server)
            local requests = {}
            for i = 1, 12 do
              requests[i] = client:conversation("a"):send("hello", { wait = false })
            end
            for i = 1, 12 do assert(requests[i]:wait(10)) end
            wait_until(function() return #fault_server:notes() == 12 end)
            assert(call[2](client))
            assert.equal(13, #fault_server:requests())
          end)
      end
    end
  end)
end

describe("of several kept connections", function()
  it("the others do not get a message with which one has ended", function()
    local fault_server <close> = start([[
      connection:request()
      connection:sleep(0.1)
      answer("first")
      connection:request()
    ]])
    local client <close> = connect(fault_server, { max_retries = 2 })
    local requests = {}
    for i = 1, 4 do
      requests[i] = client:request("GET", "/x", nil, { wait = false })
    end
    for i = 1, 4 do assert(requests[i]:wait(10)) end
    check_failure("connection", "maybe", send(client))
    assert.equal(5, #fault_server:requests())
    assert.equal(4, fault_server:connections())
  end)
end)

describe("a slow server", function()
  it("that sends a byte every 50 ms is waited for", function()
    local fault_server <close> = start([[
      connection:request()
      local bytes = reply_bytes("slow")
      connection:send(bytes:sub(1, -21))
      for byte in bytes:sub(-20):gmatch(".") do connection:sleep(0.05) connection:send(byte) end
    ]])
    local client <close> = connect(fault_server, { timeout = 30 })
    local seconds, answer = timed(send, client)
    assert.equal("slow", tostring(answer))
    assert.is_true(seconds >= 1)
  end)

  local stalls = {
    { "sends a byte every 50 ms for too long", [[connection:request()
      for byte in reply_bytes("slow"):gmatch(".") do
        if not connection:send(byte) then return end
        connection:sleep(0.05)
      end]] },
    { "stalls within the status line", 'connection:request() connection:send("HTTP/1.")' },
    { "stalls within the headers",
      'connection:request() connection:send("HTTP/1.1 200 OK\\r\\nContent-Length: 1")' },
    { "stalls half-way through the body",
      'connection:request() connection:send(reply_bytes("slow"):sub(1, -10))' },
    { "stalls half-way through a chunk", [[connection:request()
      connection:send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\n{\"id")]] },
    { "stalls before the last chunk", [[connection:request()
      connection:send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n")]] },
    { "sends interim replies for ever", [[connection:request()
      while connection:send("HTTP/1.1 102 Processing\r\n\r\n") do connection:sleep(0.05) end]] },
  }
  for _, stall in ipairs(stalls) do stall[2] = stall[2] .. "\nconnection:wait_close(30)" end

  lazy_setup(function() send_to_each(stalls, 1) end)
  lazy_teardown(function() close_each(stalls) end)

  for _, stall in ipairs(stalls) do
    it("that " .. stall[1] .. " ends as a timeout", function()
      check_failure("timeout", "maybe", table.unpack(stall.outcome))
      assert.is_true(stall.seconds < 10, "it took " .. stall.seconds)
      assert.equal(1, #stall.server:requests())
    end)
  end

  it("that stalls while a large request is under way to it ends as a timeout", function()
    local fault_server <close> = start("connection:head() connection:sleep(30)")
    local client <close> = connect(fault_server, { timeout = 2, max_retries = 1 })
    local seconds, result, message, err = timed(client.request, client, "POST", "/x",
      { body = { text = ("x"):rep(20e6) } })
    check_failure("timeout", "maybe", result, message, err)
    assert.equal(1, err.attempts)
    assert.is_true(seconds < 10, "it took " .. seconds)
    assert.equal(0, #fault_server:requests())
    assert.equal(1, #fault_server:partials())
  end)
end)
