-- Proxies with user and password: a malformed URL raises at once, and neither is ever shown.
local raia = require "raia"
local calls = require "spec.support.calls"
local run = require("spec.support.run").run
local server = require "spec.support.server"
local connect = require "spec.support.client" ()

local USER, PASSWORD = "Ud4r", "Pw7!Zx2Wv9"
local LOGIN = USER .. ":" .. PASSWORD
local ELSEWHERE = "https://raia.invalid"

local function hides(text)
  for _, piece in ipairs { USER, PASSWORD, "Pw7", "Zx2W", "v9@", "VWQ0cjpQdzch" } do
    assert.is_nil(text:find(piece, 1, true), text)
  end
end

-- What is wrong with them, and what the message says of it.
local MALFORMED = {
  ["a CR at its end"] = { "http://" .. LOGIN .. "@proxy.invalid:3128\r", "line end" },
  ["a line end"] = { "http://" .. LOGIN .. "@proxy.invalid:3128\n", "line end" },
  ["a space in its password"] = { "http://" .. LOGIN .. " x@proxy.invalid:3128", "space" },
  ["a space before it"] = { " http://" .. LOGIN .. "@proxy.invalid:3128", "space" },
  ["an @ in its password"] = { "http://" .. LOGIN .. "@x@proxy.invalid:3128", "%40" },
  ["a # in its password"] = { "http://" .. LOGIN .. "#x@proxy.invalid:3128", "%23" },
  ["a # behind digits"] = { "http://" .. USER .. ":12#x@proxy.invalid:3128", "%23" },
  ["a / in its password"] = { "http://" .. LOGIN .. "/x@proxy.invalid:3128", "%2F" },
  ["a / behind digits"] = { "http://" .. USER .. ":12/x@proxy.invalid", "%2F" },
  ["a ? in its password"] = { LOGIN .. "?x@proxy.invalid:3128", "%3F" },
  ["a \\ in its password"] = { "http://" .. LOGIN .. "\\x@proxy.invalid:3128", "%5C" },
  ["a port of letters"] = { "http://" .. LOGIN .. "@proxy.invalid:port", "port" },
  ["a port that is too great"] = { "http://" .. LOGIN .. "@proxy.invalid:65536", "port" },
  ["no host"] = { "http://" .. LOGIN .. "@", "" },
  ["no host but a port"] = { "http://" .. LOGIN .. "@:3128", "" },
  ["nothing but a login"] = { LOGIN, "" },
  ["another scheme"] = { "ftp://" .. LOGIN .. "@proxy.invalid:3128", "scheme" },
  ["a scheme that is none"] = { "htp://" .. LOGIN .. "@proxy.invalid:3128", "scheme" },
  ["a scheme with one slash"] = { "http:/" .. LOGIN .. "@proxy.invalid:3128", "%2F" },
  ["a path"] = { "http://" .. LOGIN .. "@proxy.invalid:3128/" .. PASSWORD, "path" },
  ["a query"] = { "http://" .. LOGIN .. "@proxy.invalid:3128?" .. PASSWORD, "query" },
  ["a fragment"] = { "http://" .. LOGIN .. "@proxy.invalid:3128#" .. PASSWORD, "fragment" },
  ["an escaped CR in its password"] = { "http://" .. LOGIN .. "%0d@proxy.invalid:3128",
    "control character" },
  ["a host that cannot be one"] = { "http://" .. LOGIN .. "@pro<xy.invalid:3128", "" },
}

local NONE = { http_proxy = false, HTTP_PROXY = false, https_proxy = false, HTTPS_PROXY = false,
  all_proxy = false, ALL_PROXY = false, no_proxy = false, NO_PROXY = false }

-- What a program writes that makes a client and a call, with a proxy in this variable.
local function output_with(variable, proxy, base_url, more)
  local environment = { RAIA_LOG = "debug", RAIA_AGENT_SECRET_KEY = "a-marked-key",
    RAIA_BASE_URL = base_url }
  for name, value in pairs(NONE) do environment[name] = value end
  environment[variable] = proxy
  return run("lua5.4 -", environment, ([[
    local raia = require "raia"
    local ok, client = xpcall(raia.client, debug.traceback, { max_retries = 0, timeout = 5,
      allow_insecure = true, on_event = function(event)
        for name, value in pairs(event) do print(name, value) end
      end, %s })
    print(ok, client)
    if not ok then return end
    local result, message, err = client:request("GET", "/x")
    print(result, message)
    for name, value in pairs(err or {}) do print(name, value) end]]):format(more or ""))
end

describe("a proxy whose URL has", function()
  for name, case in pairs(MALFORMED) do
    it(name .. " raises in raia.client, and is not shown", function()
      local ok, message = xpcall(raia.client, debug.traceback, { secret_key = "a-marked-key",
        base_url = ELSEWHERE, proxy = case[1], max_retries = 0 })
      if ok then -- what would it have shown?
        for _, call in pairs(calls) do hides((select(2, call(message)))) end
      end
      assert.is_false(ok)
      assert.is_truthy(message:find("raia.client: the proxy ", 1, true), message)
      assert.is_truthy(message:find(case[2], 1, true), message)
      hides(message)
    end)
  end

  it("something that is wrong raises, in whichever variable of the environment it is", function()
    for name, case in pairs(MALFORMED) do
      local output = output_with("HTTPS_PROXY", case[1], ELSEWHERE)
      hides(output)
      assert.is_truthy(output:find("raia.client: the HTTPS_PROXY ", 1, true), name .. output)
    end
    for _, variable in ipairs { "https_proxy", "all_proxy", "ALL_PROXY" } do
      local output = output_with(variable, MALFORMED["a path"][1], ELSEWHERE)
      hides(output)
      assert.is_truthy(output:find("raia.client: the " .. variable .. " ", 1, true), output)
    end
    local output = output_with("http_proxy", MALFORMED["a path"][1], "http://raia.invalid")
    hides(output)
    assert.is_truthy(output:find("raia.client: the http_proxy ", 1, true), output)
  end)

  it("something that is wrong does not matter where it is not used", function()
    local bad = MALFORMED["a path"][1]
    for _, case in ipairs { { "HTTPS_PROXY", ELSEWHERE, "proxy = ''" },
      { "HTTPS_PROXY", "http://raia.invalid", "proxy = ''" },
      { "HTTP_PROXY", "http://raia.invalid", "connect_timeout = 5" },
      { "http_proxy", ELSEWHERE, "connect_timeout = 5" },
      { "ALL_PROXY", "http://127.0.0.1:" .. server.dead_port(), "connect_timeout = 5" } } do
      local output = output_with(case[1], bad, case[2], case[3])
      hides(output)
      assert.is_truthy(output:find("kind\tconnection", 1, true), output)
    end
  end)

  it("nothing wrong is taken", function()
    for _, url in ipairs { "http://proxy.invalid", "proxy.invalid:3128", "http://proxy.invalid/",
      "http://" .. LOGIN .. "@proxy.invalid:3128", LOGIN .. "@proxy.invalid:3128",
      "HTTP://" .. USER .. "@proxy.invalid", "http://u:p%40ss%2F%23@proxy.invalid:3128/",
      "socks5://" .. LOGIN .. "@proxy.invalid:1080", "socks5h://proxy.invalid",
      "socks4://proxy.invalid", "socks4a://proxy.invalid", "http://[::1]:3128", "10.0.0.1:3128",
      "https://" .. LOGIN .. "@proxy.invalid:443" } do
      local client <close> = connect(ELSEWHERE, { proxy = url })
      assert.is_userdata(client)
    end
  end)

  it("a user and a password shows neither, whatever comes of the call", function()
    local answers = {
      [[connection:reply(407, "{}", { ["Proxy-Authenticate"] = "Basic realm=x" })]],
      [[connection:reply(407, LOGIN, { ["X-Echo"] = LOGIN, ["X-More"] = "Basic " .. BASIC })]],
      [[connection:send("HTTP/1.1 200 " .. LOGIN .. "\r\n\r\n" .. LOGIN)]],
      [[connection:send(LOGIN .. "\r\n\r\n")]], "",
    }
    for _, answer in ipairs(answers) do
      local peer <close> = server.start([[
        local connection = ...
        local BASIC = connection:head().headers["proxy-authorization"]:match "Basic (.*)"
        local LOGIN = "Ud4r:Pw7!Zx2Wv9" ]] .. answer)
      local output = output_with("HTTPS_PROXY",
        ("http://%s@127.0.0.1:%d"):format(LOGIN, peer.port), ELSEWHERE)
      hides(output)
      assert.is_truthy(output:find("sent\tno", 1, true), output)
      assert.is_truthy(output:find("CONNECT raia.invalid:443", 1, true), output)
    end
    for _, url in ipairs { "http://%s@proxy.invalid:3128", "socks5://%s@127.0.0.1:1",
      "http://%s@127.0.0.1:1" } do
      local output = output_with("ALL_PROXY", url:format(LOGIN), ELSEWHERE)
      hides(output)
      assert.is_truthy(output:find("kind\tconnection", 1, true), output)
    end
  end)

  it("a user of one letter does not show it in libcurl's account", function()
    local peer <close> = server.start "local connection = ...; connection:head()"
    local output = output_with("HTTPS_PROXY", "http://j:q@127.0.0.1:" .. peer.port, ELSEWHERE)
    assert.is_nil(output:find("'j'", 1, true), output)
    assert.is_nil(output:find("ajpx", 1, true), output)
  end)

  it("been changed in the environment since is not used: the first is", function()
    local peer <close> = server.start "local connection = ...; connection:head()"
    local environment = { RAIA_AGENT_SECRET_KEY = "a-marked-key", RAIA_BASE_URL = ELSEWHERE }
    for name, value in pairs(NONE) do environment[name] = value end
    environment.HTTPS_PROXY = "http://127.0.0.1:" .. peer.port
    local source = os.tmpname()
    finally(function() os.remove(source) os.remove(source .. ".so") end)
    local file <close> = assert(io.open(source, "w"))
    file:write [[
      #include <stdlib.h>
      int luaopen_changed(void *L) {
        (void)L;
        setenv("HTTPS_PROXY", "http://Ud4r:Pw7!Zx2Wv9@proxy.invalid:no-port", 1);
        return 0;
      }]]
    file:flush()
    local made, status = run(("cc -shared -fPIC -x c -o %s.so %s"):format(source, source),
      { LD_PRELOAD = false })
    assert.equal(0, status, made)
    local output = run("lua5.4 -", environment, ([[
      local client = require "raia".client { max_retries = 0, timeout = 5 }
      package.loadlib(%q, "luaopen_changed")()
      print(client:request("GET", "/x"))]]):format(source .. ".so"))
    hides(output)
    assert.equal("CONNECT", peer:partials()[1].method)
  end)
end)
