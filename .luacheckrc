std = "lua54"
max_line_length = 99
files["examples/program_spec.lua"] = { std = "lua54+busted" }
files["spec"] = { std = "lua54+busted" }
exclude_files = { "lua/raia/meta.lua", "lua/raia/sandbox/meta.lua" }
