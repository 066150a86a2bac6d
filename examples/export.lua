-- Writes all conversations with their messages, a line of JSON each: lua5.4 export.lua > all.jsonl
local cjson = require "cjson"
local raia = require "raia"

local client, count = raia.client(), 0
for conversation in client.conversations:each { orderBy = "createdAt", orderDirection = "ASC" } do
  local line = raia.totable(conversation)
  line.messages = raia.totable(assert(conversation:messages()))
  print(cjson.encode(line))
  count = count + 1
end
io.stderr:write(count, " conversations\n")
