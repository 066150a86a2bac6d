-- The parallel runner of `make test`: no failure goes unnoticed, nothing it starts outlives it.
local support = require "spec.support.run"
local uv = require "luv"

local BUSTED = [[lua5.4 -e 'require "busted.runner" {standalone = false}' /dev/null ]]

  .. "-o spec/support/output.lua"

-- Runs a command, without a sanitizer: what is under test here is in Lua.
local function run(command) return support.run(command, { LD_PRELOAD = false }) end

-- Where make would build the module under test: it is there.
local build = package.searchpath("raia.core", package.cpath):match("^(.*)/raia/")
local make = "unset MAKEFLAGS MAKELEVEL SPECS; exec make -s test BUILD="
  .. support.quote(build) .. " SPECS="

-- Whether f() gives something true within so many seconds.
local function within(seconds, f)
  for _ = 1, seconds * 50 do
    if f() then return true end
    uv.sleep(20)
  end
  return false
end

describe("spec files side by side", function()
  local folder

  before_each(function() folder = run("mktemp -d"):match "%S+" end)
  after_each(function() run("rm -r " .. folder) end)

  local function write(name, text)
    local file <close> = assert(io.open(folder .. "/" .. name, "w"))
    file:write(text)
  end

  local function green(name)
    write(name, "it('works', function() end) it('works as well', function() end)")
  end

  local function command_of(count, before)
    return ("lua5.4 spec/support/side_by_side.lua %d %s/durations %s %s -- %s"):format(count,
      folder, before or "", BUSTED, folder)
  end

  -- Checks the last line, and that the status fits it.
  local function check(output, status, passed, failed)
    assert.equal(("\n%d passed, %d failed\n"):format(passed, failed),
      output:match "\n[^\n]*passed[^\n]*failed\n$", output)
    assert.equal(failed == 0, status == 0, output)
    return output
  end

  -- Runs the spec files of the folder, by the command `before` busted's.
  local function counted(passed, failed, before)
    local output, status = run("exec " .. command_of(3, before))
    return check(output, status, passed, failed)
  end

  -- The line that a file has.
  local function line(name, passed, failed)
    return (" s +%d passed, %d failed +%s/%s\n"):format(passed, failed, folder,
      name):gsub("[-.]", "%%%0")
  end

  it("are counted, those of folders in folders, too", function()
    run(("mkdir -p %s/more/still"):format(folder))
    green "a_spec.lua"
    green "b_spec.lua"
    green "more/still/c_spec.lua"
    write("no.lua", "error 'this is none'")
    local output = counted(6, 0)
    assert.matches(line("a_spec.lua", 2, 0), output)
    assert.matches(line("more/still/c_spec.lua", 2, 0), output)
    assert.is_nil(output:find "success")
    assert.is_nil(output:find "red:")
  end)

  it("have all that a red one has written shown, on both streams, and no other's", function()
    green "a_spec.lua"
    write("b_spec.lua", [[
      print "printed"
      it("is fine", function() io.stderr:write "a warning\n" end)
      it("is not fine", function() assert.equal("what is", "what should be") end)
      pending "left for later"
      it("has an error", function() error "the error" end)
    ]])
    local output = counted(3, 3)
    for _, text in ipairs { "printed", "a warning", "what should be", "left for later",
      "the error", "is not fine" } do
      assert.is_truthy(output:find(text, 1, true), output)
    end
    assert.matches(line("b_spec.lua", 1, 3), output)
    assert.matches(line("a_spec.lua", 2, 0), output)
    assert.matches("\nred: " .. folder .. "/b_spec%.lua\n", output)
    assert.is_nil(output:find "red: [^\n]*a_spec")
  end)

  local deaths = {
    ["is killed"] = { "os.execute 'kill -9 $PPID'", "killed by signal 9" },
    ["ends without a word"] = { "os.execute 'kill -15 $PPID'", "killed by signal 15" },
    ["has an error at its top"] = { "error 'at the top'", "at the top" },
    ["is not Lua"] = { "it(", "unexpected symbol" },
    ["has no test"] = { "describe('nothing', function() end)", "no test has run" },
  }
  for name, case in pairs(deaths) do
    it("count one that " .. name .. " as failed, and go on", function()
      green "a_spec.lua"
      write("b_spec.lua", "io.stderr:write 'before' " .. case[1])
      green "c_spec.lua"
      local output = counted(4, 1)
      assert.is_truthy(output:find(case[2], 1, true), output)
      assert.equal(name ~= "is not Lua", output:find("before", 1, true) ~= nil, output)
      assert.matches(line("b_spec.lua", 0, 1), output)
    end)
  end

  it("count one whose command fails, though its tests did not, as failed", function()
    green "a_spec.lua"
    assert.matches("ended with status 9", counted(2, 1, [[sh -c '"$@"; exit 9' sh]]))
  end)

  it("are a failure if there are none", function()
    assert.matches("no spec file is there", counted(0, 1))
  end)

  it("begin with the largest, and, once it is known, with what took longest", function()
    write("large_spec.lua", "it('is quick', function() end) --" .. ("-"):rep(100))
    write("slow_spec.lua", "it('is slow', function() require 'luv'.sleep(2000) end)")
    write("small_spec.lua", "it('is quick', function() end)")
    for _, first in ipairs { "large", "slow" } do
      local output, status = run("exec " .. command_of(1))
      check(output, status, 3, 0)
      assert.matches("^ 1 of 3 [^\n]*/" .. first .. "_spec.lua\n", output)
    end
  end)

  it("come from SPECS: one, some, a folder, or with busted's options", function()
    green "a_spec.lua"
    green "b_spec.lua"
    local cases = {
      { "%s/a_spec.lua", 2 }, { "%s/a_spec.lua %s/b_spec.lua", 4 }, { "%s", 4 },
      { "--filter='as well' %s/a_spec.lua", 1 }, { "--filter='as well' %s", 2 },
      { "--repeat=3 %s/a_spec.lua", 6 }, { "--filter=none %s", 0, 1 },
    }
    for _, case in ipairs(cases) do
      local output, status = run(make .. support.quote((case[1]:gsub("%%s", folder))))
      check(output:gsub("make[^\n]*Error 1\n$", ""), status, case[2], case[3] or 0)
    end
  end)

  local stops = {
    { "SIGINT", "sigint" }, { "SIGTERM to make", "sigterm", by_make = true },
    { "Ctrl-C, which a terminal tells make and all others", "sigint", by_make = true,
      group = true },
  }
  for _, case in ipairs(stops) do
    it("end at once, with what they have started, at " .. case[1], function()
      for name in ("abc"):gmatch "." do
        write(name .. "_spec.lua", ([[
          it("goes on for ever", function()
            local server = require "spec.support.server".start "local c = ... c:request()"
            local other = io.popen "exec sleep 1000"
            os.execute "(echo $PPID; pgrep -P $PPID; echo all) >>%s/pids"
            require "luv".sleep(1000000)
          end)
        ]]):format(folder))
      end
      green "d_spec.lua"
      local command = case.by_make and make .. folder .. " JOBS=3" or "exec " .. command_of(3)
      local status
      local process, pid = uv.spawn("sh", { detached = true, args = { "-c",
        ("unset LD_PRELOAD; { %s; } > %s/output 2>&1"):format(command, folder) } },
        function(...) status = { ... } end)
      assert(process, pid)
      finally(function() if not status then uv.kill(-pid, "sigterm") end end)
      local function pids() return run(("cat %s/pids 2>&1"):format(folder)) end
      assert.is_true(within(60, function() return select(2, pids():gsub("all", "")) == 3 end))
      assert(uv.kill(case.group and -pid or pid, case[2]))
      assert.is_true(within(60, function()
        uv.run "nowait"
        return status
      end))
      local output = run(("cat %s/output"):format(folder))
      assert.is_true(status[1] ~= 0 or status[2] ~= 0)
      assert.matches("stopped by " .. case[2]:upper(), output)
      assert.matches("\n0 passed, 3 failed\n", output)
      for left in pids():gmatch "%d+" do
        assert.is_true(within(10, function()
          return not run("ps -o stat= -p " .. left):find "^%s*[^Z%s]"
        end), left)
      end
    end)
  end
end)
