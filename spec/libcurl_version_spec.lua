-- A libcurl that is too old is reported in one line, when raia is built and when it is loaded.
local support = require "spec.support.run"

describe("a libcurl before 7.87", function()
  local tree

  before_each(function()
    tree = support.run("mktemp -d"):match("%S+")
  end)

  after_each(function()
    support.run("rm -rf " .. support.quote(tree))
  end)

  -- Runs Lua code with a libcurl in front of the real one.
  local function load_with_old(code)
    local library = tree .. "/old_libcurl.so"
    local output, status = support.run("cc $(pkg-config --cflags libcurl) -shared -fPIC "
      .. "spec/c/old_libcurl.c -o " .. support.quote(library), { LD_PRELOAD = false })
    assert.equal(0, status, output)
    local preload = (os.getenv "LD_PRELOAD" or "") .. " " .. library
    return support.run("LD_PRELOAD=" .. support.quote(preload) .. " lua5.4 -", nil, code)
  end

  it("is named by an error, where it is loaded", function()
    local output, status = load_with_old "print(pcall(require, 'raia'))"
    assert.equal("false\traia needs libcurl 7.87 or later; this process has loaded 7.74.0\n",
      output)
    assert.equal(0, status)
  end)

  it("is named by each further require, too, and by raia.core", function()
    local output = load_with_old [[
      pcall(require, "raia")
      print(select(2, pcall(require, "raia")) == select(2, pcall(require, "raia.core")))]]
    assert.equal("true\n", output)
  end)

  it("is named by the one error of the compiler", function()
    local output, status = support.run("unset LD_PRELOAD MAKEFLAGS MAKELEVEL; make -s BUILD="
      .. tree .. " CFLAGS='-isystem spec/c/old'")
    assert.not_equal(0, status)
    local _, errors = output:gsub("error:", "")
    assert.equal(1, errors, output)
    assert.matches("raia needs libcurl 7%.87 or later", output)
  end)
end)
