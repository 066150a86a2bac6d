-- Runs the programs of other specs again with a marked key and RAIA_LOG=debug: nothing they print
-- contains the mark.
local run = require "spec.support.run".run

local MARK = "Zt6qWb3xMv8kRn2pJd5hLc9fYs4g"
local BUSTED = [[lua5.4 -e 'require "busted.runner" {standalone = false}' /dev/null \
  -o spec/support/output.lua ]]
local SPECS = "spec/examples_spec.lua spec/readme_spec.lua"

describe("the key is in nothing that is written", function()
  local output, transcript

  lazy_setup(function()
    local path = os.tmpname()
    -- Their sandboxes ask for the key that is in the environment. What the log adds is not what
    -- these specs expect: whether they pass is for the other run of them to say.
    output = run(BUSTED .. SPECS, { RAIA_SANDBOX_KEY = MARK, RAIA_LOG = "debug",
      RAIA_SPEC_TRANSCRIPT = path })
    local file <close> = assert(io.open(path))
    transcript = file:read("a")
    os.remove(path)
  end)

  it("by the specs themselves", function()
    assert.is_truthy(output:find("%d+ passed, %d+ failed"))
    assert.is_nil(output:find(MARK, 1, true))
  end)

  it("by the examples and the blocks of README.md", function()
    local _, programs = transcript:gsub("\n%$ ", "")
    assert.is_true(programs >= 30, programs .. " programs")
    local _, requests = transcript:gsub("\nraia: > Agent%-Secret%-Key: %*%*%*", "")
    assert.is_true(requests >= 100, requests .. " requests")
    local at = transcript:find(MARK, 1, true)
    assert.is_nil(at, at and transcript:sub(at - 200, at + 50))
  end)
end)
