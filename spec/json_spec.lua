-- JSON: no value changes silently on its way out or in.
local cjson = require("cjson").new()
local raia = require "raia"
local run = require("spec.support.run").run
local server = require "spec.support.server"
local connect = require "spec.support.client" ()

-- Gives back the body; or, to GET /reply, what the query says; or a message.
local ECHO = [[
  local connection = ...
  local function decode(text)
    return (text:gsub("%%(%x%x)", function(hex) return string.char(tonumber(hex, 16)) end))
  end
  local request = connection:request()
  while request do
    local text = request.path:match("^/reply%?text=(.*)$")
    if text then
      connection:reply(200, decode(text))
    elseif request.path:find("/messages", 1, true) then
      connection:reply(201, '{"id":"m-1","message":"Hello"}')
    else
      connection:reply(200, request.body)
    end
    request = connection:request()
  end]]

local function nest(depth, inside, key)
  local value = inside
  for _ = 1, depth do value = { [key] = value } end
  return value
end

describe("JSON", function()
  local peer, client

  setup(function()
    peer = server.start(ECHO)
    client = connect(peer)
  end)

  teardown(function()
    client:close()
    peer:close()
  end)

  local function echo(body)
    return client:request("POST", "/echo", { body = body })
  end

  -- The text in which a body went out.
  local function text_of(body)
    assert(echo(body))
    local requests = peer:requests()
    return requests[#requests].body
  end

  local function read(text)
    return client:request("GET", "/reply", { query = { text = text } })
  end

  local function refuses(body, field)
    local before = #peer:requests()
    local result, message, err = echo(body)
    assert.is_nil(result)
    assert.equal("invalid", err.kind)
    assert.equal(field, err.field)
    assert.equal("no", err.sent)
    assert.is_truthy(message:find(field or "the body", 1, true), message)
    assert.equal(before, #peer:requests())
  end

  describe("that goes out", function()
    local texts = {
      ["an empty body"] = { {}, "{}" },
      ["an empty table in it"] = { { customData = {} }, '{"customData":{}}' },
      ["an empty table in a list"] = { { { {} } }, "[[{}]]" },
      ["a list"] = { { list = { 1, 2, 3 } }, '{"list":[1,2,3]}' },
      ["a list with null"] = { { list = { 1, raia.null, 3 } }, '{"list":[1,null,3]}' },
      ["a list that is the body"] = { { "a", true, false }, '["a",true,false]' },
      ["null"] = { { title = raia.null }, '{"title":null}' },
      ["lua-cjson's null"] = { { title = require("cjson").null }, '{"title":null}' },
      ["a whole number"] = { { n = 1815 }, '{"n":1815}' },
      ["a whole number of type float"] = { { n = 4.0 }, '{"n":4}' },
      ["a fraction"] = { { n = 0.1 }, '{"n":0.1}' },
      ["a name that is a number"] = { { ["1"] = "a" }, '{"1":"a"}' },
      ["an array that is empty"] = { { list = raia.array {} }, '{"list":[]}' },
      ["an array that is empty and the body"] = { raia.array {}, "[]" },
      ["a marked array with elements"] = { { raia.array { 1, 2 } }, "[[1,2]]" },
      ["0.1 + 0.2"] = { { n = 0.1 + 0.2 }, '{"n":0.30000000000000004}' },
      ["a third"] = { { n = 1 / 3 }, '{"n":0.3333333333333333}' },
      ["the greatest integer"] = { { n = math.maxinteger }, '{"n":9223372036854775807}' },
      ["a great float"] = { { n = 1e300 }, '{"n":1e+300}' },
      ["a slash"] = { { s = "a/b" }, '{"s":"a/b"}' },
      ["a NUL in a string"] = { { s = "a\0b" }, '{"s":"a\\u0000b"}' },
    }
    for name, case in pairs(texts) do
      it("has " .. name, function()
        assert.equal(case[2], text_of(case[1]))
      end)
    end

    it("has lists in their order, whatever order they were filled in, and sees gaps", function()
      for n = 1, 40 do
        local list, order = {}, {}
        for i = 1, n do
          list[i] = i
          table.insert(order, math.random(i), i)
        end
        local filled = {}
        for _, i in ipairs(order) do filled[i] = i end
        assert.same(list, (assert(echo(filled))))
        filled.name = true
        refuses({ list = filled }, "list")
        filled.name, filled[n + 2] = nil, true
        refuses({ list = filled }, "list")
      end
    end)

    it("has what is nested in customData", function()
      local custom = { order = { id = 1815, lines = { { name = "nut", n = 2 }, { name = "bolt" } },
        paid = true, note = raia.null }, empty = {}, ["a b"] = "c" }
      assert(client.conversations:create { conversationUserId = "u", customData = custom,
        id = "c-1" })
      local requests = peer:requests()
      assert.same(custom, cjson.decode(requests[#requests].body).customData)
    end)

    it("has a table as often as it occurs", function()
      local shared = { 1, 2 }
      assert.same({ a = { 1, 2 }, b = { c = { 1, 2 } } },
        cjson.decode(text_of { a = shared, b = { c = shared } }))
    end)

    it("has the copy of a message", function()
      local message = assert(client:conversation("c"):send("Hello"))
      assert.same({ last = { id = "m-1", message = "Hello" } },
        cjson.decode(text_of { last = raia.totable(message) }))
    end)
  end)

  describe("round trips keep", function()
    local strings = { empty = "", NUL = "\0", ["NUL inside"] = "a\0b\0", emoji = "😀👩‍🚀",
      quotes = "\"\\/'", lines = "a\r\nb\tc", controls = "\1\8\12\27[31m\31\127",
      separators = "\u{2028}\u{2029}", mark = "\u{FEFF}a", last = "\u{10FFFF}\u{FFFF}",
      accents = "é e\u{301}", long = ("0123456789é"):rep(100000), ["what is JSON"] = '{"a":[1]}' }
    for name, text in pairs(strings) do
      it("a string with " .. name, function()
        assert.is_true(assert(echo { s = text, list = { text } }).s == text)
      end)

      if #text < 1000 then
        it("a name with " .. name, function()
          assert.same({ [text] = { [text] = "x" } }, (assert(echo { [text] = { [text] = "x" } })))
        end)
      end
    end

    local numbers = { 0, 1, -1, 4, 1815, -99999999999999, 99999999999999, 0.5, -0.25, 0.1, 1e-7,
      1e300, 1.5e-300, 12345.678 }
    for _, number in ipairs(numbers) do
      it("the number " .. number, function()
        local got = assert(echo { n = number }).n
        assert.equal(number, got)
        assert.equal(math.type(number) == "integer", math.type(got) == "integer")
      end)
    end

    it("the sign of -0.0", function()
      assert.equal(-math.huge, 1 / assert(echo { n = -0.0 }).n)
    end)

    it("true, false and null", function()
      local list = { true, false, raia.null, { t = true, f = false } }
      assert.same(list, (assert(echo(list))))
    end)

    it("no member that is null, at any depth, as if it were absent", function()
      assert.same({ a = { b = { 1, raia.null } }, list = { {} } },
        (assert(read '{"n":null,"a":{"n":null,"b":[1,null]},"list":[{"n":null}]}')))
      assert.same({}, (assert(read '{"a":1,"a":null}'))) -- the last of a name counts
      assert.same({ a = 2 }, (assert(read '{"a":1,"a":2}')))
    end)

    it("empty arrays, wherever they came from", function()
      local text = '{"a":[],"b":[[],{}]}'
      local body = assert(read(text))
      assert.is_nil(next(body.a))
      local went = text_of(body)
      assert.is_truthy(went == text or went == '{"b":[[],{}],"a":[]}', went)
      assert.equal("[]", text_of(assert(read "[]")))
    end)

    it("tables nested 100 deep", function()
      for _, key in ipairs { "a", 1 } do
        local body = nest(100, nil, key)
        assert.same(body, (assert(echo(body))))
      end
    end)
  end)

  describe("that cannot be written is refused:", function()
    local message

    setup(function()
      message = assert(client:conversation("c"):send("Hello"))
    end)

    local function looped(make)
      local body = { customData = { order = { id = 1 } } }
      make(body)
      return body
    end

    -- what, body, path
    local cases = {
      { "a function", { customData = { order = { id = print } } }, "customData.order.id" },
      { "a function in a list", { list = { 1, { 2, { f = print } } } }, "list[2][2].f" },
      { "a function in the body", { print }, "[1]" },
      { "a coroutine", { co = coroutine.create(print) }, "co" },
      { "a file", { file = io.stdout }, "file" },
      { "NaN", { a = { n = 0 / 0 } }, "a.n" },
      { "another NaN", { a = { n = -(0 / 0) } }, "a.n" },
      { "infinity", { list = { 1, math.huge } }, "list[2]" },
      { "negative infinity", { n = -math.huge }, "n" },
      { "a gap", { a = { list = { 1, nil, 3 } } }, "a.list" },
      { "a list from 2 on", { list = { [2] = "b" } }, "list" },
      { "a list from 0 on", { list = { [0] = "a", "b" } }, "list" },
      { "a far element", { list = { [2 ^ 53] = 1 } }, "list" },
      { "a negative index", { list = { [-1] = 1 } }, "list" },
      { "a fraction as index", { list = { [1.5] = 1 } }, "list" },
      { "a boolean as name", { map = { [true] = 1 } }, "map" },
      { "a table as name", { map = { [{}] = 1 } }, "map" },
      { "names and elements", { mixed = { "a", b = 1 } }, "mixed" },
      { "names and elements in the body", { "a", b = 1 }, nil },
      { "a gap in the body", { [2] = "b" }, nil },
      { "tables nested 101 deep", nest(101, nil, "a"), ("a."):rep(99) .. "a" },
      { "lists nested 101 deep", nest(101, nil, 1), ("[1]"):rep(100) },
      { "a table that contains itself", looped(function(body)
        body.customData.order.again = body.customData.order
      end), "customData.order.again" },
      { "a table that contains the body", looped(function(body)
        body.customData.order.body = body
      end), "customData.order.body" },
      { "a list that contains itself", looped(function(body)
        body.customData.list = { 1 }
        body.customData.list[2] = body.customData.list
      end), "customData.list[2]" },
      { "a body that contains itself", looped(function(body) body.self = body end), "self" },
    }
    for _, case in ipairs(cases) do
      it(case[1], function()
        refuses(case[2], case[3])
      end)
    end

    it("objects of raia", function()
      local request = client:request("GET", "/reply", nil, { wait = false })
      for _, object in ipairs { message, client:conversation("c"), client, client.conversations,
        request } do
        refuses({ customData = { list = { object } } }, "customData.list[1]")
      end
      request:cancel()
    end)

    local bad = { ["a lone byte"] = "\xff", ["a cut character"] = "a\xc3",
      ["a late byte"] = "\x80", ["a cut emoji"] = "\xf0\x9f",
      ["a long form"] = "\xc0\x80", ["a longer form"] = "\xe0\x80\x80",
      ["a surrogate"] = "\xed\xa0\x80", ["what is beyond Unicode"] = "\xf4\x90\x80\x80",
      ["five bytes"] = "\xf8\x88\x80\x80\x80", ["Latin-1"] = "caf\xe9" }
    for name, text in pairs(bad) do
      it("a string with " .. name .. ", which is not UTF-8", function()
        refuses({ customData = { list = { "fine", text } } }, "customData.list[2]")
        refuses({ s = "a" .. text .. "b" }, "s")
      end)

      it("a name with " .. name .. ", which is not UTF-8", function()
        refuses({ customData = { [text] = 1 } }, "customData")
      end)
    end

    it("with a path that cuts long names, but no character", function()
      for _, name in ipairs { "é", "€", "😀" } do
        refuses({ [("k"):rep(63) .. name] = print }, ("k"):rep(63))
        refuses({ [("k"):rep(64 - #name) .. name .. "k"] = print },
          ("k"):rep(64 - #name) .. name)
      end
    end)

    it("in words that leave a terminal alone", function()
      local _, words, err = echo { ["\27[31m\r\n\u{9b}1m"] = print }
      assert.equal("\27[31m\r\n\u{9b}1m", err.field)
      assert.is_nil(words:find("%c"))
      assert.is_nil(words:find("\u{9b}", 1, true))
    end)

    it("and the client goes on", function()
      refuses({ print }, "[1]")
      assert.same({ 1 }, (assert(echo { 1 })))
    end)
  end)

  describe("numbers of many digits", function()
    local numbers = { 2 ^ 53, 2 ^ 53 + 2, (1 << 53) + 1, -(1 << 53) - 1, math.maxinteger,
      math.mininteger, math.maxinteger - 1, 123456789012345, 1234567890123456, 0.1 + 0.2, 1 / 3,
      math.pi, -2 / 3, 1e15 + 0.3, 2 ^ 63, 2 ^ -1074, 1.7976931348623157e308, 1e14, 1e22, 1e23 }
    for _, number in ipairs(numbers) do
      it(("such as %s go out and come back as they are"):format(number), function()
        local text = text_of({ customData = { n = number } }):match '^{"customData":{"n":(.*)}}$'
        assert.is_true(tonumber(text) == number, text)
        local got = assert(read("[" .. text .. "]"))[1]
        assert.is_true(got == number, text)
      end)
    end
  end)

  describe("that comes in", function()
    local small = { ["4"] = 4, ["4.0"] = 4, ["-7"] = -7, ["0"] = 0, ["1e3"] = 1000,
      ["9007199254740991"] = 9007199254740991, ["-9007199254740991"] = -9007199254740991 }
    for text, number in pairs(small) do
      it("has the integer of " .. text, function()
        local reply = assert(read(('{"n":%s,"list":[%s]}'):format(text, text)))
        for _, got in ipairs { reply.n, reply.list[1] } do
          assert.equal("integer", math.type(got))
          assert.equal(number, got)
        end
      end)
    end

    local large = { ["9007199254740993"] = 9007199254740993, ["-9007199254740993"] =
      -9007199254740993, ["9223372036854775807"] = math.maxinteger,
      ["-9223372036854775808"] = math.mininteger, ["9223372036854775806"] =
      math.maxinteger - 1 }
    for text, number in pairs(large) do
      it("has the integer " .. text .. " as it is", function()
        local got = assert(read('{"n":' .. text .. "}")).n
        assert.equal("integer", math.type(got))
        assert.equal(number, got)
      end)
    end

    local floats = { ["0.1"] = 0.1, ["-0.25"] = -0.25, ["18446744073709551616"] = 2.0 ^ 64,
      ["-9223372036854775809"] = -2.0 ^ 63, ["1e300"] = 1e300 }
    for text, number in pairs(floats) do
      it("has the float of " .. text, function()
        local got = assert(read('{"n":' .. text .. "}")).n
        assert.equal("float", math.type(got))
        assert.equal(number, got)
      end)
    end

    it("is no JSON with what no number is, or anything behind it", function()
      for _, text in ipairs { "1e400", "-1e400", "1 2", "{} {}", "[]\0", "[],", "[1,]", "[1 2]",
        '{"a":1,}', '{"a" 1}', "{a:1}", "01", "1.", ".5", "1e", "-", "tru", '"a', '"\1"',
        [["\x"]], [["\u12"]], "\239\187\191[]" } do
        local result, message, err = read(text)
        assert.is_nil(result, text)
        assert.equal("decode", err.kind, text)
        assert.matches("unexpected reply: expected .* at byte %d+", message)
      end
    end)

    it("keeps the sign of -0", function()
      for _, text in ipairs { "-0", "-0.0" } do
        assert.equal(-math.huge, 1 / assert(read('{"n":' .. text .. "}")).n)
      end
    end)

    local texts = { NUL = [["a\u0000b"]], ["an escaped emoji"] = [["\ud83d\ude00"]],
      ["an emoji"] = '"😀"', ["a lone high surrogate"] = [["\ud83d"]],
      ["a high surrogate before a letter"] = [["\ud83da"]],
      ["a lone low surrogate"] = [["\ude00"]], ["swapped surrogates"] = [["\ude00\ud83d"]],
      ["bad UTF-8"] = '"\xff\xfe"', ["half a character"] = '"\xc3"',
      ["a surrogate in UTF-8"] = '"\xed\xa0\x80"' }
    for name, text in pairs(texts) do
      it("has strings with " .. name .. " as lua-cjson reads them, or with U+FFFD", function()
        local readable, expected = pcall(cjson.decode, "[" .. text .. "]")
        local got = assert(read("[" .. text .. "]"))[1]
        if readable then
          assert.is_true(got == expected[1])
        else
          assert.is_truthy(got:find("\u{FFFD}", 1, true))
          assert.is_truthy(utf8.len(got))
        end
      end)
    end

    it("has a history of which one text has half an emoji", function()
      local list = {}
      for i = 1, 200 do list[i] = ('{"id":"m%d","message":"a"}'):format(i) end
      list[100] = [[{"id":"m100","message":"\ud83d"}]]
      local got = assert(read("[" .. table.concat(list, ",") .. "]"))
      assert.equal(200, #got)
      assert.equal("\u{FFFD}", got[100].message)
    end)

    for _, text in ipairs { "NaN", "-NaN", "Infinity", "-Infinity", "0x10", "01", "+1", "nul",
      "'a'", "undefined" } do
      it("is no JSON with " .. text, function()
        local result, _, err = read('{"n":' .. text .. "}")
        assert.is_nil(result)
        assert.equal("decode", err.kind)
      end)
    end

    it("is read to a depth of 100", function()
      for opening, closing in pairs { ["["] = "]", ['{"a":'] = "}" } do
        local last = opening == "[" and "[]" or "{}"
        assert(read(opening:rep(99) .. last .. closing:rep(99)))
        for _, depth in ipairs { 101, 700 } do
          local result, _, err = read(opening:rep(depth - 1) .. last .. closing:rep(depth - 1))
          assert.is_nil(result)
          assert.equal("decode", err.kind)
        end
      end
    end)
  end)

  describe("with a host that changes lua-cjson's settings", function()
    local host = require "cjson"
    local changes = { encode_max_depth = { 1 }, decode_max_depth = { 1 },
      encode_number_precision = { 3 }, encode_invalid_numbers = { true },
      decode_invalid_numbers = { true }, encode_sparse_array = { true, 1, 1 },
      encode_keep_buffer = { false } }
    local before = {}

    before_each(function()
      for name, values in pairs(changes) do
        before[name] = table.pack(host[name]())
        host[name](table.unpack(values))
      end
    end)

    after_each(function()
      for name, values in pairs(before) do host[name](table.unpack(values, 1, values.n)) end
    end)

    it("ours stay as they are", function()
      local body = { n = 123456.789, deep = { { { 1 } } } }
      assert.same(body, (assert(echo(body))))
      refuses({ list = { [1000] = 1 } }, "list")
      refuses({ n = 0 / 0 }, "n")
      local result, _, err = read('{"n":NaN}')
      assert.is_nil(result)
      assert.equal("decode", err.kind)
    end)
  end)

  describe("of a list that the API takes", function()
    local conversation

    before_each(function() conversation = client:conversation "c" end)

    it("is [] when it is empty", function()
      assert(conversation:send { message = "Hello", files = {} })
      local requests = peer:requests()
      assert.is_truthy(requests[#requests].body:find('"files":[]', 1, true))
    end)

    it("has no names", function()
      local _, _, err = conversation:send { message = "Hello", files = { name = "a.png" } }
      assert.equal("invalid", err.kind)
      assert.equal("files", err.field)
    end)
  end)

  it("understands the marks for arrays of the lua-cjson that is loaded, and needs none", function()
    local output = run("lua5.4 -", { RAIA_LOG = false }, ([[
      package.preload.cjson = function() error "raia has loaded lua-cjson" end
      local raia = require "raia"
      local client = raia.client { secret_key = "k", base_url = %q }
      local function echo(body)
        local reply = assert(client:request("POST", "/echo", { body = { a = body } }))
        return getmetatable(reply.a) == getmetatable(raia.array {})
      end
      local marked = setmetatable({}, { __index = error, __len = error, __pairs = error })
      print(echo(marked))
      package.loaded.cjson = { empty_array_mt = getmetatable(marked) }
      print(echo(marked), echo {}, echo(raia.array {}))
      package.loaded.cjson = { array_mt = getmetatable(marked) }
      print(echo(marked))
      print(pcall(raia.array, marked))]]):format(peer.base_url))
    assert.equal("false\ntrue\tfalse\ttrue\ntrue\n"
      .. "false\tbad argument #1 to 'array' (the table has a metatable already)\n",
      (output:gsub("bad argument #1 to '?[^']*'", "bad argument #1 to 'array'")))
  end)

  it("leaves the host's settings of lua-cjson as they are", function()
    local output = run("lua5.4 -", { RAIA_LOG = false }, ([[
      local cjson = require "cjson"
      local names = { "encode_max_depth", "decode_max_depth", "encode_number_precision",
        "encode_invalid_numbers", "decode_invalid_numbers", "encode_sparse_array",
        "encode_keep_buffer" }
      local function settings()
        local words = {}
        for _, name in ipairs(names) do
          for _, value in ipairs { cjson[name]() } do words[#words + 1] = tostring(value) end
        end
        return table.concat(words, " ")
      end
      local before = settings()
      local client = require "raia".client { secret_key = "k", base_url = %q }
      assert(client:request("POST", "/echo", { body = { { 1 }, 0.5 } }))
      print(before == settings() and #before > 20, require "cjson" == cjson)]]):format(
        peer.base_url))
    assert.equal("true\ttrue\n", output)
  end)
end)
