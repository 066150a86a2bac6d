-- HTTP/2 replies that arrive before the server has read the body and that end with RST_STREAM
-- (NO_ERROR): the caller gets the reply or a lost connection, never a false success.
local certificates = require "spec.support.certificates"
local server = require "spec.support.server"
local connect = require "spec.support.client" ()

local ROUNDS, AT_ONCE = 4, 50

describe("an early answer over HTTP/2, many in flight,", function()
  local made
  setup(function() made = certificates() end)
  teardown(function() made.remove() end)

  for _, status in ipairs { 401, 413, 429, 500 } do
    for size, body in pairs { small = ("x"):rep(100), large = ("x"):rep(100000) } do
      it(("of %d to a %s message is told as such"):format(status, size), function()
        local early <close> = server.start(([[
          local connection = ...
          local peer = connection:http2()
          local request = peer:head()
          while request do
            if request.method == "GET" then
              peer:reply(request.stream, 200, "{}")
            else
              peer:headers(request.stream, %d, nil, true)
              peer:reset(request.stream, "NO_ERROR")
            end
            request = peer:head()
          end
        ]]):format(status), { tls = { cert = made.good.cert, key = made.good.key,
          protocol = "h2" } })
        local client <close> = connect(early, { ca_file = made.ca, timeout = 8 })
        assert(client:request("GET", "/first"))
        local told = 0
        for _ = 1, ROUNDS do
          local requests = {}
          for i = 1, AT_ONCE do
            requests[i] = client:conversation("a"):send(body, { wait = false })
          end
          for _, request in ipairs(requests) do
            local result, message, err = request:wait(30)
            assert.is_nil(result, "it succeeded")
            assert.is_table(err, message)
            if err.kind == "http" then
              assert.equal(status, err.status)
              told = told + 1
            else
              -- libcurl 7.88 loses a transfer now and then: its caller hears of it in time.
              assert.is_true(err.kind == "connection" or err.kind == "timeout", message)
              assert.equal("maybe", err.sent, message)
            end
          end
        end
        assert.is_true(told > 0, "nobody was told the status")
      end)
    end
  end
end)
