-- Random programs of tasks end as a model predicts, and none loses an answer that has arrived.
local model = require "spec.support.model"

local PROGRAMS = tonumber(os.getenv "MODEL_PROGRAMS" or 4000)
local SEED = tonumber(os.getenv "MODEL_SEED" or 1)

-- A program as text, to be read.
local function show(program)
  if type(program) ~= "table" then return tostring(program) end
  local words = {}
  for _, word in ipairs(program) do words[#words + 1] = show(word) end
  return "{" .. table.concat(words, " ") .. "}"
end

-- Numbers like math.random's, the same for a seed in every run.
local function generator(seed)
  local state = seed * 2654435761 % 4294967296
  return function(from, to)
    if not to then from, to = 1, from end
    state = (state * 6364136223846793005 + 1442695040888963407) & 0x7fffffffffffffff
    return from + (state >> 33) % (to - from + 1)
  end
end

describe("programs of tasks", function()
  it("end when, and as, the model says", function()
    local tied, other = 0, 0
    for seed = SEED, SEED + PROGRAMS - 1 do
      local random, busy = generator(seed), seed % 4 == 0
      local program = model.program(random, random(4), busy and 3 or 20)
      local world = model.new_world(random, busy)
      local finish, word = model.run(world, program)
      local expected_finish, expected, is_tied = model.reckon(program)
      local said = ("seed %d: %s"):format(seed, show(program))
      if is_tied or busy then -- the order of what comes at one time is free
        tied = tied + 1
        if word ~= expected then other = other + 1 end
      else
        assert.equal(expected, word, said)
        assert.equal(expected_finish, finish, said)
      end
      assert.is_nil(next(world.tasks), "a task is left: " .. said)
      assert.is_nil(next(world.alarms), "an alarm is left: " .. said)
      assert.is_nil(next(world.requests), "a request is left: " .. said)
      assert.is_nil(world.lost(), "an answer was lost: " .. said)
    end
    assert.is_true(tied < PROGRAMS / 2)
    assert.is_true(other > 0)
  end)
end)
