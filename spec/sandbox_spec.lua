-- raia-sandbox: its command line, its life as a process, its statuses and agents.
local raia = require "raia"
local sandboxes = require "raia.sandbox"
local support = require "spec.support.run"
local free_port = require("spec.support.server").free_port

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

local function client_of(sandbox, options)
  local all = { base_url = sandbox.base_url, secret_key = sandbox.secret_key, max_retries = 0 }
  for name, value in pairs(options or {}) do all[name] = value end
  return raia.client(all)
end

local function listens(sandbox)
  local client <close> = client_of(sandbox)
  return select(3, client.conversations:get "x").kind == "http"
end

describe("raia-sandbox", function()
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
    local sandbox <close> = assert(sandboxes.start { key = "another" })
    assert.equal("another", sandbox.secret_key)
    local right <close> = client_of(sandbox)
    assert(right.conversations:create { conversationUserId = "u" })
    local wrong <close> = client_of(sandbox, { secret_key = "sandbox" })
    local err = select(3, wrong.conversations:create { conversationUserId = "u" })
    assert.equal(403, err.status)
    assert.equal("INVALID_CREDENTIALS", err.code)
  end)

  it("has an agent of one's own, which knows the conversation", function()
    with_file([[return function(message, conversation)
      if message == "fail" then error "no idea" end
      return message:upper() .. " " .. conversation.title .. " " .. #conversation.messages
    end]], function(file)
      local sandbox <close> = assert(sandboxes.start { agent = file })
      local client <close> = client_of(sandbox)
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
