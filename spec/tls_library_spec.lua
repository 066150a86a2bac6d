-- Asking libcurl's TLS library what it has buffered and negotiated. A library that cannot be asked
-- costs connections, but neither answers nor messages.
local certificates = require "spec.support.certificates"
local server = require "spec.support.server"
local support = require "spec.support.run"

local made = certificates()
local shim

setup(function()
  shim = support.run("mktemp"):match "%S+"
  local output, status = support.run("cc -shared -fPIC spec/c/silent_tls.c -o "
    .. support.quote(shim), { LD_PRELOAD = false })
  assert(status == 0, output)
end)

teardown(function()
  os.remove(shim)
  made.remove()
end)

-- Runs `code`, which has `client` and `conversation`. Gives what it printed.
local function run(peer, silent, code)
  local preload = (os.getenv "LD_PRELOAD" or "") .. (silent and " " .. shim or "")
  return (support.run("LD_PRELOAD=" .. support.quote(preload) .. " lua5.4 -",
    { URL = peer.base_url, CA = made.ca }, [[
      local raia = require "raia"
      local client = raia.client { base_url = os.getenv "URL", ca_file = os.getenv "CA",
        secret_key = "a-marked-key", timeout = 20, max_retries = 0 }
      local conversation = client:conversation("a")
    ]] .. code))
end

-- Answers each message with its text, and notes of which connection it was the how-manieth.
local echo = [[
  local connection, index = ...
  local n = 0
  for request in function() return connection:request() end do
    n = n + 1
    connection:note(index .. "." .. n)
    connection:reply(200, { id = "m", message = request.body:match '"message":"(%w+)"' })
  end
]]

local echo_http2 = [[
  local connection, index = ...
  local peer = connection:http2()
  local n = 0
  for request in function() return peer:request() end do
    n = n + 1
    connection:note(index .. "." .. n)
    peer:reply(request.stream, 200,
      '{"id":"m","message":"' .. request.body:match '"message":"(%w+)"' .. '"}')
  end
]]

local function notes(peer)
  local texts = {}
  for i, note in ipairs(peer:notes()) do texts[i] = note.note end
  return texts
end

local one_by_one = 'for i = 1, 4 do print(conversation:send("n" .. i)) end'

describe("a TLS library", function()
  it("that can be asked has its connections kept", function()
    local peer <close> = server.start(echo, { tls = made.good })
    assert.equal("n1\nn2\nn3\nn4\n", run(peer, false, one_by_one))
    assert.same({ "1.1", "1.2", "1.3", "1.4" }, notes(peer))
  end)

  it("that cannot be asked has each of its connections used once", function()
    local peer <close> = server.start(echo, { tls = made.good })
    assert.equal("n1\nn2\nn3\nn4\n", run(peer, true, one_by_one))
    assert.same({ "1.1", "2.1", "3.1", "4.1" }, notes(peer))
  end)

  it("that cannot be asked gives nobody a stray answer", function()
    local peer <close> = server.start([[
      local connection = ...
      local request = connection:request()
      local text = request.body:match '"message":"(%w+)"'
      connection:reply(200, { id = "m", message = text })
      connection:reply(200, { id = "m", message = "stray" })
      connection:wait_close(20)
    ]], { tls = made.good })
    assert.equal("n1\nn2\nn3\nn4\n", run(peer, true, one_by_one))
  end)

  for _, silent in ipairs { false, true } do
    it(("that can%s be asked serves many at once over HTTP/2"):format(silent and "not" or ""),
      function()
        local peer <close> = server.start(echo_http2, { tls = { cert = made.good.cert,
          key = made.good.key, protocol = "h2" } })
        local output = run(peer, silent, [[
          for round = 1, 2 do
            local requests = {}
            for i = 1, 5 do requests[i] = conversation:send("n" .. i, { wait = false }) end
            for i = 1, 5 do print(requests[i]:wait()) end
          end]])
        assert.equal(("n1\nn2\nn3\nn4\nn5\n"):rep(2), output)
        assert.equal(10, #notes(peer))
        for _, note in ipairs(silent and {} or notes(peer)) do
          assert.equal("1", note:match "%d+")
        end
      end)
  end
end)
