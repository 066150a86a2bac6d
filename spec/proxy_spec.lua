-- Proxies: what they are sent, what their refusals become, and which of the environment is used.
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

describe("a proxy", function()
  -- Passes on what is sent to it to the port, and notes what CONNECT had with it.
  local passing = [[
    local connection = ...
    local request = connection:head()
    if not request then return end
    connection:note({ body = #connection.buffer })
    connection:send("HTTP/1.1 200 Connection established\r\n\r\n")
    connection:pipe("127.0.0.1", %d)
  ]]
  local origin_script = [[
    local connection = ...
    while connection:request() do connection:reply(200, { id = "m", message = "through" }) end
  ]]

  local function proxy_url(proxy) return "http://127.0.0.1:" .. proxy.port end

  -- Fails unless the proxy has seen CONNECTs to this place, and nothing of the calls.
  local function check_connects(proxy, count, place)
    local heads = proxy:partials()
    assert.equal(count, #heads)
    for _, request in ipairs(heads) do
      assert.equal("CONNECT", request.method)
      assert.equal(place, request.path)
      assert.is_nil(request.head:find(key, 1, true))
      assert.is_nil(request.headers["agent-secret-key"])
      assert.is_nil(request.headers["content-type"])
      assert.is_nil(request.headers["x-team"])
    end
    for _, note in ipairs(proxy:notes()) do assert.equal(0, note.note.body) end
  end

  for _, over_tls in ipairs({ true, false }) do
    it("passes calls on to a server " .. (over_tls and "behind TLS" or "without TLS")
      .. ", and CONNECT has neither key nor body", function()
        local origin <close> = server.start(origin_script,
          over_tls and { tls = certificate.good })
        local proxy <close> = server.start(passing:format(origin.port))
        local client <close> = connect(origin.base_url, { proxy = proxy_url(proxy),
          headers = { ["X-Team"] = "ops" } })
        assert.equal("through", tostring(assert(client:conversation("a"):send("hello"))))
        assert.equal("m", assert(client.conversations:get("a")).id)
        check_connects(proxy, 1, origin.base_url:match("//(.*)$"))
        local requests = origin:requests()
        assert.equal(2, #requests)
        for _, request in ipairs(requests) do
          assert.equal(key, request.headers["agent-secret-key"])
          assert.equal("ops", request.headers["x-team"])
        end
      end)
  end

  it("is told its user and password, and the server is not", function()
    local origin <close> = server.start(origin_script, { tls = certificate.good })
    local proxy <close> = server.start(passing:format(origin.port))
    local client <close> = connect(origin.base_url,
      { proxy = "http://ada:secret@127.0.0.1:" .. proxy.port })
    assert(client:conversation("a"):send("hello"))
    assert.equal("Basic YWRhOnNlY3JldA==", proxy:partials()[1].headers["proxy-authorization"])
    assert.is_nil(origin:requests()[1].headers["proxy-authorization"])
    assert.is_nil(origin:requests()[1].headers["authorization"])
  end)

  local calls = {
    { "POST", "/x", { body = { text = "hello" } } }, { "POST", "/x" }, { "GET", "/x" },
    { "DELETE", "/x", { body = { text = "hello" } } },
  }
  local refusals = {
    { "407", [[connection:reply(407, "{}", { ["Proxy-Authenticate"] = "Basic realm=x" })]] },
    { "407 and closes", [[connection:reply(407, "{}", { ["Proxy-Authenticate"] = "Basic realm=x",
      Connection = "close" })]] },
    { "403", [[connection:reply(403, "<html>no</html>")]] },
    { "429", [[connection:reply(429, "", { ["Retry-After"] = "86400" })]] },
    { "502", [[connection:reply(502, "<html>no</html>")]] },
    { "a redirect", [[connection:reply(302, "", { Location = "http://127.0.0.1:1/" })]] },
    { "no HTTP", [[connection:send("garbage\r\n\r\n")]] },
    { "nothing, and closes", "" },
    { "nothing, and resets", "connection:reset()" },
    { "half a head, and closes", [[connection:send("HTTP/1.1 200 Connect")]] },
    { "a header of 1 MiB", [[connection:send("HTTP/1.1 200 OK\r\nX-Header: "
      .. ("x"):rep(1048576) .. "\r\n\r\n")]] },
    { "headers without end", [[connection:send("HTTP/1.1 200 OK\r\n")
      while connection:send("X-Header: value\r\n") do end]] },
    { "interim replies without end",
      [[while connection:send("HTTP/1.1 100 Continue\r\n\r\n") do end]], timeout = true },
    { "nothing", "connection:wait_close(30)", timeout = true },
  }
  for _, refusal in ipairs(refusals) do
    it("that answers " .. refusal[1] .. " is no connection: nothing of the call was sent",
      function()
        local proxy <close> = server.start("local connection = ... connection:head() "
          .. refusal[2])
        local client <close> = connect("https://raia.invalid",
          { proxy = proxy_url(proxy), timeout = refusal.timeout and 0.5 or 20 })
        for _, call in ipairs(calls) do
          local err = select(3, client:request(table.unpack(call)))
          assert.is_table(err)
          local kind = refusal.timeout and err.kind == "timeout" and "timeout" or "connection"
          assert.equal(kind, err.kind, err.message)
          assert.equal("no", err.sent, err.message)
          assert.is_true(err.retryable)
          assert.is_nil(err.status)
          assert.is_nil(err.retry_after)
          assert.is_nil(err.body)
        end
        check_connects(proxy, #calls, "raia.invalid:443")
      end)
  end

  it("that refuses is asked again, a POST too", function()
    local origin <close> = server.start(origin_script, { tls = certificate.good })
    local proxy <close> = server.start([[
      local connection, index = ...
      if index == 1 then
        connection:head()
        return connection:reply(503, "busy")
      end
    ]] .. passing:gsub("^%s*local connection = %.%.%.", ""):format(origin.port))
    local client <close> = connect(origin.base_url,
      { proxy = proxy_url(proxy), max_retries = 1 })
    assert.equal("through", tostring(assert(client:conversation("a"):send("hello"))))
    assert.equal(1, #origin:requests())
  end)

  it("that answers 200 and then garbage gets no key", function()
    local proxy <close> = server.start(([[
      local connection = ...
      connection:head()
      connection:send("HTTP/1.1 200 OK\r\n\r\ngarbage, and no TLS at all\r\n\r\n")
      connection:wait_close(30)
      connection:note(connection.buffer:find(%q, 1, true) and "the key" or "no key")
    ]]):format(key))
    local client <close> = connect("https://raia.invalid", { proxy = proxy_url(proxy) })
    for i, call in ipairs(calls) do
      local result, message, err = client:request(table.unpack(call))
      assert.is_nil(result)
      assert.is_true(err.kind == "tls" or err.kind == "connection", message)
      assert.equal("no", err.sent, message)
      assert.is_nil(err.status)
      while #proxy:notes() < i do cqueues.sleep(0.01) end
      assert.equal("no key", proxy:notes()[i].note)
    end
  end)

  it("that poses as the server gets no key", function()
    local impostor <close> = server.start(origin_script, { tls = certificate.unknown_root })
    local proxy <close> = server.start(passing:format(impostor.port))
    local client <close> = connect("https://localhost", { proxy = proxy_url(proxy) })
    for _, call in ipairs(calls) do
      assert.equal("no", check_failure("tls", client:request(table.unpack(call))).sent)
    end
    assert.equal(0, #impostor:requests() + #impostor:partials())
  end)

  it("that is down is no connection", function()
    local client <close> = connect("https://raia.invalid",
      { proxy = "http://127.0.0.1:" .. server.dead_port() })
    local err = check_failure("connection", client:conversation("a"):send("hello"))
    assert.equal("no", err.sent)
  end)

  -- Sends a message from a process with this environment, and gives what came of it.
  local function send_with(environment, base_url, options)
    local given = { http_proxy = false, HTTP_PROXY = false, https_proxy = false,
      HTTPS_PROXY = false, all_proxy = false, ALL_PROXY = false, no_proxy = false,
      NO_PROXY = false }
    for name, value in pairs(environment) do given[name] = value end
    local output, status = support.run("exec lua5.4 -", given, ([[
      local client = require "raia".client { secret_key = %q, base_url = %q, ca_file = %q,
        max_retries = 0, timeout = 5, %s }
      local answer, message, err = client:conversation("a"):send("hello")
      print(answer or err.kind .. " " .. err.sent)
    ]]):format(key, base_url, certificate.ca, options or ""))
    assert.equal(0, status, output)
    return output:gsub("\n$", "")
  end

  -- The certificate is for other.example, a name that does not resolve: only the proxy can
  -- reach it. `environment` may name the proxy as PROXY.
  local environments = {
    { "HTTPS_PROXY is used", { HTTPS_PROXY = "PROXY" }, true },
    { "https_proxy is used", { https_proxy = "PROXY" }, true },
    { "ALL_PROXY is used", { ALL_PROXY = "PROXY" }, true },
    { "HTTP_PROXY is not for https", { HTTP_PROXY = "PROXY", http_proxy = "PROXY" }, false },
    { "NO_PROXY takes a name out", { HTTPS_PROXY = "PROXY", NO_PROXY = "other.example" }, false },
    { "no_proxy takes a name out", { HTTPS_PROXY = "PROXY", no_proxy = "other.example" }, false },
    { "NO_PROXY takes a domain out", { HTTPS_PROXY = "PROXY", NO_PROXY = "a.example,.example" },
      false },
    { "NO_PROXY takes all out", { HTTPS_PROXY = "PROXY", NO_PROXY = "*" }, false },
    { "NO_PROXY for other names changes nothing",
      { HTTPS_PROXY = "PROXY", NO_PROXY = "example.org,er.example" }, true },
    { "the option proxy counts more", { HTTPS_PROXY = "http://127.0.0.1:1" }, true,
      "proxy = 'PROXY'" },
    { "an empty option proxy means none", { HTTPS_PROXY = "PROXY" }, false, "proxy = ''" },
  }
  for _, case in ipairs(environments) do
    it("in the environment: " .. case[1], function()
      local origin <close> = server.start(origin_script, { tls = certificate.other_host })
      local proxy <close> = server.start(passing:format(origin.port))
      local environment = {}
      for name, value in pairs(case[2]) do
        environment[name] = value:gsub("PROXY", proxy_url(proxy))
      end
      local options = case[4] and case[4]:gsub("PROXY", proxy_url(proxy))
      assert.equal(case[3] and "through" or "connection no",
        send_with(environment, "https://other.example", options))
      check_connects(proxy, case[3] and 1 or 0, "other.example:443")
      assert.equal(case[3] and 1 or 0, #origin:requests())
    end)
  end

  for _, over_tls in ipairs({ false, true }) do
    it("in the environment is not for this machine" .. (over_tls and ", over TLS" or ""),
      function()
        local origin <close> = server.start(origin_script,
          over_tls and { tls = certificate.good })
        local proxy <close> = server.start(passing:format(origin.port))
        local url = proxy_url(proxy)
        assert.equal("through", send_with(
          { HTTPS_PROXY = url, HTTP_PROXY = url, http_proxy = url, ALL_PROXY = url },
          origin.base_url))
        assert.equal(0, proxy:connections())
      end)
  end
end)
