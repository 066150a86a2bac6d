-- raia-sandbox: its command line, its life as a process, its statuses and agents.
local certificates = require "spec.support.certificates"
local sandboxes = require "raia.sandbox"
local socket = require "cqueues.socket"
local support = require "spec.support.run"
local free_port = require("spec.support.server").free_port
local clients = require "spec.support.client"

local MAIN = "lua5.4 lua/raia/sandbox/main.lua "

local function with_file(text, fn)
  local name = os.tmpname()
  local file = assert(io.open(name, "w"))
  file:write(text)
  file:close()
  local good, problem = pcall(fn, name)
  os.remove(name)
  assert(good, problem)
end

local function connect(sandbox, options)
  return clients { secret_key = sandbox.secret_key } (sandbox, options)
end

local function listens(sandbox)
  local client <close> = connect(sandbox)
  return select(3, client.conversations:get "x").kind == "http"
end

describe("raia-sandbox", function()
  it("prints what goes out on standard error where it runs a command", function()
    local code = [[assert(require "raia".client().conversations:start { channel = "sms",
      firstName = "A", lastName = "B", phoneNumber = "+15551234567", smsIntroduction = "Hi" })
      print "done"]]
    local command = MAIN .. "-- lua5.4 -e " .. support.quote(code)
    assert.equal("done\n", (support.run(command .. " 2>/dev/null")))
    local outbox = support.run(command .. " 2>&1 >/dev/null")
    assert.equal("[outbox] sms to +15551234567: Hi\n", outbox)
  end)

  it("says its version", function()
    assert.matches("^raia%-sandbox, of raia [%w.]+\n$", (support.run(MAIN .. "--version")))
  end)

  it("has help", function()
    local output, status = support.run(MAIN .. "--help")
    assert.equal(0, status)
    for _, option in ipairs { "--port", "--key", "--delay", "--agent", "--tls-cert" } do
      assert.is_truthy(output:find(option, 1, true), option)
    end
  end)

  local mistakes = {
    { "an unknown option", "--colour", "colour" },
    { "a port that is none", "--port x", "port" },
    { "a delay that is none", "--delay soon", "delay" },
    { "an agent that is not there", "--port 0 --agent /no/such/file", "/no/such/file" },
    { "an agent that is no function", "--port 0 --agent LICENSE", "LICENSE" },
    { "a certificate without its key", "--port 0 --tls-cert LICENSE", "tls%-key" },
    { "no command after --", "--port 0 --", "command" },
  }
  for _, case in ipairs(mistakes) do
    it("names the mistake: " .. case[1], function()
      local output, status = support.run(MAIN .. case[2])
      assert.is_true(status > 0)
      assert.matches(case[3], output)
      assert.is_nil(output:find("traceback", 1, true), output)
    end)
  end

  it("says that its port is taken", function()
    local first <close> = assert(sandboxes.start {})
    local port = first.base_url:match("%d+$")
    local output, status = support.run(MAIN .. "--port " .. port)
    assert.equal(1, status)
    assert.is_truthy(output:find(port, 1, true), output)
    local second, message = sandboxes.start { port = tonumber(port) }
    assert.is_nil(second)
    assert.is_truthy(message:find(port, 1, true), message)
  end)

  for _, signal in ipairs { "INT", "TERM" } do
    it("ends at once and without a word on SIG" .. signal, function()
      local port = free_port()
      local output, status = support.run(("%s --port %d & pid=$!; "
        .. "until curl=$(lua5.4 -e 'os.exit((require [[socket]].connect([[127.0.0.1]], %d)) "
        .. "~= nil)'); do sleep 0.05; done; kill -%s $pid; wait $pid"):format(
        "setsid " .. MAIN, port, port, signal))
      assert.equal(0, status, output)
      assert.matches("^raia%-sandbox: listening on http://127%.0%.0%.1:" .. port, output)
      assert.is_nil(output:find("traceback", 1, true), output)
    end)
  end

  it("runs a command against itself and ends with its status", function()
    local output, status = support.run(MAIN .. [[-- sh -c 'echo "$RAIA_BASE_URL"; exit 7']])
    assert.equal(7, status)
    assert.matches("^http://127%.0%.0%.1:%d+\n$", output)
  end)
end)

describe("a command that raia-sandbox runs", function()
  local function with_files(fn)
    local pid_file, agent = os.tmpname(), os.tmpname()
    local good, problem = pcall(fn, pid_file, agent)
    os.remove(pid_file)
    os.remove(agent)
    assert(good, problem)
  end

  -- Runs a command of the shell's, which says in `pid_file` when it is ready and who it is, sends
  -- the sandbox (`to`: "$pid", or "-$pid" for its group) a signal, and gives the output, the
  -- status, and whether the command or the sandbox are still there.
  local function signalled(pid_file, signal, command, to, options)
    local output = support.run(([[
      setsid %s --any-user %s -- sh -c %s & pid=$!
      for i in $(seq 200); do test -s %s && break; sleep 0.05; done
      kill -%s %s
      for i in $(seq 200); do kill -0 $pid 2>/dev/null || break; sleep 0.05; done
      kill -0 $pid 2>/dev/null && echo "the sandbox goes on" && kill -9 -$pid
      wait $pid
      echo "status $?"
      for i in $(seq 40); do kill -0 $(cat %s) 2>/dev/null || exit; sleep 0.05; done
      echo "the command goes on"
      kill -9 $(cat %s)]]):format(MAIN, options or "", support.quote(command), pid_file, signal,
      to or "$pid", pid_file, pid_file))
    return output
  end

  for signal, number in pairs { TERM = 15, HUP = 1 } do
    for name, to in pairs { ["the sandbox"] = "$pid", ["all of its group"] = "-$pid" } do
      it(("ends on SIG%s to %s, and the sandbox with it"):format(signal, name), function()
        with_files(function(pid_file)
          local output = signalled(pid_file, signal, "echo $$ > " .. pid_file
            .. "; exec sleep 300", to)
          assert.equal(("status %d\n"):format(128 + number), output)
        end)
      end)

      it(("may clean up on SIG%s to %s, and use the sandbox for it"):format(signal, name),
        function()
          with_files(function(pid_file)
            local output = signalled(pid_file, signal, ([[
              trap 'trap : %s; lua5.4 -e "%s"; exit 7' %s # it may come twice: as to all, passed on
              echo $$ > %s; while :; do sleep 0.1; done]])
              :format(signal, "print((assert(require [[raia]].client().conversations:create { "
                .. "conversationUserId = [[u]] }).conversationUserId))", signal, pid_file), to)
            -- What is sent to all of them ends the sandbox, too, once the command has ended.
            local status = to == "$pid" and 7 or 128 + number
            assert.equal(("u\nstatus %d\n"):format(status), (output:gsub("^%a+\nu", "u")))
          end)
        end)
    end
  end

  it("ends on SIGTERM while an agent keeps the processor, too", function()
    with_files(function(pid_file, agent)
      local file = assert(io.open(agent, "w"))
      file:write "return function() while true do end end"
      file:close()
      local code = ([[local client = require "raia".client { timeout = 30 }
        local conversation = assert(client.conversations:create { conversationUserId = "u" })
        local request = conversation:send("think", { wait = false })
        request:wait(0.5)
        io.open(%q, "w"):write((io.open "/proc/self/stat":read "n")):close()
        request:wait()]]):format(pid_file)
      local output = signalled(pid_file, "TERM", "exec lua5.4 -e " .. support.quote(code), nil,
        "--agent " .. agent)
      assert.equal("status 143\n", output)
    end)
  end)

  it("ignores SIGHUP, as the sandbox does, where both are to outlive a terminal", function()
    with_files(function(pid_file)
      local output = support.run(([[
        nohup %s -- sh -c 'echo $$ > %s; sleep 1; echo done; exit 7' 2>&1 & pid=$!
        for i in $(seq 200); do test -s %s && break; sleep 0.05; done
        kill -HUP $pid $(cat %s)
        wait $pid
        echo "status $?"]]):format(MAIN, pid_file, pid_file, pid_file))
      assert.matches("done\nstatus 7\n$", output)
    end)
  end)

  it("has no signal blocked or ignored that was not", function()
    local look = "grep -E '^Sig(Blk|Ign)' /proc/self/status"
    local function set(output, name) -- of 1 to 31: those from 32 on are the C library's
      return tonumber(output:match(name .. ":%s*(%x+)"), 16) & 0x7fffffff
    end
    local output = support.run(MAIN .. "-- " .. look)
    assert.equal(0, set(output, "SigBlk"))
    assert.equal(set(support.run(look), "SigIgn"), set(output, "SigIgn"))
  end)

  for signal, number in pairs { TERM = 15, KILL = 9, ALRM = 14 } do
    it("gives its status to the sandbox when it dies of SIG" .. signal, function()
      local _, status = support.run(MAIN .. "-- sh -c 'kill -" .. signal .. " $$'")
      assert.equal(128 + number, status)
    end)
  end

  it("that is not there is told", function()
    local output, status = support.run(MAIN .. "-- no-such-command")
    assert.equal(127, status)
    assert.matches("no%-such%-command", output)
  end)

  it("has its own standard input and output", function()
    local output, status = support.run(MAIN .. "-- cat", nil, "one\ntwo\n")
    assert.equal("one\ntwo\n", output)
    assert.equal(0, status)
  end)
end)

describe("a sandbox that was started", function()
  it("ends with close, however often", function()
    local sandbox = assert(sandboxes.start {})
    assert.is_true(listens(sandbox))
    sandbox:close()
    sandbox:close()
    assert.is_false(listens(sandbox))
  end)

  it("ends when it is collected", function()
    local sandbox = assert(sandboxes.start {})
    local place = { base_url = sandbox.base_url, secret_key = "k" }
    assert.is_true(listens(place))
    sandbox = nil -- luacheck: ignore
    collectgarbage()
    collectgarbage()
    assert.is_false(listens(place))
  end)

  it("ends with the process that started it, even when that is killed", function()
    local output = support.run [[lua5.4 -e '
      print(assert(require "raia.sandbox".start {}).base_url)
      io.stdout:flush()
      os.execute("kill -9 $PPID")']]
    local place = { base_url = output:match("http://%S+"), secret_key = "k" }
    local from = os.time()
    while listens(place) and os.time() - from < 10 do os.execute "sleep 0.1" end
    assert.is_false(listens(place))
  end)

  it("names an option that it does not know, or of a wrong type", function()
    assert.error_matches(function() sandboxes.start { prot = 1 } end, "prot")
    assert.error_matches(function() sandboxes.start { port = "1" } end, "port")
  end)

  it("asks for its key", function()
    local sandbox <close> = assert(sandboxes.start { key = "another", any_user = true })
    assert.equal("another", sandbox.secret_key)
    local right <close> = connect(sandbox)
    assert(right.conversations:create { conversationUserId = "u" })
    local wrong <close> = connect(sandbox, { secret_key = "sandbox" })
    local err = select(3, wrong.conversations:create { conversationUserId = "u" })
    assert.equal(403, err.status)
    assert.equal("INVALID_CREDENTIALS", err.code)
  end)

  -- What a request with a large body and a wrong key comes to, over each kind of connection.
  for _, way in ipairs { "HTTP/1.1", "HTTP/2" } do
    it("refuses large bodies without its key before it has read them, over " .. way, function()
      local made = way == "HTTP/2" and certificates() or nil
      finally(function() if made then made.remove() end end)
      local sandbox <close> = assert(sandboxes.start { any_user = true,
        tls_cert = made and made.good.cert,
        tls_key = made and made.good.key })
      local function peak() -- of the sandbox's memory, in MiB
        for line in io.lines("/proc/" .. sandbox.pid .. "/status") do
          local kilobytes = line:match "^VmHWM:%s*(%d+)"
          if kilobytes then return kilobytes / 1024 end
        end
      end
      local options = { secret_key = "a-key-that-is-wrong", ca_file = made and made.ca }
      local first <close> = connect(sandbox, options)
      assert.equal(403, select(3, first.conversations:get "x").status)
      local before = peak()
      local body, requests, others = { text = ("x"):rep(16e6) }, {}, {}
      for i = 1, 20 do
        others[i] = connect(sandbox, options)
        requests[i] = others[i]:request("POST", "/external/conversations", { body = body },
          { wait = false })
      end
      for _, request in ipairs(requests) do
        local _, message, err = request:wait(60)
        assert.equal(403, err and err.status, message)
        assert.equal("INVALID_CREDENTIALS", err.code)
        assert.equal("no", err.sent)
      end
      for i = 1, 20 do others[i]:close() end
      local more = peak() - before -- for 320 MB that were to be sent
      -- A sanitizer, where there is one, keeps what is freed for a while.
      assert.is_true(more < (os.getenv "LD_PRELOAD" and 240 or 100), more .. " MiB more")
      local right <close> = connect(sandbox, { ca_file = made and made.ca })
      assert(right.conversations:create { conversationUserId = "u" })
    end)
  end

  it("refuses a body without its key while that is on its way", function()
    local sandbox <close> = assert(sandboxes.start {})
    for _, head in ipairs { "Content-Length: 16000000", "Transfer-Encoding: chunked",
      "Content-Length: 16000000\r\nExpect: 100-continue" } do
      local one = socket.connect("127.0.0.1", sandbox.base_url:match "%d+$")
      one:setmode("b", "b")
      one:settimeout(10)
      assert(one:write("POST /external/conversations HTTP/1.1\r\nHost: x\r\n" .. head
        .. "\r\n\r\n", head:find "chunked" and "5\r\nhello\r\n" or ""))
      assert(one:flush())
      assert.matches("^HTTP/1.1 403 ", one:read "*l")
      one:close()
    end
  end)

  it("tells an agent that yields so, and goes on", function()
    with_file([[return function(message)
      if message == "yield" then coroutine.yield() end
      if message == "yield more" then coroutine.yield("some", "text") end
      local generator = coroutine.wrap(function() coroutine.yield "of a generator" end)
      require "cqueues".sleep(0.01)
      return message .. " " .. generator()
    end]], function(file)
      local sandbox <close> = assert(sandboxes.start { agent = file, any_user = true })
      local client <close> = connect(sandbox)
      local conversation = assert(client.conversations:create { conversationUserId = "u" })
      for _, text in ipairs { "yield", "yield more" } do
        local result, message, err = conversation:send(text)
        assert.is_nil(result)
        assert.equal(500, err.status, message)
        assert.is_truthy(message:find("the agent yielded", 1, true), message)
        assert.equal("on of a generator", tostring(assert(conversation:send "on")))
      end
    end)
  end)

  it("has an agent of one's own, which knows the conversation", function()
    with_file([[return function(message, conversation)
      if message == "fail" then error "no idea" end
      return message:upper() .. " " .. conversation.title .. " " .. #conversation.messages
    end]], function(file)
      local sandbox <close> = assert(sandboxes.start { agent = file, any_user = true })
      local client <close> = connect(sandbox)
      local conversation = assert(client.conversations:create {
        conversationUserId = "u", title = "T" })
      assert.equal("HELLO T 0", tostring(assert(conversation:send "hello")))
      assert.equal("AGAIN T 2", tostring(assert(conversation:send "again")))
      local result, text, err = conversation:send "fail"
      assert.is_nil(result)
      assert.equal(500, err.status, text)
      assert.is_truthy(text:find("no idea", 1, true), text)
      assert.equal("ON T 5", tostring(assert(conversation:send "on")))
    end)
  end)
end)
