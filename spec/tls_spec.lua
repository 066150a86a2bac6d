-- TLS: which certificates are trusted, which versions are spoken, and that nothing leaks if not.
local certificates = require "spec.support.certificates"
local server = require "spec.support.server"
local support = require "spec.support.run"
local clients = require "spec.support.client"

local certificate = certificates()
local key = "the-key-that-must-not-show"

teardown(function() certificate.remove() end)

local connect = clients { secret_key = key, timeout = 5, max_retries = 2,
  ca_file = certificate.ca }

local serving = [[
  local connection = ...
  while connection:request() do connection:reply(200, { id = "m", message = "hello" }) end
]]

local calls = {
  { "message", function(client) return client:conversation("a"):send("hello") end },
  { "GET", function(client) return client.conversations:get("a") end },
  { "DELETE", function(client) return client.conversations:delete_all("u") end },
  { "POST without a body", function(client) return client:request("POST", "/x") end },
}

-- Fails unless a call has ended before any of it was sent, for want of trust.
local function check_distrust(result, message, err)
  assert.is_nil(result, "it succeeded")
  assert.is_table(err, message)
  assert.equal("tls", err.kind, message)
  assert.equal("no", err.sent)
  assert.equal(1, err.attempts)
  assert.is_false(err.retryable)
  assert.is_nil(err.status)
  assert.is_nil(err.body)
  assert.equal(message, tostring(err))
end

describe("a certificate", function()
  it("that the authority in ca_file has signed for the name is trusted", function()
    local fault_server <close> = server.start(serving, { tls = certificate.good })
    local client <close> = connect(fault_server.base_url)
    for _, call in ipairs(calls) do assert(call[2](client)) end
    local requests = fault_server:requests()
    assert.equal(#calls, #requests)
    for _, request in ipairs(requests) do
      assert.equal(key, request.headers["agent-secret-key"])
    end
  end)

  it("is good for an address that it names", function()
    local fault_server <close> = server.start(serving, { tls = certificate.good })
    local client <close> = connect("https://127.0.0.1:" .. fault_server.port)
    assert(calls[1][2](client))
  end)

  local cases = {
    { "that has expired", "expired" },
    { "for another host", "other_host" },
    { "that it has signed itself", "self_signed" },
    { "of an authority that nobody knows", "unknown_root" },
  }
  for _, case in ipairs(cases) do
    for _, call in ipairs(calls) do
      it(("%s gets no key and no second attempt from a %s"):format(case[1], call[1]), function()
        local fault_server <close> = server.start(serving, { tls = certificate[case[2]] })
        local client <close> = connect(fault_server.base_url)
        check_distrust(call[2](client))
        assert.equal(1, fault_server:connections())
        assert.equal(0, #fault_server:requests() + #fault_server:partials())
      end)
    end
  end

  local without = {
    { "without ca_file, as its authority is not the system's", nil },
    { "when ca_file is of another authority", certificate.unknown_root.cert },
  }
  for _, case in ipairs(without) do
    it("that is good is not trusted " .. case[1], function()
      local fault_server <close> = server.start(serving, { tls = certificate.good })
      local client <close> = clients {} (fault_server, { ca_file = case[2] })
      for _, call in ipairs(calls) do check_distrust(call[2](client)) end
      assert.equal(0, #fault_server:requests() + #fault_server:partials())
    end)
  end

  it("is not good for an address that it does not name", function()
    local fault_server <close> = server.start(serving, { tls = certificate.other_host })
    local client <close> = connect("https://127.0.0.1:" .. fault_server.port)
    check_distrust(calls[1][2](client))
    assert.equal(0, #fault_server:requests() + #fault_server:partials())
  end)

  it("that one client trusts is not trusted by another, not on a kept connection", function()
    local fault_server <close> = server.start(serving, { tls = certificate.good })
    local trusting <close> = connect(fault_server.base_url)
    local careful <close> = clients {} (fault_server)
    assert(calls[1][2](trusting))
    check_distrust(calls[1][2](careful))
    assert(calls[1][2](trusting))
    assert.equal(2, #fault_server:requests())
  end)

  it("is looked at again when the server comes back with another", function()
    local good <close> = server.start(serving, { tls = certificate.good })
    local expired <close> = server.start(serving, { tls = certificate.expired })
    -- The client's way to the port leads to the one, and then to the other.
    local way <close> = server.start(([[
      local connection, index = ...
      connection:pipe("127.0.0.1", index == 1 and %d or %d)
    ]]):format(good.port, expired.port))
    local client <close> = connect("https://localhost:" .. way.port)
    assert(calls[1][2](client))
    good:close()
    local result, message, err = calls[1][2](client)
    for _ = 1, 10 do -- until the end of the old connection is known
      if result == nil and err.kind == "tls" then break end
      result, message, err = calls[1][2](client)
    end
    assert.is_nil(result)
    assert.equal("tls", err.kind, message)
    check_distrust(calls[1][2](client))
    assert.equal(0, #expired:requests() + #expired:partials())
  end)
end)

describe("a server that speaks no TLS on a port for it", function()
  local greetings = {
    { "waits to be spoken to", "" },
    { "answers in HTTP", [[connection:send("HTTP/1.1 400 Bad Request\r\n\r\n")]] },
    { "greets in another protocol", [[connection:send("220 mail.example ESMTP\r\n")]] },
  }
  for _, greeting in ipairs(greetings) do
    it(greeting[1] .. " and gets neither key nor message", function()
      local fault_server <close> = server.start(([[
        local connection = ...
        %s
        connection:wait_close(30)
        connection:note(connection.buffer:find(%q, 1, true) and "the key"
          or connection.buffer:find("message", 1, true) and "the message" or "nothing")
      ]]):format(greeting[2], key))
      local client <close> = connect("https://localhost:" .. fault_server.port,
        { timeout = 0.5, max_retries = 0 })
      local result, message, err = calls[1][2](client)
      assert.is_nil(result)
      assert.is_true(err.kind == "tls" or greeting[2] == "" and err.kind == "timeout", message)
      assert.equal("no", err.sent)
      local notes
      repeat notes = fault_server:notes() until #notes > 0
      assert.equal("nothing", notes[1].note)
    end)
  end

  for ending, close in pairs { closes = "close", resets = "reset" } do
    it(ending .. " in the handshake, and is tried again, for nothing was sent", function()
      local fault_server <close> = server.start(([[
        local connection, index = ...
        if index <= 2 then
          connection:plain()
          connection:read(5)
          connection:%s()
        else
          while connection:request() do
            connection:reply(200, { id = "m", message = "hello" })
          end
        end
      ]]):format(close), { tls = certificate.good })
      local client <close> = connect(fault_server.base_url)
      assert(calls[1][2](client))
      assert.equal(1, #fault_server:requests())
      assert.equal(3, fault_server:connections())
    end)
  end

  it("has the key from no client that speaks TLS to it after one that does not", function()
    local fault_server <close> = server.start("local connection = ... connection:plain()"
      .. serving:gsub("local connection = %.%.%.", ""), { tls = certificate.good })
    local plain <close> = connect("http://localhost:" .. fault_server.port)
    local secure <close> = connect("https://localhost:" .. fault_server.port,
      { timeout = 0.5, max_retries = 0 })
    assert(calls[1][2](plain))
    local result, _, err = calls[1][2](secure)
    assert.is_nil(result)
    assert.equal("no", err.sent)
    assert.equal(1, #fault_server:requests())
  end)
end)

describe("the TLS version", function()
  local configuration

  -- Lets OpenSSL itself speak every version, so that it is raia that refuses.
  lazy_setup(function()
    configuration = os.tmpname()
    local file <close> = assert(io.open(configuration, "w"))
    file:write([[
openssl_conf = all
[all]
ssl_conf = ssl
[ssl]
system_default = every
[every]
MinProtocol = TLSv1
CipherString = ALL:@SECLEVEL=0
]])
  end)

  lazy_teardown(function() os.remove(configuration) end)

  local function send_to(fault_server, environment)
    local output, status = support.run("exec lua5.4 -", environment, ([[
      local client = require "raia".client { secret_key = %q, base_url = %q, ca_file = %q,
        max_retries = 2, timeout = 5 }
      local answer, message, err = client:conversation("a"):send("hello")
      print(answer or ("%%s %%s %%d"):format(err.kind, err.sent, err.attempts))
    ]]):format(key, fault_server.base_url, certificate.ca))
    assert.equal(0, status, output)
    return output
  end

  local cases = {
    { "TLSv1", false }, { "TLSv1.1", false }, { "TLSv1.2", true }, { "TLSv1.3", true },
  }
  for _, case in ipairs(cases) do
    local version, spoken = table.unpack(case)
    it(version .. (spoken and " is spoken" or " is refused: too old"), function()
      local tls = { cert = certificate.good.cert, key = certificate.good.key, version = version }
      for _, environment in ipairs({ {}, { OPENSSL_CONF = configuration } }) do
        local fault_server <close> = server.start(serving, { tls = tls })
        assert.equal(spoken and "hello\n" or "tls no 1\n", send_to(fault_server, environment))
        assert.equal(spoken and 1 or 0, #fault_server:requests() + #fault_server:partials())
      end
    end)
  end
end)
