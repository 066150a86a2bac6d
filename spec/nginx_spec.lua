-- A real nginx closes HTTP/2 connections after a number of requests and when it reloads: every
-- message arrives exactly once.
local raia = require "raia"
local certificates = require "spec.support.certificates"
local server = require "spec.support.server"
local support = require "spec.support.run"
local connect = require "spec.support.client" ()

local CONFIGURATION = [[
daemon off;
worker_processes 1;
pid %s/nginx.pid;
error_log %s/error.log;
events { worker_connections 256; }
http {
  access_log off;
  keepalive_requests 10;
  client_body_temp_path %s/body;
  proxy_temp_path %s/proxy;
  fastcgi_temp_path %s/fastcgi;
  uwsgi_temp_path %s/uwsgi;
  scgi_temp_path %s/scgi;
  server {
    listen 127.0.0.1:%d ssl http2;
    ssl_certificate %s;
    ssl_certificate_key %s;
    location / { proxy_pass http://127.0.0.1:%d; }
  }
}
]]

describe("behind nginx, over HTTP/2,", function()
  local made, upstream, directory, nginx, port, client

  setup(function()
    made = certificates()
    upstream = server.start [[
      local connection = ...
      local request = connection:request()
      while request do
        connection:sleep(0.01)
        connection:reply(201, '{"id":"m","message":"own"}')
        request = connection:request()
      end
    ]]
    directory, port = os.tmpname() .. ".d", server.free_port()
    os.remove((directory:gsub("%.d$", "")))
    assert(os.execute("mkdir " .. directory))
    local text = CONFIGURATION:gsub("%%s/", function() return directory .. "/" end)
    local file <close> = assert(io.open(directory .. "/nginx.conf", "w"))
    file:write(text:format(port, made.good.cert, made.good.key, upstream.port))
    file:flush()
    nginx = assert(io.popen(("env -u LD_PRELOAD nginx -p %s -c %s/nginx.conf 2>&1; echo ended")
      :format(directory, directory)))
    client = connect("https://localhost:" .. port, { ca_file = made.ca, timeout = 20,
      max_retries = 5 })
    assert(client:request("GET", "/first")) -- once it listens
  end)

  teardown(function()
    client:close()
    support.run("kill $(cat " .. directory .. "/nginx.pid)")
    nginx:close()
    support.run("rm -r " .. directory)
    upstream:close()
    made.remove()
  end)

  -- Sends so many messages, `at_once` at a time; fails unless each is answered and was delivered.
  local function send(count, at_once, meanwhile)
    local before, list = #upstream:requests(), {}
    for i = 1, count do list[i] = "message " .. i end
    local conversation = client:conversation("a")
    assert(raia.map(list, function(text, i)
      if meanwhile and i % 20 == 0 then meanwhile() end
      return conversation:send(text)
    end, { concurrency = at_once }))
    local times = {}
    local requests = upstream:requests()
    for i = before + 1, #requests do
      local text = requests[i].body:match '"message":"(.-)"'
      times[text] = (times[text] or 0) + 1
    end
    for _, text in ipairs(list) do assert.equal(1, times[text], text) end
  end

  it("each message arrives once though a connection takes ten: one at a time", function()
    send(50, 1)
  end)

  it("each message arrives once though a connection takes ten: many at a time", function()
    send(200, 16)
  end)

  it("each message arrives once though it reloads meanwhile", function()
    send(100, 8, function() support.run("kill -HUP $(cat " .. directory .. "/nginx.pid)") end)
  end)
end)
