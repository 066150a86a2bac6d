-- Replays the corpora of the fuzz targets: inputs written by hand and inputs that fuzzing found.
-- `make fuzz` searches for more.
local support = require "spec.support.run"

-- Where the targets were built: the folder of the module under test.
local build = package.searchpath("raia.core", package.cpath):match("^(.*)/raia/")

describe("the fuzz target", function()
  for target in support.run("ls spec/fuzz/corpus"):gmatch "%S+" do
    it(target .. " finds nothing in its corpus", function()
      local output, status = support.run(("%s/targets/%s spec/fuzz/corpus/%s/*"):format(
        support.quote(build), target, target), { LD_PRELOAD = false })
      assert.equal(0, status, output)
      assert.is_true(tonumber(output:match "(%d+) inputs\n$") > 100, output)
    end)
  end
end)
