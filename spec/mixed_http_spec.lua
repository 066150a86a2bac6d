-- A server of which some connections speak HTTP/1.1 and some HTTP/2, as one behind a balancer over
-- different machines: each call has its own answer, whoever else is on the way.
local raia = require "raia"
local certificates = require "spec.support.certificates"
local server = require "spec.support.server"
local connect = require "spec.support.client" ()

local certificate = certificates()
teardown(function() certificate.remove() end)

-- Answers after a while, with the text and the key of the request.
local script = [[
  local connection = ...
  local http2 = connection:http2()
  connection:note(http2 and "h2" or "http/1.1")
  for request in function() return (http2 or connection):request() end do
    connection:sleep(0.01)
    local text = ('{"id":"m","message":"%s %s"}'):format(request.body:match '"message":"(%w+)"',
      request.headers["agent-secret-key"])
    if http2 then http2:reply(request.stream, 200, text) else connection:reply(200, text) end
  end
]]

describe("a server of both protocols", function()
  for _, at_once in ipairs { 2, 4, 8 } do
    it("gives each call its own answer, " .. at_once .. " at once", function()
      local mixed <close> = server.start(script, { tls = { cert = certificate.good.cert,
        key = certificate.good.key, protocol = "mixed" } })
      local wrong = {}
      for round = 1, 3 do
        local clients, list = {}, {}
        for i = 1, 2 do
          clients[i] = connect(mixed, { secret_key = "the-key-" .. i,
            ca_file = certificate.ca, timeout = 20 })
        end
        for i = 1, 60 do list[i] = i end
        assert(raia.map(list, function(i)
          local text = ("n%dr%d"):format(i, round)
          local answer = tostring(assert(clients[i % 2 + 1]:conversation("a"):send(text)))
          if answer ~= text .. " the-key-" .. i % 2 + 1 then wrong[#wrong + 1] = answer end
          return true
        end, { concurrency = at_once }))
        for i = 1, 2 do clients[i]:close() end
      end
      assert.same({}, wrong)
      local seen = {}
      for _, note in ipairs(mixed:notes()) do seen[note.note] = true end
      assert.same({ h2 = true, ["http/1.1"] = true }, seen)
    end)
  end
end)
