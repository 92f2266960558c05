#!/usr/bin/env bash
# with_certificate.sh COMMAND...: runs a server with the files of a certificate for 127.0.0.1 in its environment, as
# TLS_CERTIFICATE and TLS_KEY. The certificate is made once, and again when it expires.
set -euo pipefail
[[ $# -gt 0 ]] || { echo "usage: with_certificate.sh COMMAND..." >&2 && exit 2; }

folder=$(realpath -m -- "$(dirname -- "${BASH_SOURCE[0]}")/../../build/peers/certificate")
export TLS_CERTIFICATE=$folder/certificate.pem TLS_KEY=$folder/key.pem
if ! openssl x509 -checkend 86400 -noout -in "$TLS_CERTIFICATE" >/dev/null 2>&1; then
  mkdir -p -- "$folder"
  made=$(mktemp -d -p "$folder")
  trap 'rm -rf -- "$made"' EXIT
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 365 -subj /CN=localhost \
    -addext subjectAltName=DNS:localhost,IP:127.0.0.1 -keyout "$made/key.pem" -out "$made/certificate.pem" 2>/dev/null
  mv -- "$made/key.pem" "$TLS_KEY"
  mv -- "$made/certificate.pem" "$TLS_CERTIFICATE"
  rm -rf -- "$made"
fi
exec "$@"
