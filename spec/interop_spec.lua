-- The cases of `make interop` that need no server but nginx.
local support = require "spec.support.run"

describe("servers of others:", function()
  it("nginx, over HTTP/1.1 and HTTP/2, in all cases", function()
    local output, status = support.run("lua5.4 spec/interop/main.lua nginx")
    assert.matches("\n16 passed, 0 failed\n$", output)
    assert.equal(0, status, output)
  end)
end)
