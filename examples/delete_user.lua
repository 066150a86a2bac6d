-- Deletes all conversations of a user: lua5.4 delete_user.lua [--yes] CONVERSATION-USER-ID
local raia = require "raia"

local sure = arg[1] == "--yes"
local user = sure and arg[2] or arg[1]
if not user or user:find("^%-%-") then
  io.stderr:write("usage: lua5.4 delete_user.lua [--yes] CONVERSATION-USER-ID\n")
  os.exit(2)
end

if not sure then
  io.write("Delete all conversations of ", user, " for good? Type yes: ")
  io.flush()
  if io.read() ~= "yes" then
    print("Nothing was deleted.")
    os.exit(1)
  end
end

local deleted, problem = raia.client().conversations:delete_all(user)
if not deleted then
  io.stderr:write(problem, "\n")
  os.exit(1)
end
print("Deleted.")
