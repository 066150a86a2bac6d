-- Memory that runs out: the n-th allocation of Lua, of libcurl and of raia fails, in turn, and
-- nothing leaks, hangs, crashes or claims what is not so. Each n is tried by `make memory`; else
-- a few, as far from each other as makes so many runs.
local certificates = require "spec.support.certificates"
local server = require "spec.support.server"
local support = require "spec.support.run"

local runs = os.getenv("RAIA_MEMORY") == "all" and 0 or 6 -- of a scenario and a kind of failure

local script = [==[
  local connection = ...
  seen = seen or {}
  local request = connection:request()
  while request do
    local method, path, body = request.method, request.path, request.body
    local id = path:match("/conversations/([^/]+)")
    local text = body:match('"message":"([^"]*)"') or body:match('"smsIntroduction":"([^"]*)"')
      or body:match('"conversationUserId":"([^"]*)"')
    if path:find "/conversations%?" then
      local number = tonumber(path:match "page=(%d+)") or 1
      connection:reply(200, ('{"currentPage":%d,"hasNextPage":%s,"data":[{"id":"%s-%d"}]}'):format(
        number, number < 2, path:match "userId=([^&]*)", number))
    elseif path:find "/users/search" then
      connection:reply(200, '{"user":{"id":"' .. path:match "fkId=([^&]*)"
        .. '"},"conversationIds":["c-1"]}')
    elseif path:find "/async$" then connection:reply(201, { id = text, message = text })
    elseif path:find "/response%-on$" then
      connection:reply(200, { status = "completed", message = { id = path:match "messages/([^/]+)",
        message = "yes" } })
    elseif path:find "/upload%-url$" then
      connection:reply(200, { storagePath = "s", signedUrl = "http://" .. request.headers.host
        .. "/bucket/" .. id .. "?a=%2F" })
    elseif path:find "^/bucket/" then connection:reply(200, "")
    elseif path:find "/agent%-files/upload" then connection:reply(200, { id = "f" })
    elseif id == "broken" then
      return connection:send("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{")
    elseif id == "refused" then
      connection:reply(401, '{"message":"INVALID_CREDENTIALS","details":{"a":[[1]]}}')
    elseif id == "stray" then
      -- What is behind a reply that is not read at once stays in the socket.
      local body = '{"id":"stray"}' .. (" "):rep(40000)
      connection:send(("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s\r\n"):format(#body, body))
    elseif id == "limited" then connection:reply(429, {}, { ["Retry-After"] = 9 })
    elseif id == "text" then connection:reply(200, "no JSON")
    elseif id == "large" then connection:reply(200, ("x"):rep(100000))
    elseif id == "later" and not seen[text] then
      seen[text] = true
      connection:reply(429)
    elseif path:find "^/deep/" then
      connection:reply(200, '{"deep":' .. ("["):rep(60) .. ("]"):rep(60) .. ',"tag":"'
        .. path:match "[^/]+$" .. '"}')
    elseif id == "start" then connection:reply(200, { conversationId = text })
    elseif path:find("messages$") and method == "GET" then
      connection:reply(200, '{"messages":[{"id":"m1","message":"' .. id
        .. '"},{"id":"m2","message":null}]}')
    elseif path:find("messages$") then connection:reply(200, { id = "m", message = text })
    elseif method == "POST" then
      connection:reply(200, '{"customData":{"a":[[[{"b":[[{"c":null}]]}]]]},"id":"'
        .. text .. '"}')
    elseif method == "GET" then connection:reply(200, { id = id })
    elseif method == "DELETE" then connection:reply(204)
    else connection:reply(200, '{"body":' .. body .. '}') end
    request = connection:request()
  end
]==]

local scenarios = { "load", "client", "start", "create", "get", "messages", "send", "delete",
  "request", "deep", "http", "invalid", "refused", "broken", "decode", "large", "again", "tasks",
  "queue", "cold", "kept", "held", "scope", "spawn", "spare",
  "page", "find", "ask", "upload", "form", "info",
  "log", "event", "close", "collect", "leave" }

-- Whose allocations fail, and how many in a row, 0: all from there on. Lua tries each again.
local kinds = {
  { "lua", 0 }, { "lua", 1 }, { "lua", 2 }, { "curl", 0 }, { "curl", 1 }, { "raia", 0 },
  { "raia", 1 },
}

-- libcurl 7.88 frees a host's name twice that it could not store with a TLS session.
local function is_libcurls_fault(name, kind, width)
  local minor = support.run("pkg-config --modversion libcurl"):match "^7%.(%d+)"
  return minor ~= nil and name == "cold" and kind == "curl" and width == 1
end

describe("memory that runs out", function()
  local host, fault_server, secure_server, certificate

  lazy_setup(function()
    local output, status = support.run("make -s memory_host", { LD_PRELOAD = false })
    assert.equal(0, status, output)
    host = output:match("([^\n]+)\n$")
    certificate = certificates()
    fault_server = server.start(script)
    secure_server = server.start(script, { tls = certificate.good })
  end)

  lazy_teardown(function()
    fault_server:close()
    secure_server:close()
    certificate.remove()
  end)

  -- Starts the runs of a scenario. Gives what waits for them, adds the requests that were answered
  -- to `answered`, and gives all else that they wrote, which is about problems.
  local function start(name, kind, width, answered)
    local command = ([[LUA_CPATH_5_4="%s/?.so;$LUA_CPATH_5_4" exec %s/host]]):format(host, host)
    local words = { command, "spec/support/memory.lua", kind, width, runs, name, kind,
      fault_server.base_url, ("tag-%s-%s-%d"):format(name, kind, width), secure_server.base_url,
      certificate.ca }
    local finish = support.start(table.concat(words, " "),
      { LD_PRELOAD = false, RAIA_LOG = name == "log" and "debug" })
    return function()
      local output, status = finish()
      local problems, last = {}, nil
      for line in output:gmatch("[^\n]+") do
        local done = line:match("^done (.*)")
        if done then
          answered[#answered + 1] = done
        elseif line:find("^n = ") then
          last = line
        elseif line:find(" allocations, ", 1, true) then
          if runs == 0 then
            print(("%s: %s of %s's %s"):format(name, width == 0 and "all" or width, kind, line))
          end
        elseif not line:find("^raia: ") then
          problems[#problems + 1] = line
        end
      end
      if status ~= 0 then
        problems[#problems + 1] = ("%s, %d of %s's, ended with %d at %s"):format(name, width, kind,
          status, last)
      end
      return table.concat(problems, "\n")
    end
  end

  -- How often each request of a scenario was delivered, and how often as a POST.
  local function deliveries(name)
    local all, posts = {}, {}
    for _, from in ipairs { fault_server, secure_server } do
      for _, request in ipairs(from:requests()) do
        local tag = (request.path .. request.body):match("tag%-" .. name .. "%-[%w-]+")
        if tag then
          all[tag] = (all[tag] or 0) + 1
          posts[tag] = (posts[tag] or 0) + (request.method == "POST" and 1 or 0)
        end
      end
    end
    return all, posts
  end

  for _, name in ipairs(scenarios) do
    it("in " .. name, function()
      local answered, finish = {}, {}
      for i, kind in ipairs(kinds) do
        finish[i] = is_libcurls_fault(name, kind[1], kind[2]) and function() return "" end
          or start(name, kind[1], kind[2], answered)
        if name ~= "again" then -- which waits for its second attempts: all of them at once
          assert.equal("", finish[i]())
        end
      end
      for i = 1, name == "again" and #kinds or 0 do assert.equal("", finish[i]()) end
      local all, posts = deliveries(name)
      for _, tag in ipairs(answered) do assert.is_truthy(all[tag], tag) end
      for tag, count in pairs(posts) do -- in "again" the first is refused by a 429
        local most = name == "again" and not tag:find("-good", 1, true) and 2 or 1
        assert.is_true(count <= most, tag)
      end
    end)
  end
end)
