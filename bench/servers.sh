#!/bin/sh
# Runs a command with servers to measure against: servers.sh BUILD COMMAND…
# BENCH_STATIC (nginx with histories), BENCH_DELAY (delay.c: answers to what is sent; nginx would
# give them before it has read the body) and BENCH_TLS (nginx in front of that, with HTTP/2) are
# their base URLs; BENCH_CA is the certificate to trust.
build=$1 here=$(dirname "$0")
shift
directory=$(mktemp -d -t raia-bench.XXXXXX) || exit 1
delay=
stop() {
  test -s "$directory/nginx.pid" && kill "$(cat "$directory/nginx.pid")"
  test -n "$delay" && kill "$delay"
  rm -rf "$directory"
}
trap stop EXIT
trap 'exit 130' INT TERM HUP
fail() { echo "bench: $*" >&2; exit 1; }
ulimit -n "$(ulimit -Hn)"

lua5.4 "$here/replies.lua" "$directory" || fail "no replies"
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 \
  -subj /CN=localhost -addext subjectAltName=IP:127.0.0.1 \
  -keyout "$directory/key.pem" -out "$directory/ca.pem" 2>"$directory/log" ||
  fail "$(cat "$directory/log")"

mkfifo "$directory/port" || exit 1
"$build/delay" "$directory/answer.json" >"$directory/port" &
delay=$!
exec 4<"$directory/port" # while this is open, it runs
read -r port <&4 || fail "the server of delayed answers did not start"

write_config() {
  cat >"$directory/nginx.conf" <<END
master_process off;
pid $directory/nginx.pid;
error_log $directory/nginx.log crit;
worker_rlimit_nofile $(ulimit -n);
events { worker_connections 9000; }
http {
  access_log off;
  types { application/json json; }
  default_type application/json;
  keepalive_requests 100000000;
  keepalive_timeout 600s;
  client_body_temp_path $directory;
  proxy_temp_path $directory;
  fastcgi_temp_path $directory;
  uwsgi_temp_path $directory;
  scgi_temp_path $directory;
  root $directory;
  upstream delay { server 127.0.0.1:$port; keepalive 2000; }
  server {
    listen 127.0.0.1:$1 backlog=8192;
    location ~ ^/(h[0-9]+)/ { try_files /\$1.json =404; }
  }
  server {
    listen 127.0.0.1:$(($1 + 1)) ssl http2 backlog=8192;
    ssl_certificate $directory/ca.pem;
    ssl_certificate_key $directory/key.pem;
    location / {
      proxy_pass http://delay;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
    }
  }
}
END
}

# nginx cannot be asked for a free port.
for try in 1 2 3 4 5 6 7 8 9; do
  static=$((20000 + ($$ + try * 613) % 6000 * 2))
  write_config $static
  nginx -c "$directory/nginx.conf" 2>"$directory/log" && break
done
test -s "$directory/nginx.pid" || fail "$(cat "$directory/log" "$directory/nginx.log")"

BENCH_STATIC=http://127.0.0.1:$static BENCH_DELAY=http://127.0.0.1:$port \
  BENCH_TLS=https://127.0.0.1:$((static + 1)) BENCH_CA=$directory/ca.pem \
  BENCH_DIRECTORY=$directory "$@"
