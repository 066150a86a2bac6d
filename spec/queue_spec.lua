-- raia.queue passes values between tasks.
local raia = require "raia"

describe("raia.queue", function()
  it("hands values on in their order, and holds back who puts too many", function()
    raia.run(function()
      local queue, most = raia.queue(2), 0
      raia.spawn(function()
        for i = 1, 10 do
          queue:put(i)
          most = math.max(most, #queue)
        end
        queue:close()
      end)
      local seen = {}
      for value in queue do
        seen[#seen + 1] = value
        raia.sleep(0)
      end
      assert.same({ 1, 2, 3, 4, 5, 6, 7, 8, 9, 10 }, seen)
      assert.equal(2, most)
      assert.is_nil(queue:take())
      local _, _, err = queue:put(1)
      assert.equal("closed", err.kind)
    end)
  end)

  it("without room hands from one to the other", function()
    raia.run(function()
      local queue, put = raia.queue(0), false
      raia.spawn(function()
        queue:put "v"
        put = true
      end)
      raia.sleep(0.01)
      assert.is_false(put)
      assert.equal("v", queue:take())
    end)
  end)

  it("waits for a while", function()
    assert.equal("timeout", select(3, raia.queue():take(0.01)).kind)
  end)

  it("says what is wrong", function()
    assert.has_error(function() raia.queue(-1) end)
    assert.has_error(function() raia.queue():put(nil) end)
  end)
end)
