std = "lua54"
max_line_length = 99
files["spec"] = { std = "lua54+busted" }
exclude_files = { "lua/raia/meta.lua", "lua/raia/sandbox/meta.lua" }
