-- Which calls are tried again, how often, and what their error says of it.
local monotime = require("cqueues").monotime
local raia = require "raia"
local socket = require "cqueues.socket"
local server = require "spec.support.server"
local support = require "spec.support.run"
local clients = require "spec.support.client"
local failures = require "spec.support.attempts"

local methods, idempotent, failing = failures.methods, failures.idempotent, failures.failing
local start, ended = failures.start, failures.ended
local failure, deliveries = failures.failure, failures.deliveries
local connect = clients { timeout = 10 }

describe("a call that cannot reach the server", function()
  local calls = {}

  lazy_setup(function()
    local client <close> = connect("http://127.0.0.1:" .. server.dead_port(),
      { max_retries = 1 })
    for _, method in ipairs(methods) do calls[method] = start(client, method, "/x") end
    for method, call in pairs(calls) do calls[method] = ended(call) end
  end)

  for _, method in ipairs(methods) do
    it("is tried again when the port is closed, a " .. method .. " too", function()
      local err = assert(calls[method].err, calls[method].message)
      assert.is_nil(calls[method].result)
      assert.equal("connection", err.kind)
      assert.equal("no", err.sent)
      assert.equal(2, err.attempts)
      assert.is_true(err.retryable)
      assert.is_nil(err.status)
      assert.equal(method, err.method)
      assert.equal("/x", err.path)
    end)
  end

  it("fails at once without retries", function()
    local client <close> = connect("http://127.0.0.1:" .. server.dead_port())
    local err = failure(start(client, "POST", "/x"))
    assert.equal("connection", err.kind)
    assert.equal(1, err.attempts)
  end)

  it("is tried again when its name does not resolve", function()
    local events = {}
    local client <close> = connect("https://raia.invalid", { max_retries = 1,
      on_event = function(event) events[#events + 1] = event end })
    local answer, message, err = client:conversation("a"):send("hello")
    assert.is_nil(answer)
    assert.equal(message, err.message)
    assert.equal("connection", err.kind)
    assert.equal("no", err.sent)
    assert.equal(2, err.attempts)
    assert.is_true(err.retryable)
    assert.equal(2, #events)
    assert.same({ 1, 2 }, { events[1].attempt, events[2].attempt })
    assert.same({ "connection", "connection" }, { events[1].kind, events[2].kind })
  end)

  it("goes through once the port is open, a POST too", function()
    local port = server.free_port()
    local client <close> = connect("http://127.0.0.1:" .. port, { max_retries = 1 })
    local request = start(client, "POST", "/x")
    request:wait(0.1)
    local listener = socket.listen("127.0.0.1", port)
    assert(listener:listen())
    request:wait(1) -- the system accepts; only the answer is missing
    local stream = listener:accept(5)
    assert.is_truthy(stream, "it was not tried again")
    stream:setmode("b", "b")
    stream:xwrite("HTTP/1.1 200 OK\r\nContent-Length: 14\r\nConnection: close\r\n\r\n"
      .. '{"found":true}', "bn")
    request:wait(5)
    stream:close()
    listener:close()
    assert.same({ found = true }, (request:result()))
  end)
end)

describe("a resolver that hangs", function()
  local shim

  lazy_setup(function()
    shim = os.tmpname()
    local output, status = support.run("cc -shared -fPIC -o " .. support.quote(shim)
      .. " spec/c/slow_resolver.c", { LD_PRELOAD = false })
    assert.equal(0, status, output)
  end)

  lazy_teardown(function() os.remove(shim) end)

  -- Runs Lua code in a process whose resolver hangs. Gives what it wrote, and the seconds.
  local function run(code)
    local preload = os.getenv("LD_PRELOAD")
    local began = monotime()
    local output, status = support.run("exec lua5.4 -",
      { LD_PRELOAD = preload and preload .. " " .. shim or shim }, code)
    assert.equal(0, status, output)
    return output, monotime() - began
  end

  it("is not waited for: each attempt, of a POST too, ends by its time limits", function()
    local output, seconds = run([[
      local calls = {
        { "GET", nil, 0.5, 20 }, { "POST", { body = {} }, 0.5, 20 }, { "GET", nil, 20, 0.5 },
      }
      for _, call in ipairs(calls) do
        local method, parts, connect_timeout, timeout = table.unpack(call, 1, 4)
        call.client = require "raia".client { secret_key = "key", max_retries = 1,
          base_url = "https://raia.example", connect_timeout = connect_timeout,
          timeout = timeout }
        call.request = call.client:request(method, "/x", parts, { wait = false })
      end
      for _, call in ipairs(calls) do
        local result, message, err = call.request:wait()
        print(result, err.kind, err.sent, err.attempts, err.retryable, message == err.message)
      end
    ]])
    assert.equal(("nil\ttimeout\tno\t2\ttrue\ttrue\n"):rep(3), output)
    assert.is_true(seconds >= 1 and seconds < 10, "it took " .. seconds)
  end)

  it("is not waited for when the program ends with a call under way", function()
    local output, seconds = run([[
      local client = require "raia".client { secret_key = "key",
        base_url = "https://raia.example" }
      local request = client:request("GET", "/x", nil, { wait = false })
      print(request:wait(0.2))
    ]])
    assert.equal("nil\tthe request is still under way\n", output)
    assert.is_true(seconds < 10, "it took " .. seconds)
  end)

  it("is not waited for when the call is cancelled", function()
    local output, seconds = run([[
      local client = require "raia".client { secret_key = "key",
        base_url = "https://raia.example" }
      local request = client:request("GET", "/x", nil, { wait = false })
      request:wait(0.2)
      request:cancel()
      local _, _, err = request:result()
      print(err.kind, err.sent)
      client:close()
    ]])
    assert.equal("cancelled\tno\n", output)
    assert.is_true(seconds < 10, "it took " .. seconds)
  end)
end)

describe("an HTTP error", function()
  local fault_server
  local calls = {}
  local passing = { 500, 502, 503, 504, 408 }
  local lasting = { 400, 401, 402, 403, 404, 405, 406, 409, 410, 413, 415, 418, 422, 423, 451, 501,
    505, 599 }
  local refusals = { [400] = true, [401] = true, [403] = true, [404] = true, [405] = true,
    [413] = true, [415] = true, [422] = true, [429] = true }

  -- All calls are under way at once, to wait for the backoff only once.
  lazy_setup(function()
    fault_server = server.start(failing)
    for _, list in ipairs({ passing, lasting, { 429 } }) do
      for _, status in ipairs(list) do
        local client = connect(fault_server.base_url, { max_retries = 1 })
        for _, method in ipairs(methods) do
          calls[method .. status] = start(client, method, "/" .. status,
            { headers = { ["X-Status"] = tostring(status) } })
        end
      end
    end
    for name, call in pairs(calls) do calls[name] = ended(call) end
  end)

  lazy_teardown(function() fault_server:close() end)

  local function check(method, status, attempts, retryable)
    local outcome = calls[method .. status]
    assert.is_nil(outcome.result)
    local err = assert(outcome.err, outcome.message)
    assert.equal("http", err.kind)
    assert.equal(status, err.status)
    assert.equal(refusals[status] and "no" or "maybe", err.sent)
    assert.equal(attempts, err.attempts)
    assert.equal(retryable, err.retryable)
    assert.equal(attempts, #deliveries(fault_server, method, "/" .. status))
  end

  for _, status in ipairs(passing) do
    for _, method in ipairs(methods) do
      if idempotent[method] then
        it(("of %d is tried again when it answers a %s"):format(status, method), function()
          check(method, status, 2, true)
        end)
      else
        it(("of %d ends a %s, which was delivered"):format(status, method), function()
          check(method, status, 1, false)
        end)
      end
    end
  end

  for _, method in ipairs(methods) do
    it("of 429 is tried again when it answers a " .. method, function()
      check(method, 429, 2, true)
    end)
  end

  for _, status in ipairs(lasting) do
    for _, method in ipairs(methods) do
      it(("of %d ends a %s, for it would be the same again"):format(status, method), function()
        check(method, status, 1, false)
      end)
    end
  end
end)

-- What `sent` says where an attempt before the last one, or none, can have been acted on.
describe("a call of several attempts", function()
  -- Answers a path's attempts in the order of the statuses in it; 0: ends the connection.
  local answering = [[
    local connection = ...
    seen = seen or {}
    local request = connection:request()
    while request do
      local path = request.path
      seen[path] = (seen[path] or 0) + 1
      local statuses = {}
      for status in path:gmatch "%d+" do statuses[#statuses + 1] = tonumber(status) end
      local now = seen[path]
      local status = statuses[now]
      if status == 0 then return end
      connection:reply(status, { message = "not now" })
      request = connection:request()
    end]]
  local MAYBE_BEFORE = "; it was refused, but an earlier attempt may have been carried out"
  local cases = { -- method, statuses, sent, how the message ends
    { "PUT", "/0-404", "maybe", MAYBE_BEFORE },
    { "DELETE", "/0-404", "maybe", MAYBE_BEFORE },
    { "DELETE", "/503-404", "maybe", MAYBE_BEFORE },
    { "PUT", "/504-429", "maybe", MAYBE_BEFORE },
    { "DELETE", "/408-403", "maybe", MAYBE_BEFORE },
    { "DELETE", "/429-404", "no", "; it was refused: check the request" },
    { "POST", "/429-403", "no", "; it was refused: check the secret key" },
    { "POST", "/429-400", "no", "; it was refused: check the request" },
    { "POST", "/429-429", "no",
      "; it was refused: the service wants fewer calls, try again later" },
    { "POST", "/429-409", "maybe",
      "; it may have been carried out nevertheless: check before you try again" },
    { "POST", "/429-500", "maybe",
      "; it may have been carried out nevertheless: check before you try again" },
    { "PUT", "/429-409", "maybe", "; check the request" },
  }
  local fault_server

  lazy_setup(function() -- all at once, to wait for the backoff only once
    fault_server = server.start(answering)
    for _, case in ipairs(cases) do
      local client = connect(fault_server.base_url, { max_retries = 1 })
      case.call = start(client, case[1], case[2] .. "/" .. case[1])
    end
    for _, case in ipairs(cases) do case.call:wait(30) end
  end)
  lazy_teardown(function() fault_server:close() end)

  for _, case in ipairs(cases) do
    local method, path, sent, advice = table.unpack(case)
    it(("says %q after %s%s"):format(sent, method, path:gsub("[/-]", ", ")), function()
      local err = failure(case.call)
      assert.equal(2, err.attempts)
      assert.equal(sent, err.sent, err.message)
      assert.equal(advice, err.message:sub(-#advice))
    end)
  end

  it("says \"maybe\" of one that is lost on a connection that had been used", function()
    for _, method in ipairs { "PUT", "DELETE" } do
      local client <close> = connect(fault_server.base_url, { max_retries = 1 })
      assert.equal(404, failure(start(client, "GET", "/404/" .. method)).status)
      local err = failure(start(client, method, "/0-404/kept/" .. method))
      assert.equal(404, err.status)
      assert.equal(2, err.attempts)
      assert.equal("maybe", err.sent)
    end
  end)

  -- A server that is gone after its first answer, and the port that nobody listens on then.
  local function last_attempt_unsent(method, first)
    local listener = socket.listen("127.0.0.1", 0)
    assert(listener:listen())
    local _, _, port = listener:localname()
    local client <close> = connect("http://127.0.0.1:" .. port, { max_retries = 1 })
    local call = start(client, method, "/x")
    call:wait(0.1)
    local stream = assert(listener:accept(5))
    stream:setmode("b", "b")
    local till = monotime() + 5
    local head = ""
    while not head:find "\r\n\r\n" and monotime() < till do
      call:wait(0.05)
      head = head .. (stream:xread(-4096, 0.1) or "")
    end
    listener:close()
    stream:xwrite(first, "bn")
    stream:close()
    return failure(call)
  end

  it("says \"no\" when it was refused, and then there was no connection", function()
    local err = last_attempt_unsent("POST", "HTTP/1.1 429 No\r\nContent-Length: 0\r\n\r\n")
    assert.equal("connection", err.kind)
    assert.equal(2, err.attempts)
    assert.equal("no", err.sent)
    assert.is_true(err.retryable)
    assert.is_nil(err.message:find("nothing was sent", 1, true), err.message)
    assert.matches("; it was not carried out: it can be tried again$", err.message)
  end)

  it("says \"maybe\" when it was lost, and then there was no connection", function()
    for _, method in ipairs { "PUT", "DELETE" } do
      local err = last_attempt_unsent(method, "")
      assert.equal("connection", err.kind)
      assert.equal(2, err.attempts)
      assert.equal("maybe", err.sent)
      assert.is_nil(err.message:find("nothing was sent", 1, true), err.message)
      assert.matches("; it can be tried again without harm$", err.message)
    end
  end)

  it("that is ended while it waits for the next says what is so of those before", function()
    local ends = {
      cancelled = function(call) call:cancel() end,
      closed = function(_, client) client:close() end,
    }
    for kind, stop in pairs(ends) do
      for path, sent in pairs { ["/429"] = "no", ["/503"] = "maybe" } do
        local client <close> = connect(fault_server.base_url, { max_retries = 1 })
        local call = start(client, "PUT", path .. "/" .. kind)
        local till = monotime() + 5
        while #deliveries(fault_server, "PUT", path .. "/" .. kind) == 0 and monotime() < till do
          call:wait(0.02)
        end
        call:wait(0.1)
        stop(call, client)
        local err = failure(call)
        assert.equal(kind, err.kind)
        assert.equal(1, err.attempts)
        assert.is_nil(err.status) -- it is of an attempt, not of the end
        assert.equal(sent, err.sent, err.message)
        local advice = sent == "no" and "; it was not carried out"
          or "; it can be tried again without harm"
        assert.equal(advice, err.message:sub(-#advice))
      end
    end
  end)
end)

describe("the error that the service describes", function()
  local cases = {
    { 400, "Bad Request", "message must be a string", "Bad Request" },
    { 401, "Unauthorized", "INVALID_CREDENTIALS", "INVALID_CREDENTIALS" },
    { 403, "Forbidden", "INVALID_CREDENTIALS", "INVALID_CREDENTIALS" },
    { 404, "Not Found", "ENTITY_NOT_FOUND", "ENTITY_NOT_FOUND" },
    { 422, "Unprocessable Entity", "title is too long", "Unprocessable Entity" },
  }
  for _, case in ipairs(cases) do
    local status, name, message, code = table.unpack(case)
    it("with a " .. status .. " is in the error, and ends the call", function()
      local fault_server <close> = server.start(([[
        local connection = ...
        while connection:request() do
          connection:reply(%d, { status = %d, name = %q, message = %q,
            details = { { property = "message" } } }, { ["X-Request-Id"] = "req-1" })
        end
      ]]):format(status, status, name, message))
      local client <close> = connect(fault_server.base_url, { max_retries = 2 })
      for _, call in ipairs({ "send", "refresh" }) do
        local result, words, err = client:conversation("a")[call](client:conversation("a"),
          call == "send" and "hello" or nil)
        assert.is_nil(result)
        assert.equal(words, tostring(err))
        assert.equal("http", err.kind)
        assert.equal(status, err.status)
        assert.equal(code, err.code)
        assert.same({ { property = "message" } }, err.details)
        assert.equal("req-1", err.request_id)
        assert.equal(1, err.attempts)
        assert.is_false(err.retryable)
        assert.is_truthy(words:find(message, 1, true), words)
        assert.is_truthy(err.body:find(message, 1, true), err.body)
      end
      assert.equal(2, #fault_server:requests())
    end)
  end

  it("as HTML, from a proxy in between, is quoted and nothing is made of it", function()
    local fault_server <close> = server.start([[
      local connection = ...
      while connection:request() do
        connection:reply(502, "<html><title>502 Bad Gateway</title>" .. ("x"):rep(5000),
          { ["Content-Type"] = "text/html" })
      end
    ]])
    local client <close> = connect(fault_server.base_url)
    local answer, message, err = client:conversation("a"):send("hello")
    assert.is_nil(answer)
    assert.equal("http", err.kind)
    assert.equal(502, err.status)
    assert.is_nil(err.code)
    assert.is_nil(err.details)
    assert.equal("maybe", err.sent)
    assert.equal(1024, #err.body)
    assert.is_truthy(err.body:find("502 Bad Gateway", 1, true))
    assert.is_truthy(message:find("HTTP 502", 1, true), message)
  end)
end)

describe("max_retries", function()
  local cases = {
    { "is 2 when nothing is said", nil, nil, 3 },
    { "of 0 means one attempt", 0, nil, 1 },
    { "of 1 means two attempts", 1, nil, 2 },
    { "of the call counts more than the client's", 2, 0, 1 },
    { "of the call may be greater than the client's", 0, 1, 2 },
  }
  for _, case in ipairs(cases) do
    it(case[1], function()
      local fault_server <close> = server.start(failing)
      local events = {}
      local client <close> = raia.client { secret_key = "key", max_retries = case[2],
        base_url = fault_server.base_url,
        on_event = function(event) events[#events + 1] = event end }
      local err = failure(start(client, "GET", "/x",
        { max_retries = case[3], headers = { ["X-Status"] = "503" } }))
      assert.equal(case[4], err.attempts)
      assert.equal(case[4], #fault_server:requests())
      assert.equal(case[4], #events)
      for i, event in ipairs(events) do
        assert.equal(i, event.attempt)
        assert.equal(503, event.status)
        assert.equal("http", event.kind)
      end
    end)
  end

  it("is enough when the service recovers in time", function()
    local fault_server <close> = server.start(failing)
    local client <close> = connect(fault_server.base_url, { max_retries = 1 })
    local outcome = ended(start(client, "GET", "/x",
      { headers = { ["X-Status"] = "503", ["X-Failures"] = "1" } }))
    assert.same({ count = 2 }, outcome.result, outcome.message)
  end)
end)
