-- A crash hunt through tasks, requests, clients and loops: HUNT_STEPS random steps for each seed
-- of the list HUNT_SEEDS. It is worth most under make asan and make valgrind.
local raia = require "raia"
local scheduler = require "raia.core".scheduler
local support = require "spec.support.hunt"
local servers = require "spec.support.server"

local steps = tonumber(os.getenv "HUNT_STEPS") or 1000
local seeds = {}
for seed in (os.getenv "HUNT_SEEDS" or "1 2 3"):gmatch "%d+" do
  seeds[#seeds + 1] = tonumber(seed)
end

describe("random steps", function()
  local sandbox, server

  setup(function()
    sandbox = assert(require "raia.sandbox".start { delay = 0.005, any_user = true })
    server = servers.start(support.script)
  end)

  teardown(function()
    raia.use(nil)
    server:close()
    sandbox:close()
  end)

  for _, seed in ipairs(seeds) do
    it(("leave nothing broken: seed %d, %d steps"):format(seed, steps), function()
      local found = support.hunt(seed, steps, sandbox, server)
      assert.same({}, found.complaints)
      assert.equal(0, found.in_flight)
      assert.equal(0, (scheduler.state()))
      assert.is_true(found.answered > steps // 20)
      assert.is_true(found.failed > steps // 50)
      local client <close> = raia.client {
        base_url = sandbox.base_url, secret_key = sandbox.secret_key }
      assert.equal("You said: still there?", tostring(assert(raia.run(function()
        return client:conversation(found.conversation):send("still there?")
      end))))
    end)
  end
end)
