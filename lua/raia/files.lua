-- Files: sent from a path or from memory, received into a path or into memory.
local core = require "raia.core"
local options = require "raia.options"

local conversation, prompts, files = {}, {}, {}
local start, progress = core.file.start, core.file.progress
local failure = core.scheduler.failure
local error, next, setmetatable, tostring, type = error, next, setmetatable, tostring, type
local random = math.random
local remove, rename = os and os.remove, os and os.rename

local TYPES = { csv = "text/csv", doc = "application/msword", gif = "image/gif",
  docx = "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
  htm = "text/html", html = "text/html", jpeg = "image/jpeg", jpg = "image/jpeg",
  json = "application/json", md = "text/markdown", mp3 = "audio/mpeg", pdf = "application/pdf",
  png = "image/png", txt = "text/plain", webp = "image/webp", xml = "application/xml",
  xlsx = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet" }

local UPLOAD = { timeout = "number", max_retries = "number", on_progress = "function" }
local DOWNLOAD = { timeout = "number", max_retries = "number", max_bytes = "number",
  on_progress = "function" }
local STORE = { timeout = "number", max_retries = "number", on_progress = "function",
  autoAddToVectorStore = "boolean" }

local WHAT = { path = true, name = true, type = true, bytes = true }

-- What is to be sent, from a path or a table: { name, type, bytes or path }.
local function describe(what, method)
  if type(what) == "string" then what = { path = what } end
  if type(what) ~= "table" then
    error(("bad argument to '%s' (path or table expected, got %s)"):format(method, type(what)), 3)
  end
  for field, value in next, what do
    if not WHAT[field] or type(value) ~= "string" then
      error(("bad argument to '%s' ('%s' is not path, name, type or bytes, a string)"):format(
        method, tostring(field)), 3)
    end
  end
  if (what.path == nil) == (what.bytes == nil) then
    error(("bad argument to '%s' (either path or bytes is needed)"):format(method), 3)
  end
  local name = what.name or what.path and what.path:match "([^/]+)/*$"
  if not name then error(("bad argument to '%s' (a name is needed)"):format(method), 3) end
  if what.type and what.type:find "%c" then
    error(("bad argument to '%s' ('type' cannot be the value of a header)"):format(method), 3)
  end
  local ending = name:match "%.(%w+)$"
  return { name = name, type = what.type or ending and TYPES[ending:lower()]
    or "application/octet-stream", bytes = what.bytes, path = what.path }
end

-- Carries out an upload or a download; tells how it goes.
local function carry_out(client, call, name, on_progress)
  local request, kind, wrong = start(client, call, name)
  if not request then
    if kind == "url" then wrong = "the service gave a signed URL that " .. wrong end
    return failure(kind == "url" and "decode" or "file", name .. ": " .. wrong, "no")
  end
  -- Leaving this, by an error or a cancel, ends it.
  local _ <close> = setmetatable({}, { __close = function() request:cancel() end })
  while on_progress and not request:done() do
    request:wait(0.25)
    on_progress(progress(request))
  end
  return request:wait()
end

-- ---- signed URLs: another server, without the key ----

local function upload(self, what, opts, method)
  opts = options.check("upload", opts, UPLOAD)
  what = describe(what, "upload")
  local place, message, err = self:upload_url { fileName = what.name, contentType = what.type }
  if not place then return place, message, err end
  if type(place.signedUrl) ~= "string" or type(place.storagePath) ~= "string" then
    return failure("decode", method .. ": the service gave no place for the file", "no")
  end
  local sent
  sent, message, err = carry_out(core.client_of(self), { url = place.signedUrl, type = what.type,
    bytes = what.bytes, file = what.path, timeout = opts.timeout,
    max_retries = opts.max_retries }, method, opts.on_progress)
  if not sent then return nil, message, err end
  return { fileName = what.name, storagePath = place.storagePath }
end

function conversation:upload(what, opts)
  return upload(self, what, opts, "conversation:upload")
end

function prompts:upload(what, opts) return upload(self, what, opts, "prompts:upload") end

function conversation:download(file, path, opts)
  if type(path) == "table" then path, opts = nil, path end
  if type(file) == "table" then file = file.id end
  options.argument(1, "download", file, "string")
  opts = options.check("download", opts, DOWNLOAD)
  if path ~= nil and type(path) ~= "string" then
    error("bad argument to 'download' (path expected)", 2)
  elseif path and not rename then
    error("raia: this host lacks os.rename, which a download to a path needs", 2)
  end
  local place, message, err = self:signed_url(file)
  if not place then return place, message, err end
  if type(place.signedUrl) ~= "string" then
    return failure("decode", "conversation:download: the service gave no signed URL", "no")
  end
  -- Written beside, and renamed when it is whole.
  local beside = path and ("%s.part-%08x"):format(path, random(0, 0xffffffff))
  local _ <close> = setmetatable({}, { __close = function()
    if beside then remove(beside) end
  end })
  local got
  got, message, err = carry_out(core.client_of(self), { url = place.signedUrl, to = beside,
    max_bytes = opts.max_bytes, timeout = opts.timeout, max_retries = opts.max_retries },
    "conversation:download", opts.on_progress)
  if not got then return nil, message, err end
  if beside then
    local renamed, why = rename(beside, path)
    if not renamed then return failure("file", "conversation:download: " .. why, "no") end
    beside = nil
  end
  return got
end

-- ---- files of the agent: a form, with the key ----

local ESCAPES = { ['"'] = "%22", ["\r"] = "%0D", ["\n"] = "%0A" }

function files:upload(what, opts)
  opts = options.check("upload", opts, STORE)
  what = describe(what, "upload")
  local line = ("raia-%08x%08x"):format(random(0, 0xffffffff), random(0, 0xffffffff))
  local head = ('--%s\r\nContent-Disposition: form-data; name="file"; filename="%s"\r\n'
    .. "Content-Type: %s\r\n\r\n"):format(line, what.name:gsub('["\r\n]', ESCAPES), what.type)
  local tail = "\r\n--" .. line
  if opts.autoAddToVectorStore ~= nil then
    tail = ('%s\r\nContent-Disposition: form-data; name="autoAddToVectorStore"\r\n\r\n%s\r\n--%s')
      :format(tail, opts.autoAddToVectorStore, line)
  end
  tail = tail .. "--\r\n"
  local call = { path = "/external/agent-files/upload", timeout = opts.timeout,
    max_retries = opts.max_retries, type = "multipart/form-data; boundary=" .. line }
  if what.path then
    call.file, call.head, call.tail = what.path, head, tail
  else
    call.bytes = head .. what.bytes .. tail
  end
  return carry_out(core.client_of(self), call, "files:upload", opts.on_progress)
end

options.define("raia.conversation", conversation)
options.define("raia.prompts", prompts)
options.define("raia.files", files)
