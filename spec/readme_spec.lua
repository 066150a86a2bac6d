-- Runs every code block of README.md.
local support = require "spec.support.run"
local start = require "raia.sandbox".start

-- How a block of shell is run here. `make test` is what runs this, and the install commands are
-- run into folders of their own by install_spec.
local shell = {
  ["make demo"] = "unset LD_PRELOAD RAIA_BASE_URL RAIA_AGENT_SECRET_KEY; make -s demo",
  ["make test"] = "make -n test",
  ["luarocks --lua-version=5.4 make --deps-mode=none"] = "test -f raia-scm-1.rockspec",
  ["make install PREFIX=/usr/local"] = "make -n install PREFIX=/usr/local",
  ["raia-sandbox -- lua5.4 examples/quickstart.lua"] =
    "lua5.4 lua/raia/sandbox/main.lua -- lua5.4 examples/quickstart.lua",
}

describe("README.md", function()
  local file = assert(io.open("README.md"))
  local text = file:read("a")
  file:close()
  local sandbox

  setup(function() sandbox = assert(start {}) end)
  teardown(function() sandbox:close() end)

  local count = 0
  for language, block in text:gmatch("\n```(%w+)\n(.-)\n```") do
    count = count + 1
    it(("block %d runs: %s"):format(count, block:match("[^\n]*")), function()
      local output, status
      if language == "sh" then
        assert.is_truthy(shell[block], "no way to run: " .. block)
        output, status = support.run(shell[block])
      else
        assert.equal("lua", language)
        output, status = support.run("lua5.4 -", support.of_sandbox(sandbox), block)
      end
      assert.equal(0, status, output)
    end)
  end

  it("has the blocks that this looked for", function()
    assert.equal(10, count)
  end)

  it("links only to what is there", function()
    for path in text:gmatch("%]%(([^)]+)%)") do
      assert.equal(0, select(2, support.run("test -e " .. support.quote(path))), path)
    end
  end)
end)
