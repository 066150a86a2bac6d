-- The rock and `make install`, installed into temporary folders and used from there.
local support = require "spec.support.run"

-- What finds only the installed raia, and no sanitizer in the compiler and LuaRocks.
local function only(tree)
  return ("unset LD_PRELOAD; LUA_PATH_5_4='%s/share/lua/5.4/?.lua;%s/share/lua/5.4/?/init.lua;;' "
    .. "LUA_CPATH_5_4='%s/lib/lua/5.4/?.so;;' "):format(tree, tree, tree)
end

describe("the rockspec", function()
  local rock = {}
  local file = support.run("ls *.rockspec"):match("%S+")
  assert(loadfile(file, "t", rock))()
  local modules = rock.build.modules

  local function sorted(list)
    table.sort(list)
    return table.concat(list, "\n") .. "\n"
  end

  it("lists all the sources of src, and no others", function()
    assert.equal(support.run("LC_ALL=C ls src/*/*.c"),
      sorted(table.move(modules["raia.core"].sources, 1, 999, 1, {})))
  end)

  it("lists all the modules of lua, by the names that they are required by", function()
    local files = {}
    for name, path in pairs(modules) do
      if name ~= "raia.core" then
        table.insert(files, path)
        assert.equal(name, path:gsub("^lua/", ""):gsub("%.lua$", ""):gsub("/init$", "")
          :gsub("/", ".") .. "")
      end
    end
    assert.equal(support.run("find lua -name '*.lua' | LC_ALL=C sort"), sorted(files))
  end)
end)

describe("installed", function()
  local tree

  before_each(function()
    tree = support.run("mktemp -d"):match("%S+")
  end)

  after_each(function()
    support.run("rm -rf " .. support.quote(tree))
  end)

  local function works(run_sandbox)
    local output, status = support.run(only(tree) .. "lua5.4 -e '"
      .. [[print(package.searchpath("raia.core", package.cpath), require "raia"._VERSION)']])
    assert.equal(0, status, output)
    assert.is_truthy(output:find(tree, 1, true), output)
    assert.matches("raia %d+%.%d+%.%d+\n$", output)
    output, status = support.run(run_sandbox .. " --help")
    assert.equal(0, status, output)
    assert.matches("Usage: raia%-sandbox", output)
    output, status = support.run(run_sandbox .. " -- lua5.4 examples/quickstart.lua")
    assert.equal(0, status, output)
    assert.matches("assistant: You said: Where is my order%?", output)
  end

  it("by LuaRocks, raia and raia-sandbox work", function()
    local copy = tree .. "/checkout" -- LuaRocks leaves its objects where it builds
    local output, status = support.run("unset LD_PRELOAD LUA_PATH_5_4 LUA_CPATH_5_4; mkdir "
      .. copy .. " && cp -r src lua README.md LICENSE *.rockspec " .. copy .. " && cd " .. copy
      .. " && luarocks --lua-version=5.4 make --deps-mode=none --tree " .. tree)
    assert.equal(0, status, output)
    works(only(tree) .. tree .. "/bin/raia-sandbox")
    local list = " && find raia -name '*.lua' | sort"
    assert.equal(support.run("cd lua" .. list),
      support.run("cd " .. tree .. "/share/lua/5.4" .. list))
  end)

  it("by make, raia and raia-sandbox work, and make uninstall leaves nothing", function()
    local make = "unset LD_PRELOAD MAKEFLAGS MAKELEVEL; make -s BUILD=" .. tree .. "/build PREFIX="
      .. tree .. " "
    local output, status = support.run(make .. "install")
    assert.equal(0, status, output)
    works(only(tree) .. tree .. "/bin/raia-sandbox")
    output, status = support.run(make .. "uninstall && find " .. tree
      .. "/bin " .. tree .. "/share " .. tree .. "/lib -type f")
    assert.equal("", output)
    assert.equal(0, status)
  end)
end)
