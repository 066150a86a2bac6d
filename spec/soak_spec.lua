-- A short run of `make soak`.
local support = require "spec.support.run"

describe("some thousand calls and some hundred clients", function()
  it("keep memory and descriptors flat, and act on no POST twice", function()
    -- Sanitizers keep what was freed.
    local sanitized = os.getenv "LD_PRELOAD"
    local output, status = support.run("exec lua5.4 spec/soak.lua 2000 1200 2",
      { SOAK_MIB = sanitized and "1000" or "3" })
    assert.equal(0, status, output)
    assert.matches("none twice", output)
    for _, part in ipairs { "one client", "HTTP/2", "clients" } do
      local _, lines = output:gsub("\n" .. part .. " +%d+", "")
      assert.equal(3, lines, output)
    end
  end)
end)
