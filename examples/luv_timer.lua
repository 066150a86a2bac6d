-- A call under luv: a timer goes on ticking while the agent thinks.
-- lua5.4 luv_timer.lua [QUESTION]
local uv = require "luv"
local raia = require "raia"

raia.use "luv"
local client = raia.client()
local ticks, timer = 0, uv.new_timer()
timer:start(50, 50, function() ticks = ticks + 1 end)

raia.spawn(function()
  local user = assert(client.users:find_or_create {
    firstName = "Timer", lastName = "Example", fkId = "luv-example" })
  local conversation = assert(client.conversations:create { conversationUserId = user.id })
  print(assert(conversation:send(arg[1] or "What time is it?")))
  print(ticks > 0 and "and the timer went on" or "before the timer's first tick")
  timer:close()
end)

uv.run()
