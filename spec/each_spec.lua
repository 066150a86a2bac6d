-- raia.each returns results as they arrive.
local raia = require "raia"

describe("raia.each", function()
  it("gives results as they come, and ends what is left", function()
    raia.run(function()
      local cancelled, seen = 0, {}
      for i, result in raia.each({ 0.3, 0.01, 60 }, function(seconds)
        local _ <close> = setmetatable({}, { __close = function(_, err)
          if err then cancelled = cancelled + 1 end
        end })
        raia.sleep(seconds)
        return seconds
      end) do
        seen[#seen + 1] = { i, result }
        if #seen == 2 then break end
      end
      assert.same({ { 2, 0.01 }, { 1, 0.3 } }, seen)
      assert.equal(1, cancelled)
    end)
  end)

  it("begins no more than it may, and gives failures", function()
    local now, most, failures = 0, 0, 0
    for i, result, message in raia.each({ 1, 2, 3, 4, 5, 6 }, function(i)
      now = now + 1
      most = math.max(most, now)
      raia.sleep(0.01)
      now = now - 1
      if i == 4 then return nil, "four" end
      return i
    end, { concurrency = 2 }) do
      if result then
        assert.equal(i, result)
      else
        assert.equal("four", message)
        failures = failures + 1
      end
    end
    assert.equal(2, most)
    assert.equal(1, failures)
  end)

  it("raises what its function raises", function()
    assert.has_error(function()
      for _ in raia.each({ 1 }, function() error({}) end) do error "not here" end
    end)
  end)

  it("keeps to a rate", function()
    local from = raia.now()
    for _ in raia.each({ 1, 2, 3, 4 }, function() return true end, { rate = 20 }) do end
    assert.is_true(raia.now() - from >= 0.14)
  end)
end)
