-- Makes throw-away certificates with the openssl command, for servers on localhost.
-- require "spec.support.certificates"(directory) → paths, and a function to remove the files.

local function quote(text)
  return "'" .. text:gsub("'", "'\\''") .. "'"
end

local function read_all(path)
  local file = io.open(path, "rb")
  if not file then return "" end
  local text = file:read("a")
  file:close()
  return text
end

local function fresh_directory()
  local name = os.tmpname()
  os.remove(name)
  return name
end

local localhost = "DNS:localhost,IP:127.0.0.1"

local month = { "-days", 30 }

-- OpenSSL takes dates from 3.4 on, and refuses a lifetime that ends before it begins from 3.5 on.
local function bygone()
  local help = assert(io.popen("openssl x509 -help 2>&1"))
  local dates = help:read("a"):find("-not_after", 1, true)
  help:close()
  if not dates then return { "-days", -1 } end
  local function day(ago) return os.date("!%Y%m%d%H%M%SZ", os.time() - ago * 86400) end
  return { "-not_before", day(2), "-not_after", day(1) }
end

local leaves = {
  good = { names = localhost, lifetime = month, issuer = "ca" },
  expired = { names = localhost, lifetime = bygone(), issuer = "ca" },
  other_host = { names = "DNS:other.example", lifetime = month, issuer = "ca" },
  self_signed = { names = localhost, lifetime = month },
  unknown_root = { names = localhost, lifetime = month, issuer = "other_ca" },
}

return function(directory)
  local files = {}
  local made_directory = directory == nil
  directory = directory or fresh_directory()

  local function file(name)
    local path = directory .. "/" .. name
    files[#files + 1] = path
    return path
  end

  local function remove()
    for _, path in ipairs(files) do os.remove(path) end
    if made_directory then os.remove(directory) end
  end

  assert(os.execute("mkdir -p -m 700 " .. quote(directory)))
  local log = file("openssl.log")

  local function openssl(...)
    local words = { ... }
    for i, word in ipairs(words) do words[i] = quote(tostring(word)) end
    local command = "openssl " .. table.concat(words, " ")
    if os.execute(command .. " </dev/null >" .. quote(log) .. " 2>&1") then return end
    local output = read_all(log)
    remove()
    error(command .. " failed:\n" .. output, 0)
  end

  local function new_key(name)
    local path = file(name .. ".key")
    openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", path)
    return path
  end

  local authorities = {}
  for _, name in ipairs({ "ca", "other_ca" }) do
    local authority = { key = new_key(name), cert = file(name .. ".pem") }
    openssl("req", "-x509", "-key", authority.key, "-out", authority.cert, "-days", 30,
      "-subj", "/CN=" .. name, "-addext", "keyUsage=critical,keyCertSign")
    authorities[name] = authority
  end

  local result = { ca = authorities.ca.cert, directory = directory, remove = remove }
  for name, leaf in pairs(leaves) do
    local made = { key = new_key(name), cert = file(name .. ".pem") }
    local request = file(name .. ".csr")
    openssl("req", "-new", "-key", made.key, "-out", request, "-subj", "/CN=" .. name,
      "-addext", "basicConstraints=critical,CA:FALSE",
      "-addext", "extendedKeyUsage=serverAuth",
      "-addext", "subjectAltName=" .. leaf.names)
    local issuer = authorities[leaf.issuer]
    local words = { "x509", "-req", "-in", request, "-out", made.cert, "-copy_extensions", "copy",
      "-set_serial", #files }
    local signer = issuer and { "-CA", issuer.cert, "-CAkey", issuer.key } or
      { "-key", made.key }
    table.move(leaf.lifetime, 1, #leaf.lifetime, #words + 1, words)
    table.move(signer, 1, #signer, #words + 1, words)
    openssl(table.unpack(words))
    result[name] = made
  end
  return result
end
