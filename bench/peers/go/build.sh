#!/usr/bin/env bash
# Builds the Go peers. With --check, only reports by its status whether there is a Go: the one in PATH, or Debian 13's
# if ./setup --peers has fetched it.
set -euo pipefail
cd -- "$(dirname -- "${BASH_SOURCE[0]}")"

find_go() {
  local go
  for go in "$(command -v go || true)" "${XDG_CACHE_HOME:-$HOME/.cache}"/tare/debian-13/usr/lib/go-*/bin/go; do
    if [[ -x $go ]]; then
      printf '%s\n' "$go"
      return
    fi
  done
  return 1
}

go=$(find_go)
[[ ${1:-} != --check ]] || exit 0
export CGO_ENABLED=0 GOTOOLCHAIN=local GOFLAGS=-mod=mod
"$go" build -trimpath -o ../../../build/peers/go/peer_go .
for module in gorilla/websocket lib/pq; do
  [[ ! -e /usr/share/gocode/src/github.com/$module/go.mod ]] || continue
  echo "$module is not installed, so peer_go_http is not built; run: ./setup --peers" >&2
  exit
done
cd ../go-http
"$go" build -trimpath -o ../../../build/peers/go/peer_go_http .
