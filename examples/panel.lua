-- Asks a panel of five for a yes or a no, and stops as soon as three agree:
-- lua5.4 panel.lua [QUESTION]
local raia = require "raia"

local question = arg[1] or "Is a tomato a fruit?"
local client, seats, votes, verdict = raia.client(), { 1, 2, 3, 4, 5 }, {}, nil

local user = assert(client.users:find_or_create {
  firstName = "Panel", lastName = "Example", fkId = "panel-example" })

local function ask()
  local conversation, message, err =
    client.conversations:create { conversationUserId = user.id }
  if not conversation then return nil, message, err end
  return conversation:send(question .. " Answer yes or no.")
end

for seat, answer, problem in raia.each(seats, ask) do
  local vote = answer and tostring(answer):lower():match "^%W*(%a+)" or "! " .. tostring(problem)
  print(seat, vote)
  votes[vote] = (votes[vote] or 0) + 1
  if answer and votes[vote] > #seats // 2 then verdict = vote break end
end
print("verdict", verdict or "none")
if not verdict then os.exit(1) end
