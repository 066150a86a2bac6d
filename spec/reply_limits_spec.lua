-- What a reply may be: its type, headers, size and JSON, and no redirect.
local cqueues = require "cqueues"
local certificates = require "spec.support.certificates"
local server = require "spec.support.server"
local support = require "spec.support.run"
local clients = require "spec.support.client"

local certificate = certificates()
local key = "the-key-that-must-not-show"

teardown(function() certificate.remove() end)

local connect = clients { secret_key = key, timeout = 5, ca_file = certificate.ca }

local check_failure = require "spec.support.failure"

describe("a redirect", function()
  local elsewhere, plain, over_tls

  lazy_setup(function()
    elsewhere = server.start("local connection = ... while connection:request() do "
      .. "connection:reply(200, { id = 'elsewhere' }) end")
    local redirecting = [[
      local connection = ...
      while true do
        local request = connection:request()
        if not request then return end
        connection:reply(tonumber(request.headers["x-status"]), { id = "here" },
          { Location = request.headers["x-location"] })
      end
    ]]
    plain = server.start(redirecting)
    over_tls = server.start(redirecting, { tls = certificate.good })
  end)

  lazy_teardown(function()
    for _, each in ipairs({ elsewhere, plain, over_tls }) do each:close() end
  end)

  -- Each gives the Location that a server sends.
  local places = {
    { "another port", function() return elsewhere.base_url .. "/external/conversations/a" end },
    { "another host", function() return "http://localhost:" .. elsewhere.port .. "/" end },
    { "another host, without a scheme", function() return "//localhost:" .. elsewhere.port end },
    { "another host, with a user", function()
      return "http://user:word@127.0.0.1:" .. elsewhere.port .. "/"
    end },
    { "another path of the same server", function() return "/elsewhere" end },
    { "itself", function() return "" end },
    { "a file", function() return "file:///etc/hostname" end },
    { "another protocol", function() return "ftp://127.0.0.1:" .. elsewhere.port .. "/" end },
  }
  for _, status in ipairs({ 300, 301, 302, 303, 305, 307, 308 }) do
    for _, place in ipairs(places) do
      it(("of %d to %s is an error and goes nowhere"):format(status, place[1]), function()
        for _, origin in ipairs({ plain, over_tls }) do
          local before = #origin:requests()
          local client <close> = connect(origin.base_url, { max_retries = 2,
            headers = { ["X-Status"] = tostring(status), ["X-Location"] = place[2]() } })
          for _, call in ipairs({ "send", "refresh" }) do
            local conversation = client:conversation("a")
            local err = check_failure("http",
              conversation[call](conversation, call == "send" and "hello" or nil))
            assert.equal(status, err.status)
            assert.equal(1, err.attempts)
            assert.is_false(err.retryable)
          end
          assert.equal(before + 2, #origin:requests())
        end
        assert.equal(0, elsewhere:connections())
      end)
    end
  end
end)

describe("a success that is not what the API gives", function()
  local html = "<!DOCTYPE html><html><title>Sign in</title></html>"
  local json = "application/json"
  local cases = {
    { "HTML", html, "text/html", excerpt = "Sign in" },
    { "HTML that says it is JSON", html, json, excerpt = "Sign in" },
    { "JSON that says it is HTML", '{"id":"a"}', "text/html", excerpt = '{"id":"a"}' },
    { "JSON that says it is text", '{"id":"a"}', "text/plain", excerpt = '{"id":"a"}' },
    { "nothing", "", json },
    { "a space", " ", json },
    { "a byte order mark before the JSON", '\u{FEFF}{"id":"a"}', json, excerpt = '{"id":"a"}' },
    { "JSON in UTF-16", ('{"id":"a"}'):gsub(".", "%0\0"), json, excerpt = "{" },
    { "half a JSON", '{"id":"a","tit', json, excerpt = '{"id":"a","tit' },
    { "JSON and more", '{"id":"a"} and more', json, excerpt = "and more" },
    { "two JSONs", '{"id":"a"}{"id":"b"}', json, excerpt = '{"id":"b"}' },
    { "null", "null", json, excerpt = "null" },
    { "a number", "42", json, excerpt = "42" },
    { "a string", '"a"', json, excerpt = '"a"' },
    { "NaN within", '{"id":"a","score":NaN}', json, excerpt = "NaN" },
    { "an array", "[1]", json, excerpt = "[1]" },
    { "an object without an id", '{"ok":true}', json, excerpt = '{"ok":true}' },
    { "an object whose id is null", '{"id":null}', json, excerpt = '{"id":null}' },
    { "an object whose id is a number", '{"id":7}', json, excerpt = '{"id":7}' },
  }
  local fault_server

  -- Answers with the case whose number is the id in the path.
  lazy_setup(function()
    local replies = {}
    for i, case in ipairs(cases) do replies[i] = ("{ %q, %q }"):format(case[2], case[3]) end
    fault_server = server.start(([[
      local connection = ...
      local replies = { %s }
      while true do
        local request = connection:request()
        if not request then return end
        local reply = replies[tonumber(request.path:match("%%d+"))]
        connection:reply(200, reply[1], { ["Content-Type"] = reply[2] })
      end
    ]]):format(table.concat(replies, ", ")))
  end)

  lazy_teardown(function() fault_server:close() end)

  for i, case in ipairs(cases) do
    it("is told with an excerpt, and not asked for again: " .. case[1], function()
      local before = #fault_server:requests()
      local client <close> = connect(fault_server.base_url, { max_retries = 2 })
      local conversation = client:conversation(tostring(i))
      for _, err in ipairs({
        check_failure("decode", conversation:send("hello")),
        check_failure("decode", conversation:refresh()),
        check_failure("decode", client.conversations:get(tostring(i))),
        check_failure("decode", conversation:messages()),
      }) do
        assert.equal("maybe", err.sent)
        assert.equal(1, err.attempts)
        assert.is_false(err.retryable)
        assert.equal(case[2] ~= "" and case[2] or nil, err.body)
        if case.excerpt then
          assert.is_truthy(err.message:find(case.excerpt, 1, true), err.message)
        end
        assert.is_truthy(#err.message < 1000)
      end
      assert.equal(before + 4, #fault_server:requests())
    end)
  end

  it("leaves the conversation that was to be read again as it was", function()
    local client <close> = connect(fault_server.base_url)
    local conversation = client:conversation("1")
    check_failure("decode", conversation:refresh())
    assert.equal("1", conversation.id)
  end)

  it("is not one of 204, which is a success without a body", function()
    local empty <close> = server.start(
      "local connection = ... while connection:request() do connection:reply(204) end")
    local client <close> = connect(empty.base_url)
    assert.is_true(client.conversations:delete_all("u"))
    assert.is_true(client:request("DELETE", "/x"))
    assert.is_true(client:request("POST", "/x", { body = {} }))
    check_failure("decode", client.conversations:get("a"))
    check_failure("decode", client:conversation("a"):send("hello"))
    assert.equal(1, empty:connections())
  end)
end)

-- AddressSanitizer gives back late what was freed: there, memory only has to be bounded.
local slack = (os.getenv("LD_PRELOAD") or ""):find("asan", 1, true) and 8 or 1

-- Runs Lua code in a process of its own, `client` being one for `base_url` that has been used
-- once. Gives what it prints, and how many KiB its memory has grown at the most.
local function run_measured(base_url, options, code)
  local output, status = support.run("exec lua5.4 -", {
    ASAN_OPTIONS = (os.getenv("ASAN_OPTIONS") or "") .. ":quarantine_size_mb=0",
  }, ([[
    local function peak()
      local file <close> = assert(io.open("/proc/self/status"))
      return tonumber(file:read("a"):match("VmHWM:%%s*(%%d+)"))
    end
    local client = require "raia".client { secret_key = "key", base_url = %q, max_retries = 0,
      timeout = 30, %s }
    assert(client:request("GET", "/warm"))
    local before = peak()
    %s
    print(peak() - before)
  ]]):format(base_url, options, code))
  assert.equal(0, status, output)
  local lines, growth = output:match("^(.*)\n(%d+)\n$")
  assert.is_truthy(growth, output)
  return lines, tonumber(growth)
end

-- What scripts begin with: answers "/warm", and reads the next request.
local warm = [[
  local connection, index = ...
  local request = connection:request()
  while request and request.path == "/warm" do
    connection:reply(200, { warm = true })
    request = connection:request()
  end
  if not request then return end
  local function send_forever(bytes)
    while connection:send(bytes) do end
  end
]]

describe("headers", function()
  local cases = {
    { "without end", [[connection:send("HTTP/1.1 200 OK\r\n")
      send_forever(("X-Header: value\r\n"):rep(1000))]] },
    { "of which one has 1 MiB", [[connection:send("HTTP/1.1 200 OK\r\nX-Header: "
      .. ("x"):rep(1048576) .. "\r\nContent-Length: 2\r\n\r\n{}")]] },
    { "of which one has no end",
      [[connection:send("HTTP/1.1 200 OK\r\nX-Header: ") send_forever(("x"):rep(65536))]] },
    { "of which one is folded without end", [[connection:send("HTTP/1.1 200 OK\r\nX-Header: x\r\n")
      send_forever((" more\r\n"):rep(1000))]] },
    { "after a status line of 1 MiB", [[connection:send("HTTP/1.1 200 " .. ("x"):rep(1048576)
      .. "\r\nContent-Length: 2\r\n\r\n{}")]] },
    { "after a status line without end",
      [[connection:send("HTTP/1.1 200 ") send_forever(("x"):rep(65536))]] },
    { "of which one has 1 MiB, after a 100 Continue",
      [[connection:send("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nX-Header: "
      .. ("x"):rep(1048576) .. "\r\nContent-Length: 2\r\n\r\n{}")]] },
    { "after a status line of 1 MiB, after a 100 Continue",
      [[connection:send("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 " .. ("x"):rep(1048576)
      .. "\r\nContent-Length: 2\r\n\r\n{}")]] },
    { "of interim replies without end",
      [[send_forever(("HTTP/1.1 100 Continue\r\n\r\n"):rep(1000))]] },
    { "of which one has 1 MiB, in an error", [[connection:send("HTTP/1.1 503 Busy\r\nX-Header: "
      .. ("x"):rep(1048576) .. "\r\nContent-Length: 2\r\n\r\n{}")]] },
  }
  for _, case in ipairs(cases) do
    it(case[1] .. " end the call as too large, in little memory", function()
      local fault_server <close> = server.start(warm .. case[2])
      local output, growth = run_measured(fault_server.base_url, "", [[
        local answer, message, err = client:conversation("a"):send("hello")
        print(answer, err.kind, err.sent, err.attempts, err.status, message == err.message,
          message:find("headers", 1, true) ~= nil)
      ]])
      assert.equal("nil\ttoo_large\tmaybe\t1\tnil\ttrue\ttrue", output)
      assert.is_true(growth < 4096 * slack, "it grew by " .. growth .. " KiB")
    end)
  end

  it("at the end of chunks, without end, end the call, in little memory", function()
    local fault_server <close> = server.start(warm .. [[
      connection:send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n")
      send_forever(("X-Header: value\r\n"):rep(1000))
    ]])
    local output, growth = run_measured(fault_server.base_url, "", [[
      local answer, message, err = client:conversation("a"):send("hello")
      print(answer, err.kind == "too_large" or err.kind == "connection", err.sent)
    ]])
    assert.equal("nil\ttrue\tmaybe", output)
    assert.is_true(growth < 4096 * slack, "it grew by " .. growth .. " KiB")
  end)

  it("of 100 kB in all are still read", function()
    local fault_server <close> = server.start(warm .. [[
      connection:reply(200, { id = "m" }, { ["X-One"] = ("x"):rep(50000),
        ["X-Two"] = ("x"):rep(50000) })
    ]])
    local client <close> = connect(fault_server.base_url)
    assert(client:conversation("a"):send("hello"))
  end)
end)

-- Writes so many bytes, compressed by gzip as often as is said, to a file.
local function compressed(bytes, times)
  local path = os.tmpname()
  local _, status = support.run(("head -c %d /dev/zero %s > %s"):format(bytes,
    ("| gzip -9 -c "):rep(times), support.quote(path)))
  assert.equal(0, status)
  return path
end

describe("a body", function()
  local mega = 1024 * 1024
  local bomb, double_bomb

  lazy_setup(function()
    bomb, double_bomb = compressed(50 * mega, 1), compressed(1000 * mega, 2)
  end)

  lazy_teardown(function()
    os.remove(bomb)
    os.remove(double_bomb)
  end)

  local chunked = [[connection:send("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
    .. "Transfer-Encoding: chunked\r\n\r\n")
    send_forever("10000\r\n" .. (" "):rep(65536) .. "\r\n")]]
  local unzipping = [[
    local file = io.open(%q, "rb")
    connection:reply(200, file:read("a"), { ["Content-Encoding"] = %q })
    connection:wait_close(30)
  ]]
  local cases = {
    { "in chunks without end", chunked },
    { "in chunks without end, the cap being that of a client", chunked, cap = 32 * mega },
    { "without length and end", [[connection:send("HTTP/1.1 200 OK\r\n\r\n")
      send_forever((" "):rep(65536))]] },
    { "without end, of an error", [[connection:send("HTTP/1.1 500 Error\r\n\r\n")
      send_forever((" "):rep(65536))]] },
    { "of 10 GiB", [[connection:send("HTTP/1.1 200 OK\r\nContent-Length: 10737418240\r\n\r\n")
      send_forever((" "):rep(65536))]] },
    { "of 10 GiB that stops after its first byte",
      [[connection:send("HTTP/1.1 200 OK\r\nContent-Length: 10737418240\r\n\r\n{")
      connection:wait_close(30)]] },
    { "of more bytes than can be counted",
      [[connection:send("HTTP/1.1 200 OK\r\nContent-Length: " .. ("9"):rep(40) .. "\r\n\r\n")
      send_forever((" "):rep(65536))]] },
    { "that gzip made 50 kB of 50 MiB", function() return unzipping:format(bomb, "gzip") end },
    { "that gzip made 50 kB of 50 MiB, the cap being that of a client",
      function() return unzipping:format(bomb, "gzip") end, cap = 32 * mega },
    { "that was compressed twice",
      function() return unzipping:format(double_bomb, "gzip, gzip") end },
  }
  for _, case in ipairs(cases) do
    it(case[1] .. " is too large once it passes the cap, and costs less than twice that",
      function()
        local script = type(case[2]) == "function" and case[2]() or case[2]
        local fault_server <close> = server.start(warm .. script)
        local cap = case.cap or 4 * mega
        local began = cqueues.monotime()
        local output, growth = run_measured(fault_server.base_url,
          case.cap and "" or "max_response_bytes = " .. cap, [[
            local messages, message, err = client:conversation("a"):messages()
            print(messages, err.kind, err.sent, err.attempts, err.status)
            print(message:match("%(max_response_bytes = (%d+)%)"))
            assert(client:request("GET", "/warm"), "the client is of no more use")
          ]])
        assert.equal("nil\ttoo_large\tmaybe\t1\tnil\n" .. cap, output)
        assert.is_true(growth * 1024 < 2 * cap * slack, "it grew by " .. growth .. " KiB")
        assert.is_true(cqueues.monotime() - began < 15)
      end)
  end

  it("of exactly the cap is read, and one byte more is too large", function()
    local fault_server <close> = server.start([[
      local connection = ...
      while true do
        local request = connection:request()
        if not request then return end
        local length = tonumber(request.path:match("%d+$"))
        local body = '{"id":"' .. ("x"):rep(length - 9) .. '"}'
        if request.path:find("chunks") then
          connection:send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
            .. ("%x\r\n%s\r\n0\r\n\r\n"):format(#body, body))
        else
          connection:reply(200, body)
        end
      end
    ]])
    local client <close> = connect(fault_server.base_url, { max_response_bytes = 100000 })
    for _, form in ipairs({ "length", "chunks" }) do
      local result = assert(client:request("GET", "/" .. form .. "/100000"))
      assert.equal(100000 - 9, #result.id)
      local err = check_failure("too_large", client:request("GET", "/" .. form .. "/100001"))
      assert.is_false(err.retryable)
      assert(client:request("GET", "/" .. form .. "/1000"))
    end
  end)

  it("that is too large is asked for no second time", function()
    local fault_server <close> = server.start(warm .. chunked)
    local client <close> = connect(fault_server.base_url, { max_response_bytes = 1000,
      max_retries = 2 })
    check_failure("too_large", client:conversation("a"):messages())
    check_failure("too_large", client:conversation("a"):send("hello"))
    assert.equal(2, #fault_server:requests())
  end)
end)

describe("JSON", function()
  local deep = {
    { "of arrays", ("["):rep(100000) .. ("]"):rep(100000) },
    { "of arrays that are never closed", ("["):rep(100000) },
    { "of objects", ('{"a":'):rep(100000) .. "1" .. ("}"):rep(100000) },
    { "of arrays in an object with an id",
      '{"id":"a","title":' .. ("["):rep(100000) .. ("]"):rep(100000) .. "}" },
    { "of 101 arrays", ("["):rep(101) .. ("]"):rep(101) },
  }

  -- Answers a request whose path names them with these bytes, and that status.
  local function start(bodies, status)
    local quoted = {}
    for i, body in ipairs(bodies) do quoted[i] = ("%q"):format(body) end
    return server.start(([[
      local connection = ...
      local bodies = { %s }
      while true do
        local request = connection:request()
        if not request then return end
        connection:reply(%d, bodies[tonumber(request.path:match("%%d+"))])
      end
    ]]):format(table.concat(quoted, ", "), status))
  end

  for _, case in ipairs(deep) do
    it("nested too deep is an error: " .. case[1], function()
      local fault_server <close> = start({ case[2] }, 200)
      local client <close> = connect(fault_server.base_url)
      local began = cqueues.monotime()
      check_failure("decode", client:request("GET", "/1"))
      check_failure("decode", client:conversation("1"):send("hello"))
      assert.is_true(cqueues.monotime() - began < 10)
    end)

    it("nested too deep in an error leaves it that error: " .. case[1], function()
      local fault_server <close> = start({ case[2] }, 400)
      local client <close> = connect(fault_server.base_url)
      local err = check_failure("http", client:request("GET", "/1"))
      assert.equal(400, err.status)
      assert.is_nil(err.details)
    end)
  end

  it("nested 100 deep is read", function()
    local fault_server <close> = start({ ("["):rep(100) .. ("]"):rep(100) }, 200)
    local client <close> = connect(fault_server.base_url)
    local value, depth = assert(client:request("GET", "/1")), 1
    while value[1] do value, depth = value[1], depth + 1 end
    assert.equal(100, depth)
  end)

  it("of a million elements is read, in a time that grows as they do", function()
    local fault_server <close> = server.start([[
      local connection = ...
      while true do
        local request = connection:request()
        if not request then return end
        local count = tonumber(request.path:match("%d+"))
        connection:reply(200, "[" .. ("1,"):rep(count - 1) .. "1]")
      end
    ]])
    local client <close> = connect(fault_server.base_url, { timeout = 30 })
    local seconds = {}
    for i, count in ipairs({ 100000, 1000000 }) do
      local began = cqueues.monotime()
      local list = assert(client:request("GET", "/" .. count))
      seconds[i] = cqueues.monotime() - began
      assert.equal(count, #list)
      assert.equal("integer", math.type(list[count]))
    end
    assert.is_true(seconds[2] < math.max(2, 50 * seconds[1]), "it took " .. seconds[2])
  end)

  it("cut at any byte is no reply", function()
    local whole = '{"messages":[{"id":"m1","message":"caf\u{e9} \\u00e9 \u{1F600}","n":[1.5e3,'
      .. '-0,true,null]},{"id":"m2","message":"\\n"}]}'
    local cuts = {}
    for i = 1, #whole do cuts[i] = whole:sub(1, i) end
    local fault_server <close> = start(cuts, 200)
    local client <close> = connect(fault_server.base_url)
    for i = 1, #whole - 1 do
      local err = check_failure("decode", client:conversation(tostring(i)):messages())
      assert.equal(cuts[i], err.body)
    end
    local messages = assert(client:conversation(tostring(#whole)):messages())
    assert.equal(2, #messages)
    assert.equal("caf\u{e9} \u{e9} \u{1F600}", tostring(messages[1]))
  end)
end)
