#!/usr/bin/env bash
# haproxy.sh PORT [http | https]: one thread that responds to everything with a fixed text. It runs until it is killed.
# HAProxy reserves two descriptors per connection, of the 20,000 that a process may often open.
set -euo pipefail
haproxy=$(command -v haproxy || echo /usr/sbin/haproxy)
if [[ ${1:-} == --version ]]; then
  "$haproxy" -v | sed -n -E '1s/^HAProxy version ([0-9.]+).*/\1/p'
  exit
fi
kind=${2:-http}
[[ ${1:-} =~ ^[0-9]+$ && $kind =~ ^https?$ ]] || { echo "usage: haproxy.sh PORT [http | https]" >&2 && exit 2; }

# One folder per port, so that files do not accumulate.
folder=$(realpath -m -- "$(dirname -- "${BASH_SOURCE[0]}")/../../../build/peers/haproxy/$1")
mkdir -p -- "$folder"
tls=
if [[ $kind == https ]]; then
  cat -- "$TLS_CERTIFICATE" "$TLS_KEY" >"$folder/both.pem"
  tls="ssl crt $folder/both.pem"
fi
cat >"$folder/haproxy.cfg" <<CONF
global
  nbthread 1
  maxconn 9900
defaults
  mode http
  timeout client 75s
  timeout http-keep-alive 75s
frontend hello
  bind 127.0.0.1:$1 backlog 4096 $tls
  http-request return status 200 content-type text/plain string "Hello, world!"
CONF
exec "$haproxy" -db -f "$folder/haproxy.cfg"
