-- Asks about a file, and reads it back: lua5.4 files.lua FILE [QUESTION]
local raia = require "raia"

local path, question = arg[1], arg[2] or "What is in this file?"
if not path then
  io.stderr:write("usage: lua5.4 files.lua FILE [QUESTION]\n")
  os.exit(2)
end

local client = raia.client()
local user = assert(client.users:find_or_create {
  firstName = "Files", lastName = "Example", fkId = "files-example" })
local conversation = assert(client.conversations:create { conversationUserId = user.id })
local file = assert(conversation:upload(path, { on_progress = raia.progress "uploaded" }))
print(assert(conversation:send { message = question, files = { file } }))
for _, message in ipairs(assert(conversation:messages())) do
  for _, sent in ipairs(message.files or {}) do
    print(sent.fileName, #assert(conversation:download(sent)) .. " bytes")
  end
end
