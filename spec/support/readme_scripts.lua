-- Writes the Lua scripts of a Markdown file into a folder: readme_scripts.lua FILE FOLDER
local file = assert(io.open(arg[1]))
local text, count = file:read "a", 0
file:close()
for script in text:gmatch "\n```lua\n(.-)\n```" do
  count = count + 1
  local out = assert(io.open(("%s/readme_%02d.lua"):format(arg[2], count), "w"))
  assert(out:write(script, "\n"))
  out:close()
end
