-- A cold start: raia.lazy has symbols looked up when they are used, and is never in the way; what
-- is Lua is read when it is needed.
local support = require "spec.support.run"

local quote = support.quote

-- A raia.core with a function that is nowhere, which only a library that is bound lazily may have.
local incomplete = [[
#include <lauxlib.h>
void nowhere(void);
int luaopen_raia_core(lua_State *L);
int luaopen_raia_core(lua_State *L) {
  if (L == NULL)
    nowhere();
  (void)luaL_dostring(L,
      "local any = {} "
      "local function give() return any end "
      "return setmetatable(any, { __index = give, __call = give })");
  return 1;
}
]]

describe("raia.lazy", function()
  local tree
  local core = package.searchpath("raia.core", package.cpath)
  local lazy = package.searchpath("raia.lazy", package.cpath)
  local cjson = package.searchpath("cjson", package.cpath)

  before_each(function()
    tree = support.run("mktemp -d"):match("%S+")
    for _, file in ipairs { { core, "raia/core.so" }, { lazy, "raia/lazy.so" },
      { cjson, "cjson.so" } } do
      assert.equal("", support.run(("mkdir -p %s/raia && cp %s %s/%s"):format(tree,
        quote(file[1]), tree, file[2])))
    end
  end)

  after_each(function()
    support.run("rm -rf " .. quote(tree))
  end)

  -- Runs shell commands in the tree, and then Lua code that finds C modules only there.
  local function run(commands, code)
    local before = package.cpath
    package.cpath = tree .. "/?.so"
    local output, status = support.run(("unset LD_BIND_NOW; (cd %s && %s) && lua5.4 -"):format(
      tree, commands), nil, code)
    package.cpath = before
    return output, status
  end

  local function prints(expected, commands, code)
    local output, status = run(commands, code)
    assert.equal(expected .. "\n", output)
    assert.equal(0, status)
  end

  local glibc = select(2, support.run "getconf GNU_LIBC_VERSION") == 0

  -- Others look everything up at once, whatever they are asked for.
  local on_glibc = glibc and it or pending
  on_glibc("has a symbol looked up when it is used, not when raia is loaded", function()
    local file <close> = assert(io.open(tree .. "/core.c", "w"))
    file:write(incomplete):close()
    local output, status = support.run("cd " .. tree .. " && cc $(pkg-config --cflags lua5.4) "
      .. "-shared -fPIC -Wl,-z,lazy core.c -o raia/core.so", { LD_PRELOAD = false })
    assert.equal(0, status, output)
    assert.matches("undefined symbol: nowhere", run("true", [[require "raia.core"]]))
    prints("table", "true", [[print(type(require "raia"))]])
  end)

  it("says whether it has opened raia.core", function()
    prints("true", "true", [[print((require "raia.lazy"))]])
    prints("false", "rm raia/core.so", [[print((require "raia.lazy"))]])
    prints("false", "echo no library > raia/core.so", [[print((require "raia.lazy"))]])
  end)

  local without = {
    ["is not there"] = { "rm raia/lazy.so" },
    ["is empty"] = { "cp /dev/null raia/lazy.so" },
    ["is another library"] = { "cp cjson.so raia/lazy.so" },
    ["cannot search"] = { "true", "package.searchpath = nil" },
    ["comes after raia.core"] = { "true", [[require "raia.core"]], "false" },
    ["has nothing to do, as the host has raia.core"] = { "true", ([[
      package.preload["raia.core"] = assert(package.loadlib(%q, "luaopen_raia_core"))
    ]]):format(core), "false" },
  }
  for what, case in pairs(without) do
    it("may be missed: it " .. what, function()
      prints(case[3] or "nil", case[1], (case[2] or "") .. [[

        local raia = require "raia"
        local client = raia.client { secret_key = "key", base_url = "http://127.0.0.1:1" }
        local answer, _, err = client:request("GET", "/", nil, { max_retries = 0 })
        assert(not answer and err.kind == "connection")
        print(package.loaded["raia.lazy"])
      ]])
    end)
  end

  it("leaves it to require to say what is wrong with raia.core", function()
    assert.matches("module 'cjson' not found", run("mv cjson.so json.so", [[require "raia"]]))
    assert.matches("module 'raia.core' not found", run("rm raia/core.so", [[require "raia"]]))
    assert.matches("error loading module 'raia.core' from file '[^']*/raia/core.so'",
      run("echo no library > raia/core.so", [[require "raia"]]))
  end)
end)

describe("raia", function()
  local function prints(expected, code)
    assert.equal(expected .. "\n", (support.run("lua5.4 -", nil, code)))
  end

  it("is read as far as it is needed", function()
    prints("\nraia.many raia.task", [[
      local raia = require "raia"
      local function show()
        local names = {}
        for _, name in ipairs { "raia.many", "raia.progress", "raia.task" } do
          if package.loaded[name] then table.insert(names, name) end
        end
        print(table.concat(names, " "))
      end
      local client = raia.client { secret_key = "key", base_url = "http://127.0.0.1:1" }
      client:request("GET", "/", nil, { max_retries = 0 })
      show()
      raia.run(function() end)
      show()
    ]])
  end)

  it("works on whatever becomes of require, the paths, the directory and its files", function()
    prints("1 2 done", [[
      local copy = io.popen "mktemp -d":read()
      assert(os.execute("cp -r lua/raia " .. copy))
      local chdir = require "luv".chdir
      assert(chdir(copy))
      package.path = "./?.lua;./?/init.lua"
      local raia = require "raia"
      assert(os.execute("rm -r " .. copy .. "/raia"))
      assert(chdir "/")
      os.remove(copy)
      package.path, package.cpath = "", ""
      require, package, io.open = nil, nil, nil
      local list = raia.map({ 1, 2 }, function(i) return i end)
      raia.progress("quietly", { quiet = true })(1, 1)
      print(list[1] .. " " .. list[2] .. " " .. raia.spawn(function() return "done" end):join())
    ]])
  end)

  it("is taken from package.preload where it is there", function()
    prints("preloaded", [[
      for _, name in ipairs { "task", "many", "progress" } do
        package.preload["raia." .. name] = function()
          return { run = function() return "preloaded" end }
        end
      end
      print(require "raia".run())
    ]])
  end)

  it("names the line of the program in its errors", function()
    prints("stdin:3: raia.run\nstdin:4: raia.map\nstdin:5: raia.sleep\nstdin:6: raia.progress", [[
      local raia = require "raia"
      local function try(f) print((select(2, pcall(f)):match "^(.-: .-):")) end
      try(function() raia.run(1) end)
      try(function() raia.map(1) end)
      try(function() raia.sleep "x" end)
      try(function() raia.progress(1) end)
    ]])
  end)
end)
