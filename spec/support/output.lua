-- A busted output handler: the plain terminal's, ending in the line "N passed, N failed".
-- A pending test counts as failed, and so does a run without tests.

local slow_after = 5 -- seconds
local os_exit = os.exit

return function(options)
  local busted = require "busted"
  options.suppressPending = false
  local handler = require "busted.outputHandlers.plainTerminal"(options)
  local passed, failed = 0, 0

  local function where(entry)
    local trace = entry.element.trace or entry.trace or {}
    return ("%s:%s: %s"):format(trace.short_src or "?", trace.currentline or "?", entry.name)
  end

  local function test_end(element)
    if element.duration and element.duration > slow_after then
      io.write(("\nslow, %.1f s: %s\n"):format(element.duration, handler.getFullName(element)))
      io.flush()
    end
    return nil, true
  end

  local function suite_start()
    os.exit = function() error("a test called os.exit", 2) end -- luacheck: ignore 122
    return nil, true
  end

  local function suite_end()
    if handler.pendingsCount > 0 then io.write("\n") end
    for _, pending in ipairs(handler.pendings) do
      io.write("pending, which counts as failed: ", where(pending), "\n")
    end
    passed = passed + handler.successesCount
    failed = failed + handler.failuresCount + handler.errorsCount + handler.pendingsCount
    return nil, true
  end

  local function exit()
    if passed + failed == 0 then
      io.write("\nno test has run\n")
      failed = 1
    end
    io.write(("\n%d passed, %d failed\n"):format(passed, failed))
    io.flush()
    os_exit(failed == 0, true)
  end

  busted.subscribe({ "test", "end" }, test_end)
  busted.subscribe({ "suite", "start" }, suite_start)
  busted.subscribe({ "suite", "end" }, suite_end)
  busted.subscribe({ "exit" }, exit)
  return handler
end
