-- Replies that are cut short, malformed, too late, or that nobody asked for.
local connections = require "spec.support.connections"

local start, connect = connections.start, connections.connect
local send, get = connections.send, connections.get
local check_failure, wait_until = connections.check_failure, connections.wait_until

teardown(connections.certificate.remove)

-- The forms that a reply with a body has, and how much of its end may be missing: after the
-- last chunk comes an empty line that says nothing.
local whole_replies = {
  { "a length", "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 25\r\n\r\n"
    .. '{"id":"m","message":"ab"}', 0 },
  { "chunks", "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
    .. 'Transfer-Encoding: chunked\r\n\r\n9\r\n{"id":"m"\r\n10\r\n,"message":"ab"}\r\n'
    .. "0\r\n\r\n", 2 },
}

it("a reply that is half of a long string is an error of kind decode", function()
  local server = require "spec.support.server"
  for _, length in ipairs { 10, 200, 300, 500, 1000, 20000 } do
    local peer <close> = server.start(([[
      local connection = ...
      connection:request()
      connection:reply(200, '"' .. ("words\\n"):rep(%d))]]):format(length))
    local client <close> = require "spec.support.client" () (peer)
    local reply, _, err = client:request("GET", "/")
    assert.is_nil(reply)
    assert.equal("decode", err.kind)
  end
end)

describe("a reply that is cut short", function()
  for _, over_tls in ipairs({ false, true }) do
    for _, whole in ipairs(whole_replies) do
      local where = whole[1] .. (over_tls and ", over TLS" or "")
      it("at any byte is no reply; it had " .. where, function()
        -- The n-th connection sends n - 1 bytes.
        local bytes, spare = whole[2], whole[3]
        local fault_server <close> = start(([[
          if connection:request() then connection:send((%q):sub(1, index - 1)) end
        ]]):format(bytes), over_tls)
        local client <close> = connect(fault_server)
        for n = 0, #bytes - spare - 1 do
          local result, message, err = get(client)
          assert.is_nil(result, "it succeeded with " .. bytes:sub(1, n))
          assert.equal("connection", err.kind, ("%q: %s"):format(bytes:sub(1, n), message))
          assert.equal("maybe", err.sent)
        end
      end)

      it("is the reply when it is whole; it had " .. where, function()
        local fault_server <close> = start(([[
          while connection:request() do connection:send(%q) end
        ]]):format(whole[2]), over_tls)
        local client <close> = connect(fault_server)
        assert.equal("ab", tostring(assert(send(client))))
      end)
    end
  end

  local cuts = {
    { "after a status line", "HTTP/1.1 200 OK\r\n" },
    { "after a status line that says that nothing follows", "HTTP/1.1 204 No Content\r\n" },
    { "within a header", "HTTP/1.1 200 OK\r\nContent-Type: appl" },
    { "before the end of the headers", "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n" },
    { "within the headers that follow a 100 Continue",
      "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n" },
    { "after a header of no more than a colon", "HTTP/1.1 200 OK\r\n:\n" },
    { "after an interim reply", "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" },
    { "before the body", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n" },
    { "within a body that is JSON all the same",
      "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n{}" },
    { "within the size of a chunk", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1" },
    { "before the last chunk",
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n" },
  }
  local fault_server

  -- Sends the bytes of the case that the path names, to a GET the first time only.
  lazy_setup(function()
    local bytes = {}
    for i, cut in ipairs(cuts) do bytes[i] = ("%q"):format(cut[2]) end
    fault_server = start(([[
      local cuts = { %s }
      seen = seen or {}
      local request = connection:request()
      while request and seen[request.path] and request.method == "GET" do
        answer("own")
        request = connection:request()
      end
      if not request then return end
      if request.method == "GET" then seen[request.path] = true end
      connection:send(cuts[tonumber(request.path:match("%%d+"))])
    ]]):format(table.concat(bytes, ", ")))
    local client = connect(fault_server, { max_retries = 1 })
    for i, cut in ipairs(cuts) do
      cut.get = client:request("GET", "/" .. i, nil, { wait = false })
    end
    for _, cut in ipairs(cuts) do cut.outcome = table.pack(cut.get:wait(10)) end
    client:close()
  end)

  lazy_teardown(function() fault_server:close() end)

  for i, cut in ipairs(cuts) do
    it(cut[1] .. " is a lost connection, not a success, not even when no body is due",
      function()
        local client <close> = connect(fault_server)
        check_failure("connection", "maybe", client:request("DELETE", "/" .. i))
        check_failure("connection", "maybe", client:request("POST", "/" .. i))
        check_failure("connection", "maybe", client:request("POST", "/" .. i, { body = {} }))
      end)

    it(cut[1] .. " makes a GET be tried again", function()
      assert.same({ id = "m", message = "own" }, table.unpack(cut.outcome))
    end)
  end

  it("does not make the deletion of all conversations a success", function()
    local cutting <close> = start([[
      connection:request()
      connection:send("HTTP/1.1 204 No Content\r\n")
    ]])
    local client <close> = connect(cutting)
    check_failure("connection", "maybe", client.conversations:delete_all("u"))
  end)
end)

describe("a reply that is not HTTP as it should be", function()
  local broken = {
    { "a body alone, as in HTTP/0.9", '{"id":"m","message":"x"}' },
    { "another protocol's greeting", "SSH-2.0-OpenSSH_9.2p1\r\n" },
    { "a status of 0", "HTTP/1.1 000 OK\r\nContent-Length: 2\r\n\r\n{}" },
    { "a status in words", "HTTP/1.1 fine\r\nContent-Length: 2\r\n\r\n{}" },
    { "a Content-Length in words", "HTTP/1.1 200 OK\r\nContent-Length: two\r\n\r\n{}" },
    { "a negative Content-Length", "HTTP/1.1 200 OK\r\nContent-Length: -2\r\n\r\n{}" },
    { "a Content-Length that is too great", "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n{}" },
    { "two lengths that differ",
      "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}" },
    { "a chunk without a size",
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nsize\r\n{}\r\n0\r\n\r\n" },
    { "a chunk longer than its size",
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n{}\r\n0\r\n\r\n" },
    { "a chunk of a size beyond counting",
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" .. ("f"):rep(40) .. "\r\n{}" },
    { "an encoding nobody knows",
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: other\r\nContent-Length: 2\r\n\r\n{}" },
  }
  for _, case in ipairs(broken) do
    it("is a lost connection: " .. case[1], function()
      local fault_server <close> = start(
        ("connection:request() connection:send(%q)"):format(case[2]))
      local client <close> = connect(fault_server)
      check_failure("connection", "maybe", client:conversation("a"):messages())
      check_failure("connection", "maybe", client:request("DELETE", "/x"))
      assert.equal(2, #fault_server:requests())
    end)
  end

  -- Later versions of libcurl read past the blank. Then it is a header as any other.
  local function check_folded(result, ...)
    if result then return assert.same({}, result) end
    check_failure("connection", "maybe", result, ...)
  end

  for _, beginning in ipairs({ "HTTP/1.1 200 OK\r\n ", "HtTp/1.1 200 OK\r\n\t" }) do
    local name = "may be a lost connection: a first header that is folded, %q"
    it(name:format(beginning), function()
      local fault_server <close> = start(([[
        connection:request()
        connection:send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-A: 1234567890\r\n\r\n{}")
        connection:request()
        connection:send(%q .. "folded: x\r\nContent-Length: 2\r\n\r\n{}")
      ]]):format(beginning))
      local client <close> = connect(fault_server)
      assert(client:request("GET", "/x"))
      check_folded(client:request("GET", "/x"))
    end)
  end

  it("may be a lost connection: a first header that is folded, to the second attempt", function()
    local fault_server <close> = start([[
      connection:request()
      connection:send("HTTP/1.1 503 No\r\nContent-Length: 0\r\nX-A: 1234567890\r\n\r\n")
      connection:request()
      connection:send("HTTP/1.1 200 OK\r\n folded: x\r\nContent-Length: 2\r\n\r\n{}")
    ]])
    local client <close> = connect(fault_server, { max_retries = 1 })
    check_folded(client:request("GET", "/x"))
  end)

  it("is a lost connection: a body that is not the gzip it says", function()
    local fault_server <close> = start([[
      connection:request()
      connection:reply(200, { messages = {} }, { ["Content-Encoding"] = "gzip" })
    ]])
    local client <close> = connect(fault_server)
    check_failure("connection", "maybe", client:conversation("a"):messages())
  end)

  local length = "Content-Length: 25\r\n\r\n" .. '{"id":"m","message":"ab"}'
  local good = {
    { "a 100 Continue that nobody asked for",
      "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 201 Created\r\n" .. length },
    { "early hints first",
      "HTTP/1.1 103 Early Hints\r\nContent-Length: 9\r\n\r\nHTTP/1.1 201 Created\r\n" .. length },
    { "no reason after the status", "HTTP/1.1 201\r\n" .. length },
    { "line ends without CR", ("HTTP/1.1 201 Created\r\n" .. length):gsub("\r", "") },
    { "header names in capitals",
      "HTTP/1.1 201 CREATED\r\n" .. length:gsub("^%C+", string.upper) },
    { "chunks with extensions and trailers", "HTTP/1.1 201 Created\r\n"
      .. 'Transfer-Encoding: chunked\r\n\r\n9;a=b\r\n{"id":"m"\r\n10\r\n,"message":"ab"}\r\n'
      .. "0\r\nX-Trailer: 1\r\n\r\n" },
    { "HTTP/1.0, with a length", "HTTP/1.0 201 Created\r\n" .. length, closes = true },
    { "HTTP/1.0, until the connection closes",
      'HTTP/1.0 201 Created\r\n\r\n{"id":"m","message":"ab"}', closes = true },
    { "no length, until the connection closes",
      'HTTP/1.1 201 Created\r\n\r\n{"id":"m","message":"ab"}', closes = true },
    { "Connection: close", "HTTP/1.1 201 Created\r\nConnection: close\r\n" .. length,
      closes = true },
  }
  for _, case in ipairs(good) do
    it("is read where that is allowed: " .. case[1], function()
      local fault_server <close> = start(([[
        local closes = %s
        while connection:request() do
          connection:send(%q)
          if closes then return end
        end
      ]]):format(case.closes, case[2]))
      local client <close> = connect(fault_server)
      for _ = 1, 3 do assert.equal("ab", tostring(assert(send(client)))) end
      assert.equal(3, #fault_server:requests())
      assert.equal(case.closes and 3 or 1, fault_server:connections())
    end)
  end

  it("is an HTTP error, where the server refuses before it has read the body", function()
    local fault_server <close> = start([[
      connection:head()
      connection:reply(401, { message = "INVALID_CREDENTIALS" }, { Connection = "close" })
      connection:wait_close(1)
    ]])
    local client <close> = connect(fault_server)
    local result, _, err = send(client)
    assert.is_nil(result)
    assert.equal("http", err.kind)
    assert.equal(401, err.status)
    assert.equal("INVALID_CREDENTIALS", err.code)
    assert.equal(1, err.attempts)
  end)

  it("is an HTTP error or a lost connection, where a large body is refused unread", function()
    local fault_server <close> = start([[
      connection:head()
      connection:reply(413, { message = "too large" }, { Connection = "close" })
      connection:sleep(0.05)
      connection:reset()
    ]])
    local client <close> = connect(fault_server, { max_retries = 2 })
    local result, message, err = client:request("POST", "/x",
      { body = { text = ("x"):rep(20e6) } })
    assert.is_nil(result)
    assert.is_true(err.kind == "http" and err.status == 413 or err.kind == "connection", message)
    assert.equal(err.kind == "http" and "no" or "maybe", err.sent)
    assert.equal(1, err.attempts)
    assert.equal(1, fault_server:connections())
  end)
end)

describe("an answer that comes too late", function()
  for _, over_tls in ipairs({ false, true }) do
    local where = over_tls and ", over TLS" or ""

    -- Answers each message with its own text; "late" only after 2.5 seconds.
    local echo = [[
      while true do
        local request = connection:request()
        if not request then return end
        local text = request.body:match('"message":"(.-)"')
        if text:find("late") then connection:sleep(2.5) end
        connection:note(text .. (answer(text) and " answered" or " failed"))
      end
    ]]

    it("never becomes the next call's" .. where, function()
      local fault_server <close> = start(echo, over_tls)
      local client <close> = connect(fault_server, { timeout = 2 })
      local conversation = client:conversation("a")
      assert.equal("warm", tostring(assert(conversation:send("warm"))))
      check_failure("timeout", "maybe", conversation:send("late"))
      for i = 1, 3 do assert.equal("own" .. i, tostring(assert(conversation:send("own" .. i)))) end
      wait_until(function() return #fault_server:notes() == 5 end)
      for i = 4, 6 do assert.equal("own" .. i, tostring(assert(conversation:send("own" .. i)))) end
      assert.equal(8, #fault_server:requests())
    end)

    it("never becomes another call's when many are under way" .. where, function()
      local fault_server <close> = start(echo, over_tls)
      local client <close> = connect(fault_server, { timeout = 2 })
      local conversation = client:conversation("a")
      for round = 1, 2 do
        local requests = {}
        for i = 1, 10 do
          local text = (i % 2 == 0 and "late" or "own") .. round .. "." .. i
          requests[i] = { text, conversation:send(text,
            { wait = false, timeout = i % 2 == 1 and 20 or nil }) }
        end
        for i, request in ipairs(requests) do
          if i % 2 == 0 then
            check_failure("timeout", "maybe", request[2]:wait(20))
          else
            assert.equal(request[1], tostring(assert(request[2]:wait(20))))
          end
        end
      end
      assert.equal(20, #fault_server:requests())
    end)

    it("never becomes the next call's after it was cancelled" .. where, function()
      local fault_server <close> = start(echo, over_tls)
      local client <close> = connect(fault_server)
      local conversation = client:conversation("a")
      local request = conversation:send("late", { wait = false })
      wait_until(function()
        request:done()
        return #fault_server:requests() == 1
      end)
      request:cancel()
      check_failure("cancelled", "maybe", request:result())
      assert.equal("own", tostring(assert(conversation:send("own"))))
      assert.equal(2, #fault_server:requests())
    end)
  end
end)

describe("bytes that nobody asked for", function()
  local strays = {
    { "a second reply in one piece with the first",
      [[connection:request() connection:send(reply_bytes("first") .. reply_bytes("stray"))]] },
    { "a reply after the first", [[connection:request() answer("first")
      connection:sleep(0.05) answer("stray")]] },
    { "a reply before the request", [[connection:request() answer("first")
      connection:sleep(0.05) answer("stray") connection:sleep(0.05) answer("stray again")]] },
    { "no HTTP, after the reply", [[connection:request() answer("first")
      connection:sleep(0.05) connection:send("garbage\r\n\r\n")]] },
    { "a 408 for the idle connection, which is then closed",
      [[connection:request() answer("first") connection:sleep(0.05)
      connection:send("HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n"
        .. "Connection: close\r\n\r\n")
      connection:shutdown_write()]] },
    { "a reply after the end of the chunks", [[connection:request()
      connection:send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n24\r\n"
        .. '{"id":"m","message":"first"}' .. "        \r\n0\r\n\r\n" .. reply_bytes("stray"))]] },
    { "more than Content-Length says", [[connection:request()
      connection:send(reply_bytes("first") .. "}}}}")]] },
  }
  for _, over_tls in ipairs({ false, true }) do
    for _, stray in ipairs(strays) do
      it("never become the next message's answer: " .. stray[1]
        .. (over_tls and ", over TLS" or ""), function()
          local fault_server <close> = start("if index == 1 then " .. stray[2]
            .. " connection:note('strayed') end serve('own')", over_tls)
          local client <close> = connect(fault_server, { max_retries = 1 })
          assert.equal("first", tostring(assert(send(client))))
          wait_until(function() return #fault_server:notes() == 1 end)
          for _ = 1, 3 do assert.equal("own", tostring(assert(send(client)))) end
          assert.equal(4, #fault_server:requests())
        end)

      it("never become what the next GET gives: " .. stray[1]
        .. (over_tls and ", over TLS" or ""), function()
          local fault_server <close> = start("if index == 1 then " .. stray[2]
            .. " connection:note('strayed') end serve('own')", over_tls)
          local client <close> = connect(fault_server, { max_retries = 1 })
          assert.equal("first", assert(client:request("GET", "/x")).message)
          wait_until(function() return #fault_server:notes() == 1 end)
          for _ = 1, 3 do assert.equal("own", assert(client:request("GET", "/x")).message) end
        end)
    end

    it("never become another call's answer, whichever of many connections they came by"
      .. (over_tls and ", over TLS" or ""), function()
        -- Of six connections the even ones get a stray reply.
        local fault_server <close> = start([[
          if index <= 6 then
            connection:request()
            connection:sleep(0.1)
            answer("first")
            connection:sleep(0.1)
            if index % 2 == 0 then answer("stray") end
            connection:note("strayed")
          end
          serve("own")
        ]], over_tls)
        local client <close> = connect(fault_server)
        local requests = {}
        for i = 1, 6 do
          requests[i] = client:conversation("a"):send("hello", { wait = false })
        end
        for i = 6, 1, -1 do assert.equal("first", tostring(assert(requests[i]:wait(10)))) end
        wait_until(function() return #fault_server:notes() == 6 end)
        for i = 1, 6 do
          requests[i] = client:conversation("a"):send("hello", { wait = false })
        end
        for i = 1, 6 do assert.equal("own", tostring(assert(requests[i]:wait(10)))) end
        for _ = 1, 6 do assert.equal("own", tostring(assert(send(client)))) end
        assert.equal(18, #fault_server:requests())
      end)
  end
end)
