-- Finding a connection's socket when several share a port.
local support = require "spec.support.run"

describe("the socket of a connection", function()
  it("is the one between its two ports, whatever else there is", function()
    local program = os.tmpname()
    local output, status = support.run("${CC:-cc} -std=c99 -Wall -Wextra -Werror -o " .. program
      .. " spec/c/sockets.c src/net/sockets.c && " .. program, { LD_PRELOAD = false })
    os.remove(program)
    assert.equal("", output)
    assert.equal(0, status)
  end)
end)
