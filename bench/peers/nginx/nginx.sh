#!/usr/bin/env bash
# nginx.sh PORT [http | https]: one worker that responds to everything with a fixed text. It runs until it is killed.
set -euo pipefail
nginx=$(command -v nginx || echo /usr/sbin/nginx)
if [[ ${1:-} == --version ]]; then
  "$nginx" -v 2>&1 | sed 's#.*nginx/##'
  exit
fi
kind=${2:-http}
[[ ${1:-} =~ ^[0-9]+$ && $kind =~ ^https?$ ]] || { echo "usage: nginx.sh PORT [http | https]" >&2 && exit 2; }
tls=
if [[ $kind == https ]]; then
  tls="ssl_certificate $TLS_CERTIFICATE; ssl_certificate_key $TLS_KEY;"
fi

# One folder per port, so that files do not accumulate.
folder=$(realpath -m -- "$(dirname -- "${BASH_SOURCE[0]}")/../../../build/peers/nginx/$1")
mkdir -p -- "$folder"
cat >"$folder/nginx.conf" <<CONF
daemon off;
worker_processes 1;
worker_rlimit_nofile 20000;
pid $folder/pid;
error_log stderr error;
events { worker_connections 19000; }
http {
  access_log off;
  keepalive_timeout 75s;
  keepalive_requests 1000000000;
  client_body_temp_path $folder/body;
  proxy_temp_path $folder/proxy;
  fastcgi_temp_path $folder/fastcgi;
  uwsgi_temp_path $folder/uwsgi;
  scgi_temp_path $folder/scgi;
  server {
    listen 127.0.0.1:$1 ${tls:+ssl} backlog=4096;
    $tls
    location / { default_type text/plain; return 200 "Hello, world!"; }
  }
}
CONF
exec "$nginx" -e stderr -p "$folder" -c "$folder/nginx.conf"
