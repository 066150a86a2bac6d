-- Each example, run as a user would, against a sandbox.
local support = require "spec.support.run"
local dead_port = require "spec.support.server".dead_port
local start = require "raia.sandbox".start

-- The id of a user of the sandbox.
local function user_of(client)
  return assert(client.users:find_or_create { firstName = "Ada", lastName = "Byron",
    fkId = "ada" }).id
end

describe("the example", function()
  local sandbox, environment, outbox

  setup(function()
    outbox = os.tmpname()
    sandbox = assert(start { outbox = outbox })
    environment = support.of_sandbox(sandbox)
  end)

  teardown(function()
    sandbox:close()
    os.remove(outbox)
  end)

  local function run(example, input)
    return support.run("lua5.4 examples/" .. example, environment, input)
  end

  local function sent()
    local file <close> = assert(io.open(outbox))
    return file:read("a")
  end

  it("quickstart prints a conversation", function()
    local output, status = run "quickstart.lua"
    assert.equal("assistant: Hi Ada, this is Mindy. How can I help?\n"
      .. "conversation_user: Where is my order?\n"
      .. "assistant: You said: Where is my order? (I was told: Order 1815)\n", output)
    assert.equal(0, status)
  end)

  for channel, address in pairs { email = "ada@example.com", sms = "+15550000001",
    voice = "+15550000002" } do
    it("start begins a conversation by " .. channel, function()
      local output, status = run("start.lua " .. channel .. " " .. address)
      assert.equal(0, status)
      assert.matches("^%x+%-%x+%-%x+%-%x+%-%x+\n$", output)
      assert.is_truthy(sent():find(address, 1, true))
    end)
  end

  it("start says how it is used, and what is wrong with a number", function()
    local output, status = run "start.lua fax 1"
    assert.matches("usage:", output)
    assert.equal(2, status)
    output, status = run "start.lua sms 12"
    assert.matches("E%.164", output)
    assert.equal(1, status)
  end)

  it("history prints a transcript by id", function()
    local id = run("start.lua sms +15550000003"):match("%S+")
    local output, status = run("history.lua " .. id)
    assert.equal(0, status)
    assert.matches("^assistant +sms +Hi, this is Mindy", output)
    output, status = run "history.lua nobody"
    assert.matches("404 ENTITY_NOT_FOUND", output)
    assert.equal(1, status)
    assert.equal(2, select(2, run "history.lua"))
  end)

  it("chat answers line by line and ends with the input", function()
    local output, status = run("chat.lua", "hello\n\nand who are you?\n")
    assert.equal(0, status)
    assert.matches("agent: You said: hello\n", output)
    assert.matches("agent: You said: and who are you%?\n", output)
    output, status = run("chat.lua no-such-conversation", "hello\n")
    assert.matches("404", output)
    assert.equal(1, status)
  end)

  it("delete_user asks before it deletes", function()
    local raia = require "raia"
    local client <close> = raia.client {
      base_url = sandbox.base_url, secret_key = sandbox.secret_key }
    local user = user_of(client)
    local id = assert(client.conversations:create { conversationUserId = user }).id
    local output, status = run("delete_user.lua " .. user, "no\n")
    assert.matches("Nothing was deleted", output)
    assert.equal(1, status)
    assert(client.conversations:get(id))
    output, status = run("delete_user.lua " .. user, "yes\n")
    assert.matches("Deleted", output)
    assert.equal(0, status)
    assert.equal(404, select(3, client.conversations:get(id)).status)
    assert.equal(0, select(2, run("delete_user.lua --yes " .. user)))
    assert.equal(2, select(2, run "delete_user.lua --yes"))
  end)

  describe("journal", function()
    local messages, journal, raia = os.tmpname(), os.tmpname(), require "raia"
    local client, conversation

    local function write(path, text)
      local file <close> = assert(io.open(path, "w"))
      file:write(text)
    end

    local function noted()
      local file <close> = assert(io.open(journal))
      return (file:read("a"):gsub("\n+", " "))
    end

    -- The texts that the conversation has of its user.
    local function delivered()
      local texts = {}
      for _, message in ipairs(assert(conversation:messages())) do
        if message.senderRole == "conversation_user" then texts[#texts + 1] = message.message end
      end
      return table.concat(texts, " ")
    end

    local function send(given)
      return support.run(("lua5.4 examples/journal.lua %s %s %s"):format(messages, journal,
        conversation.id), given or environment)
    end

    before_each(function()
      client = raia.client { base_url = sandbox.base_url, secret_key = sandbox.secret_key }
      conversation = assert(client.conversations:create { conversationUserId = user_of(client) })
      write(messages, "one\ntwo\nthree\n")
      write(journal, "")
    end)
    after_each(function() client:close() end)
    teardown(function()
      os.remove(messages)
      os.remove(journal)
    end)

    it("goes on after a wrong key, and sends nothing twice", function()
      local output, status = send { RAIA_BASE_URL = sandbox.base_url,
        RAIA_AGENT_SECRET_KEY = "a-key-that-is-wrong" }
      assert.equal(1, status)
      assert.matches("^Line 1: conversation:send: HTTP 403 INVALID_CREDENTIALS %(request %S+%); "
        .. "it was refused: check the secret key\n$", output)
      assert.equal(" 1 begun 1 unsent ", noted())
      output, status = send()
      assert.equal(0, status, output)
      assert.equal("You said: one\nYou said: two\nYou said: three\n", output)
      assert.equal("one two three", delivered())
      output, status = send()
      assert.equal("", output)
      assert.equal(0, status)
      assert.equal("one two three", delivered())
    end)

    it("stops at what may have been delivered, until somebody has looked", function()
      for _ = 1, 2 do
        write(journal, "1 done\n2 begun\n")
        local output, status = send()
        assert.matches("^Line 2 may have been delivered%.", output)
        assert.equal(1, status)
        assert.equal("", delivered())
      end
      write(journal, "1 done\n2 begun\n2 unsent\n3 beg") -- cut short: before it was sent
      assert.equal(0, select(2, send()))
      assert.equal("two three", delivered())
      assert.equal("1 done 2 begun 2 unsent 3 beg 2 begun 2 done 3 begun 3 done ", noted())
    end)

    it("says how it is used", function()
      assert.equal(2, select(2, run "journal.lua"))
    end)
  end)

  describe("fan_out", function()
    it("asks fifty conversations of its own, and removes them", function()
      local slow <close> = assert(start { delay = 0.3 })
      local output, status = support.run("lua5.4 examples/fan_out.lua", support.of_sandbox(slow))
      assert.equal(0, status)
      local answers = 0
      for id in output:gmatch "(%S+)\tYou said: In one word: how was our service%?\n" do
        answers = answers + 1
        local gone, code = support.run("lua5.4 examples/history.lua " .. id,
          support.of_sandbox(slow))
        assert.equal(1, code)
        assert.matches("404", gone)
        if answers == 2 then break end
      end
      assert.equal(50, select(2, output:gsub("\tYou said:", "")))
      assert.matches("asked 50 of 50, ", output)
    end)

    it("asks those that it is given, in their order, and tells failures apart", function()
      local first = run("start.lua sms +15550000004"):match("%S+")
      local second = run("start.lua sms +15550000005"):match("%S+")
      local output, status = run(("fan_out.lua 'All well?' %s nobody %s"):format(first, second))
      assert.equal(1, status)
      assert.is_truthy(output:find(first .. "\tYou said: All well?\n", 1, true))
      assert.matches("nobody\t! [^\n]*404", output)
      assert.is_truthy(output:find(second .. "\tYou said: All well?\n", 1, true))
      assert.is_true(output:find(first, 1, true) < output:find("nobody", 1, true))
      assert.is_true(output:find("nobody", 1, true) < output:find(second, 1, true))
    end)
  end)

  describe("workflow", function()
    it("chains three agents", function()
      local output, status = run("workflow.lua tea")
      assert.equal(0, status)
      assert.equal("You said: Write one paragraph on tea. (I was told: "
        .. "For: You said: What speaks for tea?\n"
        .. "Against: You said: What speaks against tea?)\n", output)
    end)

    for _, name in ipairs { "RESEARCH_KEY", "CRITIC_KEY", "EDITOR_KEY" } do
      it("ends with what went wrong with one of them: " .. name, function()
        local with_key = support.of_sandbox(sandbox)
        with_key[name] = "wrong"
        local output, status = support.run("lua5.4 examples/workflow.lua", with_key)
        assert.equal(1, status)
        assert.matches("403", output)
      end)
    end
  end)

  it("race takes the answer of whichever agent is first, and of the other if one fails", function()
    local output, status = run "race.lua tea?"
    assert.matches("^%u+_KEY\tYou said: tea%?\n$", output)
    assert.equal(0, status)
    local with_key = support.of_sandbox(sandbox)
    with_key.FAST_KEY = "wrong"
    output, status = support.run("lua5.4 examples/race.lua tea?", with_key)
    assert.matches("CAREFUL_KEY\tYou said: tea%?\n$", output)
    assert.equal(0, status)
    with_key.CAREFUL_KEY = "wrong"
    output, status = support.run("lua5.4 examples/race.lua tea?", with_key)
    assert.matches("! [^\n]*403[^\n]*\n[^\n]*! [^\n]*403", output)
    assert.equal(1, status)
  end)

  describe("panel", function()
    local agent

    before_each(function() agent = os.tmpname() end)
    after_each(function() os.remove(agent) end)

    -- Asks a panel whose seats answer with these words, in turn.
    local function ask(words)
      local file = assert(io.open(agent, "w"))
      file:write(("local words = { %s }\nreturn function() return table.remove(words, 1) end")
        :format(words))
      file:close()
      local own <close> = assert(start { agent = agent })
      return support.run("lua5.4 examples/panel.lua", support.of_sandbox(own))
    end

    it("stops as soon as a majority agrees", function()
      local output, status = ask '"Yes.", "no", "YES, it is", "yes!", "yes"'
      assert.matches("\nverdict\tyes\n$", output)
      assert.equal(0, status)
      assert.is_true(select(2, output:gsub("\n", "")) <= 5, output)
    end)

    it("says when none does", function()
      local output, status = ask '"yes", "yes", "no", "no", "perhaps"'
      assert.matches("\nverdict\tnone\n$", output)
      assert.equal(1, status)
    end)
  end)

  it("pipeline answers each line, whatever their number", function()
    local questions, seen = {}, 0
    for i = 1, 60 do questions[i] = "question " .. i end
    local output, status = run("pipeline.lua", table.concat(questions, "\n"))
    for question, answer in output:gmatch "([^\t\n]+)\tYou said: ([^\n]+)\n" do
      assert.equal(question, answer)
      seen = seen + 1
    end
    assert.equal(60, seen, output)
    assert.equal(0, status)
  end)

  it("person passes on what a person says, until that is ok", function()
    local output, status = support.run(
      "(echo shorter; sleep 0.3; echo kinder; echo ok) | lua5.4 examples/person.lua 'A letter'",
      environment)
    assert.equal("You said: A letter\nYou said: Change this: shorter\n"
      .. "You said: Change this: kinder\n", output)
    assert.equal(0, status)
  end)

  it("luv_timer prints an answer while a timer goes on", function()
    local slow <close> = assert(start { delay = 0.5 })
    local output, status =
      support.run("lua5.4 examples/luv_timer.lua hello", support.of_sandbox(slow))
    assert.equal("You said: hello\nand the timer went on\n", output)
    assert.equal(0, status)
  end)

  describe("cqueues_server", function()
    local socket = require "socket"
    local slow, pipe, pid, port

    local function serve(variables)
      local words = { "echo $$; exec env" }
      variables.LUA_PATH_5_4, variables.LUA_CPATH_5_4 = package.path, package.cpath
      for name, value in pairs(variables) do
        words[#words + 1] = support.quote(name .. "=" .. value)
      end
      words[#words + 1] = "lua5.4 examples/cqueues_server.lua 0 </dev/null"
      pipe = assert(io.popen(table.concat(words, " ")))
      pid = pipe:read "l"
      port = tonumber((pipe:read "l" or ""):match "^http://127%.0%.0%.1:(%d+)$")
      assert.is_number(port)
    end

    after_each(function()
      if pid then os.execute("kill -9 " .. pid .. " 2>/dev/null") end
      if pipe then pipe:close() end
      if slow then slow:close() end
    end)

    local function ask(path)
      local connection = assert(socket.connect("127.0.0.1", port))
      connection:settimeout(30)
      assert(connection:send("GET " .. path .. " HTTP/1.0\r\nHost: localhost\r\n\r\n"))
      return connection
    end

    -- The status and the text that come back.
    local function answer(connection)
      local all = assert(connection:receive "*a")
      connection:close()
      return all:match "^HTTP/1%.%d (%d+)", all:match "\r\n\r\n(.*)$"
    end

    it("serves others while it waits for answers", function()
      slow = assert(start { delay = 1 })
      serve(support.of_sandbox(slow))
      local from = socket.gettime()
      local first, second = ask "/?Where+is+my+order", ask "/?And%20mine"
      local status, text = answer(ask "/alive")
      assert.equal("200", status)
      assert.equal("alive\n", text)
      assert.same({}, (socket.select({ first, second }, nil, 0))) -- still pending
      status, text = answer(first)
      assert.equal("200", status)
      assert.equal("You said: Where is my order\n", text)
      status, text = answer(second)
      assert.equal("200", status)
      assert.equal("You said: And mine\n", text)
      assert.is_true(socket.gettime() - from < 20)
      assert.equal("400", (answer(ask "/")))
    end)

    it("answers 502 with what went wrong", function()
      serve { RAIA_BASE_URL = "http://127.0.0.1:" .. dead_port(), RAIA_AGENT_SECRET_KEY = "k" }
      local status, text = answer(ask "/?hello")
      assert.equal("502", status)
      assert.matches("no connection", text)
    end)
  end)

  describe("host", function()
    local directory

    setup(function()
      directory = os.tmpname()
      os.remove(directory)
      assert(os.execute("mkdir " .. directory))
    end)

    teardown(function()
      os.remove(directory .. "/host")
      os.remove(directory)
    end)

    it("builds, and runs a script beside its frames", function()
      local output, status = support.run("make -s -C examples/host BUILD=" .. directory,
        { LD_PRELOAD = false })
      assert.equal("", output)
      assert.equal(0, status)
      local slow <close> = assert(start { delay = 0.5 })
      output, status = support.run(directory .. "/host examples/host/script.lua",
        support.of_sandbox(slow))
      assert.equal(0, status)
      local answers = 0
      for number in output:gmatch "You said: Who is number (%d+)%?\n" do
        answers = answers + 1
        assert.equal(answers, tonumber(number))
      end
      assert.equal(20, answers)
      assert.is_true(tonumber(output:match "\n(%d+) ticks\n$") > 10)
    end)

    it("says what is wrong with a script, and that it needs one", function()
      local output, status = support.run(directory .. "/host")
      assert.matches("usage:", output)
      assert.equal(2, status)
      output, status = support.run(directory .. "/host no-such-file.lua")
      assert.matches("no%-such%-file", output)
      assert.equal(1, status)
      output, status = support.run(directory .. "/host examples/host/script.lua",
        { RAIA_BASE_URL = "http://127.0.0.1:1", RAIA_AGENT_SECRET_KEY = "k" })
      assert.matches("host: .*no connection", output)
      assert.equal(1, status)
    end)
  end)
end)
