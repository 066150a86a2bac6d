-- Waiting uses next to no CPU.
local server = require "spec.support.server"
local support = require "spec.support.run"
local given = require "spec.support.requests"

local HOLD = given.HOLD

describe("a wait in which nothing happens", function()
  it("wakes up four times a second, to look for a signal", function()
    local peer <close> = server.start(HOLD)
    local waits = {
      ["raia.sleep"] = "raia.sleep(3)",
      ["raia.run"] = "raia.run(raia.sleep, 3)",
      ["raia.step"] = "raia.step(3)",
      ["wait"] = "start()[1]:wait(3)",
      ["raia.timeout"] = "raia.timeout(3, function() start()[1]:wait() end)",
    }
    local commands = {}
    for name, code in pairs(waits) do -- side by side
      table.insert(commands, "lua5.4 -e " .. support.quote([[
        local raia = require "raia"
        local client = raia.client { base_url = os.getenv "URL", secret_key = "k" }
        local marked
        local function mark()
          for line in io.lines "/proc/self/status" do
            marked = tonumber(line:match "^voluntary_ctxt_switches:%s*(%d+)") or marked
          end
          return marked
        end
        local function start()
          local requests = {}
          for i = 1, 20 do requests[i] = client:request("GET", "/hang", nil, { wait = false }) end
          requests[1]:wait(0.5)
          mark()
          return requests
        end
        mark()
        ]] .. code .. [[

        local before = marked
        io.write("]] .. name .. [[: ", mark() - before, "\n")]]))
    end
    local output = support.run(table.concat(commands, " & ") .. " & wait", { URL = peer.base_url })
    for name in pairs(waits) do
      local count = tonumber(output:match(name .. ": (%d+)\n"))
      assert.is_true(count and count < 20, output)
    end
  end)
end)

describe("a hundred calls in flight and nothing arriving", function()
  local peer

  setup(function() peer = server.start(HOLD) end)
  teardown(function() peer:close() end)

  -- Each waits for about two seconds between two calls of mark().
  local bodies = {
    blocking = [[
      mark()
      start()[1]:wait(0.5)
      mark()
      start()[1]:wait(2)
      mark()]],
    ["raia.run"] = [[raia.run(function()
      for _, request in ipairs(start()) do raia.spawn(function() request:wait() end) end
      raia.sleep(0.5)
      mark()
      raia.sleep(2)
      mark()
      os.exit(0, true)
    end)]],
    cqueues = [[
      local cqueues = require "cqueues"
      raia.use "cqueues"
      local controller = cqueues.new()
      for _ = 1, 100 do controller:wrap(function() client:request("GET", "/hang") end) end
      controller:wrap(function()
        cqueues.sleep(0.5)
        mark()
        cqueues.sleep(2)
        mark()
        os.exit(0, true)
      end)
      controller:loop(30)]],
    luv = [[
      local uv = require "luv"
      raia.use "luv"
      for _ = 1, 100 do raia.spawn(function() client:request("GET", "/hang") end) end
      local timer = uv.new_timer()
      timer:start(500, 0, function()
        mark()
        timer:start(2000, 0, function()
          mark()
          os.exit(0, false)
        end)
      end)
      uv.run()]],
    ["raia.step"] = [[
      start()
      raia.step(0.5)
      mark()
      local from = os.time()
      while os.time() - from < 3 do raia.step(1) end
      mark()]],
  }
  for name, body in pairs(bodies) do
    it("cost next to no CPU time: " .. name, function()
      local output = support.run("lua5.4 -", { URL = peer.base_url }, [[
        local raia = require "raia"
        local scheduler = require "raia.core".scheduler
        local client = raia.client { base_url = os.getenv "URL", secret_key = "k",
          max_connections = 200 }
        local requests = {}
        local function start()
          for i = #requests + 1, 100 do
            requests[i] = client:request("GET", "/hang", nil, { wait = false })
          end
          return requests
        end
        local marked
        local function mark()
          if marked then print(scheduler.state(), os.clock() - marked) end
          marked = os.clock()
        end
        ]] .. body)
      local in_flight, seconds = output:match("(%d+)\t?%S*\t?%S*\t(%S+)\n$")
      assert.equal("100", in_flight, output)
      assert.is_true(tonumber(seconds) < 0.1, output)
    end)
  end
end)
