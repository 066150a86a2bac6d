-- Hosts that remove parts of Lua before or after loading raia, or have their own `require`.
local server = require "spec.support.server"
local support = require "spec.support.run"

local ECHO = [[
  local connection = ...
  local request = connection:request()
  while request do
    connection:reply(200, '{"id":"m-1","message":"Hi","messages":[{"id":"m-1"}]}')
    request = connection:request()
  end]]

local peer

setup(function() peer = server.start(ECHO) end)
teardown(function() peer:close() end)

local function run(code)
  return support.run("lua5.4 -", { RAIA_LOG = false, RAIA_BASE_URL = peer.base_url,
    RAIA_AGENT_SECRET_KEY = "a-key" }, code)
end

-- All that a program does with raia; it has only what is local here, and globals that are left.
local USE = [[
  local client = raia.client()
  local conversation = client:conversation "c-1"
  assert(tostring(assert(conversation:send "Hello")) == "Hi")
  assert(raia.run(function()
    local task = raia.spawn(function() return conversation:send "Hello" end)
    raia.sleep(0.001)
    local list = assert(raia.map({ 1, 2 }, function() return conversation:messages() end,
      { on_progress = raia.progress "asked" }))
    assert(#list == 2)
    assert(raia.gather { function() return 1 end })
    return tostring(task:join())
  end) == "Hi")

  -- errors arrive as what they are
  local mark = {}
  local function raise() error "own words" end
  local good, err = pcall(raia.run, raise)
  assert(not good and tostring(err):find("own words", 1, true), err)
  good, err = pcall(raia.run, function() error(mark) end)
  assert(not good and err == mark)
  good, err = pcall(raia.run, function() raia.spawn(raise):join() end)
  assert(not good and tostring(err):find("own words", 1, true), err)
  local task = raia.spawn(raise)
  good, err = pcall(task.join, task)
  assert(not good and tostring(err):find("own words", 1, true), err)
  good, err = pcall(raia.gather, { raise })
  assert(not good and tostring(err):find("own words", 1, true), err)
  good, err = pcall(raia.timeout, 1, raise)
  assert(not good and tostring(err):find("own words", 1, true), err)
  local _, failures = raia.map({ 1 }, raise, { on_error = "collect" })
  assert(failures[1].message:find("own words", 1, true), failures[1].message)
  good, err = pcall(raia.use, "no-such-loop")
  assert(not good and err:find("no-such-loop", 1, true), err)

  -- and those that nobody joined, and what is dropped, on standard error
  raia.spawn(raise)
  raia.step()
  raia.spawn(function() end)
  print "the end"]]

-- What is said of the tasks comes when they are collected.
local EXPECTED = "^asked 1 of 2, [^\n]*\nasked 2 of 2, [^\n]*\n.*the end\n"

-- What a host takes away, as code.
local ways = {
  ["debug"] = "debug = nil",
  ["io"] = "io = nil",
  ["package"] = "package = nil",
  ["package, as require knows it, too"] = "package.loaded.package, package = nil, nil",
  ["warn"] = "warn = nil",
  ["os"] = "os = nil",
  ["load, loadfile and dofile"] = "load, loadfile, dofile = nil, nil, nil",
  ["all of these"] = "debug, io, package, warn, os, load, loadfile, dofile = nil",
  ["what is in debug, io and package"] = [[
    for _, library in ipairs { debug, io, package } do
      for name in pairs(library) do
        if name ~= "loaded" and name ~= "searchers" and name ~= "cpath" and name ~= "path"
          and name ~= "preload" and name ~= "config" then library[name] = nil end
      end
    end]],
}

-- A `require` of a host's own: it knows no package.path, and finds modules by what it was given.
local OWN = [[
  local preload, loaded, searchers = package.preload, {}, package.searchers
  local path, cpath, searchpath, loadlib = package.path, package.cpath, package.searchpath,
    package.loadlib
  local open = io.open
  function require(name)
    if loaded[name] ~= nil then return loaded[name] end
    local file = searchpath(name, path)
    local loader
    if file then
      local text = open(file):read "a"
      loader = assert(load(text, "=" .. name))
    else
      file = assert(searchpath(name, cpath))
      loader = assert(loadlib(file, "luaopen_" .. name:gsub("%.", "_")))
    end
    loaded[name] = loader(name) or true
    return loaded[name]
  end]]

describe("a host", function()
  for name, code in pairs(ways) do
    it("may take away " .. name .. " before it loads raia", function()
      local output, status = run(code .. '\nlocal raia = require "raia"\n' .. USE)
      assert.matches(EXPECTED, output)
      assert.is_truthy(output:find("a task that nobody joined failed", 1, true), output)
      assert.equal(0, status)
    end)

    it("may take away " .. name .. " after it has loaded raia", function()
      local output, status = run('local raia = require "raia"\n' .. code .. "\n" .. USE)
      assert.matches(EXPECTED, output)
      assert.is_truthy(output:find("a task that nobody joined failed", 1, true), output)
      assert.equal(0, status)
    end)
  end

  it("may take away require after it has loaded raia", function()
    local output, status = run('local raia = require "raia"\nrequire = nil\n' .. USE)
    assert.matches(EXPECTED, output)
    assert.equal(0, status)
  end)

  for _, code in ipairs { "", "package = nil", "debug, io, package = nil",
    "package.path, package.cpath, package.preload, package.searchpath = nil" } do
    it("may have a require of its own, " .. code, function()
      local output, status = run(OWN .. "\n" .. code .. '\nlocal raia = require "raia"\n' .. USE)
      assert.matches(EXPECTED, output)
      assert.equal(0, status)
    end)

    it("may have a require of its own, and take it away, " .. code, function()
      local output, status = run(OWN .. "\n" .. code .. '\nlocal raia = require "raia"\n'
        .. "require = nil\n" .. USE)
      assert.matches(EXPECTED, output)
      assert.equal(0, status)
    end)
  end

  it("may have raia run in an environment of its own, with no globals about", function()
    local output, status = run([[
      local path = assert(package.searchpath("raia", package.path))
      local environment = {}
      for _, name in ipairs { "require", "package", "setmetatable", "pcall", "error", "load",
        "assert", "io", "pairs", "ipairs", "type", "tostring", "getmetatable", "coroutine",
        "table", "math", "select", "xpcall" } do
        environment[name] = _ENV[name]
      end
      local raia = assert(loadfile(path, "bt", environment))("raia", path)
      for _, name in ipairs { "debug", "io", "package", "require", "coroutine", "math", "table",
        "setmetatable", "getmetatable", "xpcall", "ipairs" } do
        _ENV[name] = nil
      end
    ]] .. USE)
    assert.matches(EXPECTED, output)
    assert.equal(0, status)
  end)

  it("may take away require, the paths, the directory and its files after it has loaded raia",
    function()
      local output, status = run([[
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
      ]] .. USE)
      assert.matches(EXPECTED, output)
      assert.equal(0, status)
    end)

  it("may have no coroutine: calls block, and so does raia.sleep", function()
    local output, status = run [[
      coroutine = nil
      local raia = require "raia"
      local client = raia.client()
      print((client:conversation "c-1":send "Hello"))
      raia.sleep(0.001)
      for _, name in ipairs { "spawn", "run", "timeout", "gather", "map" } do
        local first = name == "timeout" and 1 or name == "gather" and { print }
          or name == "map" and { 1 } or print
        print(pcall(raia[name], first, print))
      end]]
    local refused = "false\traia: this host has no `coroutine`, which tasks need\n"
    assert.equal("Hi\n" .. refused:rep(5), output)
    assert.equal(0, status)
  end)

  it("keeps the traceback of a task, without debug, too", function()
    for _, code in ipairs { "", "debug = nil" } do
      local output, status = run(code .. [[
        local raia = require "raia"
        local function deep() error "own words" end
        local _, err = pcall(raia.run, function() deep() end)
        local _, failures = raia.map({ 1 }, function() deep() end, { on_error = "collect" })
        print(err)
        print(failures[1].message)]])
      assert.equal(0, status, output)
      assert.equal(2, select(2, output:gsub("own words\nstack traceback:\n", "")), output)
      assert.equal(2, select(2, output:gsub("in upvalue 'deep'", "")), output)
    end
  end)

  -- what is missing, and what is said of it
  local missing = {
    ["require, before raia is loaded"] = { [[
      local file = assert(loadfile(package.searchpath("raia", package.path)))
      require = nil
      file("raia")]], "this host has no `require`" },
    ["coroutine, for tasks"] = { [[
      coroutine = nil
      require "raia".spawn(print)]], "this host has no `coroutine`" },
    ["io.popen, for the sandbox"] = { [[
      io = nil
      require "raia.sandbox".start()]], "raia.sandbox: this host lacks io.popen" },
    ["os.execute, for the sandbox"] = { [[
      os = nil
      require "raia.sandbox".start()]], "raia.sandbox: this host lacks os.execute" },
    ["debug and a require that says where files are, for the sandbox"] = { OWN .. [[
      debug = nil
      require "raia.sandbox".start()]], "raia.sandbox: this host lacks a `require` that tells" },
  }
  for name, case in pairs(missing) do
    it("is told what is missing: " .. name, function()
      local output, status = run(case[1])
      assert.equal(1, status)
      assert.is_truthy(output:find(case[2], 1, true), output)
    end)
  end

  it("needs no debug for the sandbox", function()
    local output, status = run [[
      debug = nil
      local sandbox <close> = assert(require "raia.sandbox".start {})
      print(sandbox.base_url)]]
    assert.equal(0, status)
    assert.matches("^http://127%.0%.0%.1:%d+\n$", output)
  end)
end)
