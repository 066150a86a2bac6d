-- Asks two agents at once and takes the first answer; the other call is cancelled:
-- lua5.4 race.lua [QUESTION]. An agent is its key: FAST_KEY and CAREFUL_KEY, or
-- RAIA_AGENT_SECRET_KEY for those not set.
local raia = require "raia"

local question = arg[1] or "What is the capital of Australia?"
local names, winner = { "FAST_KEY", "CAREFUL_KEY" }, nil

local function ask(name)
  local client = raia.client { secret_key = os.getenv(name) }
  local user, message, err = client.users:find_or_create {
    firstName = "Racer", lastName = "Example", fkId = "race-example" }
  if not user then return nil, message, err end
  local conversation
  conversation, message, err = client.conversations:create { conversationUserId = user.id }
  if not conversation then return nil, message, err end
  return conversation:send(question)
end

for i, answer, problem in raia.each(names, ask) do
  winner = answer and names[i]
  print(names[i], answer or "! " .. problem)
  if winner then break end -- which ends the call that is left
end
if not winner then os.exit(1) end
