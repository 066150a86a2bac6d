-- After a client is closed, no copy of the key made by raia is left in memory. Requests that
-- libcurl (over HTTP/2, nghttp2) has freed or keeps are not wiped.
local certificates = require "spec.support.certificates"
local server = require "spec.support.server"
local quote = require "spec.support.run".quote

local KEY = "Vq3mTz8wLr5kXs2nBd7pHf4jYc9gQe6uMarkedAsRaiasOwn"
local MARK = KEY:sub(17) -- what is freed loses its first bytes to the allocator
local HUGE = 2 ^ 28 -- as what a sanitizer keeps its own records in

-- Says "open" and "closed", and waits each time until `path` is gone. It does not hold the key
-- itself: raia takes it from the environment, which is on the stack.
local PROGRAM = [[
  local raia = require "raia"
  local function say(word, path)
    print(word)
    io.stdout:flush()
    while io.open(path) do raia.sleep(0.02) end
  end
  print((io.open("/proc/self/stat"):read("n")))
  local client = raia.client { timeout = 20, max_retries = 0, ca_file = os.getenv "CA_FILE" }
  local headers = { headers = { ["X-More"] = "more" } }
  local conversation = client:conversation("c")
  for _ = 1, 3 do
    conversation:send("Hello", headers)
    client.conversations:get("missing")
  end
  local request = conversation:messages { wait = false }
  say("open", arg[1])
  conversation, request = nil
  client:close()
  client = nil
  collectgarbage()
  collectgarbage()
  say("closed", arg[2])
]]

-- The bytes of a region, page by page: it may have shrunk meanwhile.
local function read_region(pid, from, size)
  local memory <close> = assert(io.open(("/proc/%d/mem"):format(pid), "rb"))
  local pages = {}
  memory:setvbuf("no")
  for offset = 0, size - 1, 4096 do
    pages[#pages + 1] = memory:seek("set", from + offset) and memory:read(4096)
  end
  return table.concat(pages)
end

-- What follows the mark wherever it is in the memory of a process, but for its environment: that
-- is on its stack, and a sanitizer has a copy.
local function find_key(pid)
  local found = {}
  for line in io.lines(("/proc/%d/maps"):format(pid)) do
    local from, to, name = line:match("^(%x+)%-(%x+) rw%S* %S+ %S+ %d+%s*(.*)$")
    local size = from and tonumber(to, 16) - tonumber(from, 16) or HUGE
    if size < HUGE and name ~= "[stack]" then
      local bytes = read_region(pid, tonumber(from, 16), size)
      local _, at = bytes:find(MARK, 1, true)
      while at do
        if bytes:sub(at - #KEY, at) ~= "=" .. KEY then
          found[#found + 1] = bytes:sub(at + 1, at + 2)
        end
        _, at = bytes:find(MARK, at, true)
      end
    end
  end
  return found
end

-- What is found while the client is open, and once it is closed.
local function run(environment)
  local words = { "exec env" }
  environment.RAIA_AGENT_SECRET_KEY = KEY
  environment.LUA_PATH_5_4, environment.LUA_CPATH_5_4 = package.path, package.cpath
  for name, value in pairs(environment) do words[#words + 1] = quote(name .. "=" .. value) end
  local paths = { os.tmpname(), os.tmpname(), os.tmpname() }
  local file <close> = assert(io.open(paths[3], "w"))
  file:write(PROGRAM)
  file:flush()
  words[#words + 1] = ("lua5.4 %s %s %s"):format(paths[3], paths[1], paths[2])
  local process <close> = assert(io.popen(table.concat(words, " "), "r"))
  local pid = process:read("n", "l")
  local results = {}
  for i, word in ipairs { "open", "closed" } do
    assert.equal(word, process:read("l"))
    results[i] = find_key(pid)
    os.remove(paths[i])
  end
  os.remove(paths[3])
  return table.unpack(results)
end

describe("raia's copies of the key are wiped as the client is closed:", function()
  local made
  setup(function() made = certificates() end)
  teardown(function() made.remove() end)

  -- A line of a request's text ends in CR and LF, a string of raia's in NUL.
  local function check(environment)
    local open, closed = run(environment)
    local function count(found)
      local own = 0
      for _, bytes in ipairs(found) do own = own + (bytes ~= "\r\n" and 1 or 0) end
      return own
    end
    assert.is_true(count(open) >= 2, "they are not even found while the client is open")
    assert.equal(0, count(closed))
    return closed
  end

  local script = [[
    local connection = ...
    while connection:request() do connection:reply(200, '{"id":"m","message":"hello"}') end
  ]]

  it("after calls over HTTP/1.1", function()
    local peer <close> = server.start(script)
    check { RAIA_BASE_URL = peer.base_url }
    assert.is_true(#peer:requests() >= 6)
  end)

  it("after calls over TLS", function()
    local peer <close> = server.start(script, { tls = made.good })
    check { RAIA_BASE_URL = peer.base_url, CA_FILE = made.ca }
    assert.is_true(#peer:requests() >= 6)
  end)

  it("after calls that found nobody; then there are no others", function()
    assert.same({}, check { RAIA_BASE_URL = "http://127.0.0.1:" .. server.dead_port() })
  end)
end)
