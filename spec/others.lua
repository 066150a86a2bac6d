-- `make others`: cases of the specs with what other systems have to wait for sockets: poll, and
-- kqueue, which spec/c/kqueue stands in for.
local support = require "spec.support.run"

local everywhere = {
  { "loop", "comes to the same: blocking", "comes to the same: raia", "CPU time: blocking" },
  { "request", "^a request", "^cancel", "^close", "Ctrl%-C ends .* that is quiet" },
  { "connection", "idle", "kept connection" },
  { "host", "threads", "fork", "does not spin", "signal" },
}
local systems = {
  kqueue = {
    { "loop", "comes to the same: cqueues", "comes to the same: luv", "^a call under",
      "in a loop of one's own", "CPU time: cqueues", "CPU time: luv" },
    { "twice", "while idle" },
  },
  poll = {}, -- has no descriptor for an event loop to watch
}
local symbols = { kqueue = "kevent", poll = "poll" }

describe("waiting for sockets", function()
  for system, more in pairs(systems) do
    it("by " .. system .. " comes to the same", function()
      local output, status = support.run("make -s " .. system, { LD_PRELOAD = false })
      assert.equal(0, status, output)
      local build = output:match "([^\n]+)\n$"
      output = support.run(("nm %s/raia/core.so"):format(build), { LD_PRELOAD = false })
      assert.matches(symbols[system] .. "[@%s]", output)
      assert.is_nil(output:find "epoll_pwait")
      local commands = {}
      for _, list in ipairs { everywhere, more } do
        for _, row in ipairs(list) do -- side by side
          local words = { ("LUA_CPATH_5_4='%s/?.so;'\"$LUA_CPATH_5_4\" lua5.4 -e %s /dev/null -o"
            .. " spec/support/output.lua"):format(build,
            support.quote 'require "busted.runner" { standalone = false }') }
          for i = 2, #row do words[i] = "--filter=" .. support.quote(row[i]) end
          table.insert(words, "spec/" .. row[1] .. "_spec.lua")
          table.insert(commands, table.concat(words, " "))
        end
      end
      output = support.run(table.concat(commands, " & ") .. " & wait", { LD_PRELOAD = false })
      local ended = 0
      for passed, failed in output:gmatch "(%d+) passed, (%d+) failed\n" do
        assert.is_true(tonumber(passed) > 1 and failed == "0", output)
        ended = ended + 1
      end
      assert.equal(#commands, ended, output)
    end)
  end
end)
