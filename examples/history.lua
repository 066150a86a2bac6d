-- Prints the transcript of a conversation: lua5.4 history.lua CONVERSATION-ID
local raia = require "raia"

local id = arg[1]
if not id then
  io.stderr:write("usage: lua5.4 history.lua CONVERSATION-ID\n")
  os.exit(2)
end

local messages, problem = raia.client():conversation(id):messages()
if not messages then
  io.stderr:write(problem, "\n")
  os.exit(1)
end
for _, message in ipairs(messages) do
  print(("%-18s %-6s %s"):format(message.senderRole or "?", message.source or "", message))
end
