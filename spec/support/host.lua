-- Builds spec/c/host.c and runs Lua code in it; see there what it offers.
-- The environment variable HOST_CFLAGS is for make tsan.
local support = require "spec.support.run"

local quote = support.quote
local directory

-- Compiles what is in spec/c into a directory of its own.
local function build()
  directory = support.run("mktemp -d"):match "%S+"
  local flags = "-D_GNU_SOURCE -O1 -g " .. (os.getenv "HOST_CFLAGS" or "")
  local commands = {
    "cc %s $(pkg-config --cflags lua5.4) spec/c/host.c -o %s/host -rdynamic "
      .. "$(pkg-config --libs lua5.4) -lpthread",
    "cc %s $(pkg-config --cflags lua5.4 libcurl) -shared -fPIC spec/c/host_curl.c "
      .. "-o %s/host_curl.so $(pkg-config --libs libcurl)",
    "cc %s -shared -fPIC spec/c/slow_resolver.c -o %s/slow_resolver.so",
  }
  for _, command in ipairs(commands) do
    local output, status = support.run(command:format(flags, quote(directory)),
      { LD_PRELOAD = false })
    assert(status == 0, output)
  end
  return directory
end

local function remove()
  os.execute("rm -rf " .. quote(directory))
end

local prelude = [[
  local raia = require "raia"
  local function connect(options)
    options = options or {}
    options.base_url = options.base_url or os.getenv "URL"
    options.secret_key, options.ca_file = "key", os.getenv "CA"
    return raia.client(options)
  end
  local function post(client, path, options)
    return client:request("POST", path, { body = { text = "text" } }, options)
  end
  local function child(fn, close)
    local pid = host.fork()
    if pid > 0 then return pid end
    local good, err = xpcall(fn, debug.traceback)
    if not good then
      io.stderr:write("in the child: ", tostring(err), "\n")
      host.quit(1)
    end
    os.exit(0, close)
  end
  local function wait_until_seen(path)
    local observer <close> = connect()
    while not assert(observer:request("GET", "/seen" .. path)).seen do raia.sleep(0.01) end
  end
]]

-- Runs the code, with the helpers above it, in a host. Gives what it wrote and its status.
local function run(code, environment)
  local before = package.cpath
  package.cpath = directory .. "/?.so;" .. before
  local output, status = support.run("exec " .. quote(directory .. "/host"), environment,
    prelude:gsub("%s*\n%s*", " ") .. code)
  package.cpath = before
  return output, status
end

return { build = build, remove = remove, run = run, prelude = prelude,
  directory = function() return directory end }
