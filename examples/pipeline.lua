-- Asks questions, one a line, four at a time, and prints the answers as they come. Queues with
-- room for eight hold back the reader, however long its input is:
-- lua5.4 pipeline.lua < questions.txt
local raia = require "raia"

local client = raia.client()
local user = assert(client.users:find_or_create {
  firstName = "Pipeline", lastName = "Example", fkId = "pipeline-example" })
local questions, answers = raia.queue(8), raia.queue(8)

local function work()
  local conversation = assert(client.conversations:create { conversationUserId = user.id })
  for question in questions do
    local answer, problem = conversation:send(question)
    answers:put(question .. "\t" .. (answer and tostring(answer) or "! " .. problem))
  end
end

raia.run(function()
  raia.spawn(function() for answer in answers do print(answer) end end)
  local workers = raia.spawn(raia.gather, { work, work, work, work })
  for line in io.lines() do questions:put(line) end
  questions:close()
  workers:join()
  answers:close()
end)
