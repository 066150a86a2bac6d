-- Files: uploads and downloads by signed URLs and by a form; what they leave behind, send and tell
-- when something goes wrong.
local cjson = require "cjson"
local raia = require "raia"
local fails = require "spec.support.failure"
local run = require "spec.support.run".run
local server = require "spec.support.server"
local clients = require "spec.support.client"
local KEY = "key-of-the-agent-1815"
local connect = clients { secret_key = KEY, max_retries = 2 }

-- The service, which gives signed URLs of `storage`, below `path`.
local function service(storage, path)
  local url = storage .. (path or "/bucket/a%20file?X-Signature=abc%2F%3D")
  return server.start(([[
    local connection = ...
    local request = connection:request()
    while request do
      connection:reply(200, %q)
      request = connection:request()
    end]]):format(cjson.encode { signedUrl = url, storagePath = "s/1", fileId = "f" }))
end

-- Answers each request with a status and, of a download, these bytes.
local function storage_with(status, body, headers)
  return server.start(([[
    local connection = ...
    while connection:request() do connection:reply(%d, %q, %s) end]]):format(status, body or "",
    headers or "nil"))
end

local function with_file(text, fn)
  local path = os.tmpname()
  local file = assert(io.open(path, "wb"))
  file:write(text)
  file:close()
  local ok, problem = pcall(fn, path)
  os.remove(path)
  assert(ok, problem)
end

local function read_file(path)
  local file <close> = assert(io.open(path, "rb"))
  return file:read "a"
end

local function left_beside(path) return (run("ls " .. path .. "* 2>/dev/null")) end

local WORDS = ("words\0\r\n and more "):rep(5000)
local ways = { ["in a plain script"] = function(fn) return fn() end, ["in a task"] = raia.run }

for way, go in pairs(ways) do
  describe("an upload by a signed URL, " .. way, function()
    for _, from in ipairs { "path", "bytes" } do
      it("sends the bytes with their type, and neither key nor headers: from " .. from, function()
        local storage <close> = storage_with(200)
        local peer <close> = service(storage.base_url)
        local client <close> = connect(peer, { headers = { ["X-Team"] = "ops" } })
        with_file(WORDS, function(path)
          local reference = assert(go(function()
            return client:conversation "c-1":upload {
              [from] = from == "path" and path or WORDS, name = "a b.pdf" }
          end))
          assert.same({ fileName = "a b.pdf", storagePath = "s/1" }, reference)
        end)
        local asked = cjson.decode(peer:requests()[1].body)
        assert.same({ fileName = "a b.pdf", contentType = "application/pdf" }, asked)
        local request = storage:requests()[1]
        assert.equal("PUT", request.method)
        assert.equal("/bucket/a%20file?X-Signature=abc%2F%3D", request.path)
        assert.equal("application/pdf", request.headers["content-type"])
        assert.equal(tostring(#WORDS), request.headers["content-length"])
        assert.is_nil(request.headers["agent-secret-key"])
        assert.is_nil(request.headers["x-team"])
        assert.is_true(request.body == WORDS)
      end)
    end

    it("is made again, whole, when the connection dies within it", function()
      local storage <close> = server.start [[
        local connection, index = ...
        if index == 1 then
          connection:head()
          connection:read(30000)
          connection:reset()
        else
          connection:request()
          connection:reply(200, "")
        end]]
      local peer <close> = service(storage.base_url)
      local client <close> = connect(peer)
      with_file(WORDS, function(path)
        assert(go(function() return client:conversation "c-1":upload(path) end))
      end)
      assert.is_true(storage:requests()[1].body == WORDS)
    end)

    it("tells how far it is", function()
      local storage <close> = storage_with(200)
      local peer <close> = service(storage.base_url)
      local client <close> = connect(peer)
      local told = {}
      with_file(WORDS, function(path)
        assert(go(function()
          return client:conversation "c-1":upload(path, { on_progress = function(done, total)
            told[#told + 1] = { done, total }
          end })
        end))
      end)
      assert.same({ #WORDS, #WORDS }, told[#told])
    end)
  end)

  describe("a download by a signed URL, " .. way, function()
    it("gives the bytes, without having sent the key", function()
      local storage <close> = storage_with(200, WORDS)
      local peer <close> = service(storage.base_url)
      local client <close> = connect(peer)
      local bytes = assert(go(function() return client:conversation "c-1":download "f" end))
      assert.is_true(bytes == WORDS)
      assert.is_nil(storage:requests()[1].headers["agent-secret-key"])
      assert.matches("/message%-files/f/signed%-url$", peer:requests()[1].path)
    end)

    it("goes to a path, in place of what was there", function()
      local storage <close> = storage_with(200, WORDS)
      local peer <close> = service(storage.base_url)
      local client <close> = connect(peer)
      with_file("old", function(path)
        assert.is_true(go(function()
          return (client:conversation "c-1":download({ id = "f" }, path))
        end))
        assert.is_true(read_file(path) == WORDS)
        assert.equal(path .. "\n", left_beside(path))
      end)
    end)

    it("leaves the old file, and nothing else, when it fails", function()
      local storage <close> = server.start [[
        local connection = ...
        connection:request()
        connection:send("HTTP/1.1 200 OK\r\nContent-Length: 90000\r\n\r\nhalf")
        connection:close()]]
      local peer <close> = service(storage.base_url)
      local client <close> = connect(peer, { max_retries = 1 })
      with_file("old", function(path)
        go(function()
          fails("connection", client:conversation "c-1":download("f", path))
        end)
        assert.equal("old", read_file(path))
        assert.equal(path .. "\n", left_beside(path))
      end)
    end)

    it("begins anew after half of it", function()
      local storage <close> = server.start(([[
        local connection, index = ...
        connection:request()
        if index == 1 then
          connection:send("HTTP/1.1 200 OK\r\nContent-Length: 900000\r\n\r\n" .. ("x"):rep(100000))
          connection:close()
        else
          connection:reply(200, %q)
        end]]):format(WORDS))
      local peer <close> = service(storage.base_url)
      local client <close> = connect(peer)
      with_file("", function(path)
        assert(go(function() return client:conversation "c-1":download("f", path) end))
        assert.is_true(read_file(path) == WORDS)
      end)
    end)
  end)
end

describe("a signed URL", function()
  it("is https, or goes to this machine", function()
    for _, url in ipairs { "http://example.com/x", "ftp://127.0.0.1/x", "/x", "", "https://",
      "https://u:p@127.0.0.1/x", "https://127.0.0.1/../x" } do
      local peer <close> = service("", url)
      local client <close> = connect(peer)
      local conversation = client:conversation "c-1"
      fails("decode", conversation:upload { name = "a", bytes = "b" })
      local err = fails("decode", conversation:download "f")
      assert.matches("the service gave a signed URL that", err.message)
    end
  end)

  it("is not followed to where it redirects", function()
    local other <close> = storage_with(200, "stolen")
    local storage <close> = storage_with(302, "", ("{ Location = %q }"):format(other.base_url))
    local peer <close> = service(storage.base_url)
    local client <close> = connect(peer)
    local err = fails("http", client:conversation "c-1":download "f")
    assert.equal(302, err.status)
    assert.equal(0, #other:requests())
  end)

  it("has a cap, of memory and of a file", function()
    local storage <close> = storage_with(200, WORDS)
    local peer <close> = service(storage.base_url)
    local client <close> = connect(peer)
    local conversation = client:conversation "c-1"
    fails("too_large", conversation:download("f", { max_bytes = 1000 }))
    with_file("old", function(path)
      fails("too_large", conversation:download("f", path, { max_bytes = 1000 }))
      assert.equal("old", read_file(path))
    end)
    local small <close> = connect(peer, { max_response_bytes = 1000 })
    fails("too_large", small:conversation "c-1":download "f")
  end)

  it("that is refused leaves the error, and no file", function()
    local storage <close> = storage_with(403, "<Error>SignatureDoesNotMatch</Error>")
    local peer <close> = service(storage.base_url)
    local client <close> = connect(peer)
    with_file("old", function(path)
      local err = fails("http", client:conversation "c-1":download("f", path))
      assert.equal(403, err.status)
      assert.matches("SignatureDoesNotMatch", err.body)
      assert.equal("old", read_file(path))
    end)
  end)

  it("ends with its client, and with its task", function()
    local storage <close> = server.start [[
      local connection = ...
      connection:head()
      connection:wait_close(60)]]
    local peer <close> = service(storage.base_url)
    local client = connect(peer)
    with_file(WORDS, function(path)
      raia.run(function()
        local conversation = client:conversation "c-1"
        local task = raia.spawn(conversation.upload, conversation, path)
        raia.sleep(0.3)
        task:cancel()
        fails("cancelled", task:join())
        local closed = raia.spawn(conversation.download, conversation, "f", path)
        raia.sleep(0.3)
        client:close()
        fails("closed", closed:join())
      end)
      assert.equal(path .. "\n", left_beside(path))
    end)
  end)
end)

describe("a file of the agent", function()
  -- A service that answers with the length of the form it got.
  local function forms(dies)
    return server.start(([[
      local connection = ...
      local request = connection:request()
      while request do
        %s
        connection:reply(200, '{"id":"f-1"}')
        request = connection:request()
      end]]):format(dies or ""))
  end

  for _, from in ipairs { "path", "bytes" } do
    it("goes out as a form, with the key: from " .. from, function()
      local peer <close> = forms()
      local client <close> = connect(peer)
      with_file(WORDS, function(path)
        local stored = assert(client.files:upload({ [from] = from == "path" and path or WORDS,
          name = 'a "b"\r\n.txt' }, { autoAddToVectorStore = true }))
        assert.equal("f-1", stored.id)
      end)
      local request = peer:requests()[1]
      assert.equal("POST", request.method)
      assert.equal("/external/agent-files/upload", request.path)
      assert.equal(KEY, request.headers["agent-secret-key"])
      local line = request.headers["content-type"]:match "^multipart/form%-data; boundary=(.*)$"
      assert.is_true(request.body == "--" .. line
        .. '\r\nContent-Disposition: form-data; name="file"; filename="a %22b%22%0D%0A.txt"'
        .. "\r\nContent-Type: text/plain\r\n\r\n" .. WORDS .. "\r\n--" .. line
        .. '\r\nContent-Disposition: form-data; name="autoAddToVectorStore"\r\n\r\ntrue\r\n--'
        .. line .. "--\r\n")
    end)

    it("is not sent twice when the connection dies after it: from " .. from, function()
      local peer <close> = forms "if request then connection:close() return end"
      local client <close> = connect(peer)
      with_file(WORDS, function(path)
        local err = fails("connection", client.files:upload {
          [from] = from == "path" and path or WORDS, name = "a" })
        assert.equal("maybe", err.sent)
      end)
      assert.equal(1, #peer:requests())
    end)
  end

  it("that cannot be read is an error, and nothing is sent", function()
    local peer <close> = forms()
    local client <close> = connect(peer)
    for _, path in ipairs { "/no/such/file", "/tmp", "/dev/null" } do
      local err = fails("file", client.files:upload(path))
      assert.equal("no", err.sent)
      assert.matches("^files:upload: " .. path, err.message)
    end
    assert.equal(0, #peer:requests())
  end)

  it("is described as a path or a table", function()
    local client <close> = connect("http://127.0.0.1:1")
    for _, what in ipairs { 5, {}, { bytes = "x" }, { path = "/x", bytes = "x", name = "n" },
      { pth = "/x" }, { path = 5 }, { name = "x", bytes = "x", type = 5 } } do
      assert.error_matches(function() client.files:upload(what) end, "bad argument to 'upload'")
    end
    assert.error_matches(function()
      client.files:upload { name = "x", bytes = "x", type = "a\r\nb" }
    end, "'type' cannot be the value of a header")
  end)
end)

describe("a file of 64 MiB", function()
  it("takes no more memory than a small one, up and down", function()
    local storage <close> = server.start [[
      local connection = ...
      local PIECE = ("x"):rep(65536)
      local line, length, up = connection:read_line(), 0, false
      up = line:find "^PUT" ~= nil
      repeat
        line = connection:read_line()
        length = tonumber(line:lower():match "^content%-length: (%d+)") or length
      until line == ""
      for _ = 1, length // 65536 do connection:read(65536) end
      if up then
        connection:send "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
      else
        connection:send("HTTP/1.1 200 OK\r\nContent-Length: " .. 65536 * 1024 .. "\r\n\r\n")
        for _ = 1, 1024 do connection:send(PIECE) end
      end]]
    local peer <close> = service(storage.base_url)
    with_file("", function(path)
      assert(os.execute(("head -c %d /dev/zero > %s"):format(65536 * 1024, path)))
      local output = run("lua5.4 -", { URL = peer.base_url, FILE = path }, [[
        local client = require "raia".client { base_url = os.getenv "URL", secret_key = "k" }
        local conversation = client:conversation "c-1"
        local function peak()
          for line in io.lines "/proc/self/status" do
            local size = line:match "^VmHWM:%s*(%d+)"
            if size then return tonumber(size) // 1024 end
          end
        end
        local path = os.getenv "FILE"
        local before = peak()
        assert(conversation:upload(path))
        assert(conversation:download("f", path .. ".down"))
        print(peak() - before < 16 and "flat" or peak() - before)
        local file = io.open(path .. ".down")
        print(file:seek "end")
        os.remove(path .. ".down")]])
      assert.equal("flat\n67108864\n", output)
    end)
  end)
end)
