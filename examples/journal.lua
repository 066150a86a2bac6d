-- Sends the lines of a file to a conversation, each once at most, and goes on where it was when it
-- is started again, however it had ended: lua5.4 journal.lua MESSAGES JOURNAL CONVERSATION-ID
local raia = require "raia"

local messages, journal, id = arg[1], arg[2], arg[3]
if not id then
  io.stderr:write("usage: lua5.4 journal.lua MESSAGES JOURNAL CONVERSATION-ID\n")
  os.exit(2)
end

-- What the journal says last of each line: "begun" is noted before it is sent, then "done", or
-- "unsent" when the server cannot have acted on it.
local state = {}
local before = io.open(journal)
for line in before and before:lines() or function() end do
  local n, word = line:match "^(%d+) (%a+)$"
  if n then state[tonumber(n)] = word end
end

local file = assert(io.open(journal, "a"))
local function note(n, word)
  assert(file:write(n, " ", word, "\n"))
  assert(file:flush())
end
file:write("\n") -- ends a note that was cut short

local conversation = raia.client():conversation(id)
local n = 0
for text in io.lines(messages) do
  n = n + 1
  if state[n] == "begun" then
    io.stderr:write(("Line %d may have been delivered. Look at the conversation, then add "
      .. "'%d done' or '%d unsent' to %s.\n"):format(n, n, n, journal))
    os.exit(1)
  elseif state[n] ~= "done" then
    note(n, "begun")
    local answer, problem, err = conversation:send(text)
    if not answer then
      if err.sent == "no" then note(n, "unsent") end -- a wrong key, say: the next start sends it
      io.stderr:write(("Line %d: %s\n"):format(n, problem))
      os.exit(1)
    end
    note(n, "done")
    print(answer)
  end
end
