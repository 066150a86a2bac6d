-- Three agents in a chain, the first two side by side, and a deadline over all:
-- lua5.4 workflow.lua [TOPIC]. An agent is its key: RESEARCH_KEY, CRITIC_KEY and EDITOR_KEY, or
-- RAIA_AGENT_SECRET_KEY for those not set.
local raia = require "raia"

local topic = arg[1] or "electric cargo bikes"

local function agent(name)
  local client = raia.client { secret_key = os.getenv(name) }
  return function(question, context)
    local user, message, err = client.users:find_or_create {
      firstName = "Workflow", lastName = "Example", fkId = "workflow-example" }
    if not user then return nil, message, err end
    local conversation
    conversation, message, err = client.conversations:create { conversationUserId = user.id }
    if not conversation then return nil, message, err end
    return conversation:send(question, { context = context })
  end
end

local research, criticize, edit = agent "RESEARCH_KEY", agent "CRITIC_KEY", agent "EDITOR_KEY"

local text, problem = raia.timeout(120, function()
  local views, message, err = raia.gather {
    function() return research("What speaks for " .. topic .. "?") end,
    function() return criticize("What speaks against " .. topic .. "?") end,
  }
  if not views then return nil, message, err end
  return edit("Write one paragraph on " .. topic .. ".",
    "For: " .. tostring(views[1]) .. "\nAgainst: " .. tostring(views[2]))
end)

if not text then
  io.stderr:write(problem, "\n")
  os.exit(1)
end
print(text)
