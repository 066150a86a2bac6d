-- The servers of others, a row each. Each is run in a folder of its own, with a file of this
-- folder as its configuration, in which what stands between two @ is replaced.
--   command, package  the program, and the package of Debian that has it
--   ["HTTP/1.1"], …   what @protocol@ stands for; a protocol without it is not offered
--   reload            what makes the server at $pid read its configuration again
--   plain             the protocol that it has without TLS only
--   keeps             the protocol over which no call fails when it reloads
--   echo, files       it gives back what is sent; the sizes of the files that it is given
--   without           cases that it can't take part in
return {
  { name = "nginx", command = "nginx", package = "nginx-light", config = "nginx.conf",
    arguments = "-p @dir@ -c @config@ -e stderr", reload = "kill -HUP $pid",
    ["HTTP/1.1"] = "", ["HTTP/2"] = "http2", keeps = "HTTP/2" },
  { name = "haproxy", command = "haproxy", package = "haproxy", config = "haproxy.cfg",
    arguments = "-W -db -f @config@", reload = "kill -USR2 $pid",
    ["HTTP/1.1"] = "http/1.1", ["HTTP/2"] = "h2" },
  { name = "apache", command = "apache2", package = "apache2-bin", config = "apache.conf",
    arguments = "-d @dir@ -f @config@ -DFOREGROUND", reload = "kill -USR1 $pid",
    ["HTTP/1.1"] = "http/1.1", ["HTTP/2"] = "h2" },
  -- It offers HTTP/2 wherever there is TLS: HTTP/1.1 is had without.
  { name = "h2o", command = "h2o", package = "h2o", config = "h2o.conf",
    arguments = "-m master -c @config@", reload = "kill -HUP $pid", plain = "HTTP/1.1",
    ["HTTP/1.1"] = "", ["HTTP/2"] = "ssl: { certificate-file: '@cert@', key-file: '@key@' }",
    without = { gzip = true } }, -- which it gives to those only who ask
  { name = "caddy", command = "caddy", package = "caddy", config = "Caddyfile",
    arguments = "run --config @config@ --adapter caddyfile",
    reload = "HOME=@dir@ @command@ reload --force --config @config@ --adapter caddyfile "
      .. "--address 127.0.0.1:@other@",
    ["HTTP/1.1"] = "h1", ["HTTP/2"] = "h1 h2" },
  { name = "nghttpx", command = "nghttpx", package = "nghttp2-proxy",
    arguments = "--conf=/dev/null -f 127.0.0.1,@port@ -b 127.0.0.1,@backend@ "
      .. "--npn-list=@protocol@ --frontend-http2-read-timeout=@idle@ "
      .. "--frontend-keep-alive-timeout=@idle@ @key@ @cert@",
    ["HTTP/1.1"] = "http/1.1", ["HTTP/2"] = "h2", without = { gzip = true, reload = true } },
  -- It serves files and gives back what is sent, and tells nobody what that was.
  { name = "nghttpd", command = "nghttpd", package = "nghttp2-server", echo = true,
    files = require "spec.interop.cases".sizes,
    arguments = "-a 127.0.0.1 -d @dir@ --echo-upload @port@ @key@ @cert@",
    ["HTTP/2"] = "", without = { idle = true, gzip = true, reload = true, restart = true } },
  { name = "node", command = "node", package = "nodejs", config = "node.js",
    arguments = "@config@", ["HTTP/1.1"] = "h1", ["HTTP/2"] = "h2",
    without = { reload = true } },
}
