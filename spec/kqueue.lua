-- `make kqueue`: cases of the specs with the kqueue of macOS and the BSDs, for which spec/c/kqueue
-- stands in.
local support = require "spec.support.run"

-- Spec files, and the cases of each.
local rows = {
  { "loop", "comes to the same", "^a call under", "in a loop of one's own", "CPU time" },
  { "request", "^a request", "^cancel", "^close", "Ctrl%-C ends .* that is quiet" },
  { "connection", "idle", "kept connection" },
  { "host", "threads", "fork", "does not spin", "signal" },
  { "twice", "while idle" },
}

describe("waiting for sockets", function()
  it("by kqueue comes to the same", function()
    local output, status = support.run("make -s kqueue_module", { LD_PRELOAD = false })
    assert.equal(0, status, output)
    local build = output:match "([^\n]+)\n$"
    local symbols = ("nm %s/net/events_%%s.o"):format(build)
    assert.matches("raia_system_wait", support.run(symbols:format "kqueue"))
    assert.is_nil(support.run(symbols:format "epoll"):find "raia_system_wait")
    local commands = {}
    for i, row in ipairs(rows) do -- side by side
      local words = { ("LUA_CPATH_5_4='%s/?.so;'\"$LUA_CPATH_5_4\" lua5.4 -e %s /dev/null -o"
        .. " spec/support/output.lua"):format(build,
        support.quote 'require "busted.runner" { standalone = false }') }
      for j = 2, #row do words[j] = "--filter=" .. support.quote(row[j]) end
      table.insert(words, "spec/" .. row[1] .. "_spec.lua")
      commands[i] = table.concat(words, " ")
    end
    output = support.run(table.concat(commands, " & ") .. " & wait", { LD_PRELOAD = false })
    local ended = 0
    for passed, failed in output:gmatch "(%d+) passed, (%d+) failed\n" do
      assert.is_true(tonumber(passed) > 1 and failed == "0", output)
      ended = ended + 1
    end
    assert.equal(#commands, ended, output)
  end)
end)
