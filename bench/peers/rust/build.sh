#!/usr/bin/env bash
# Builds the Rust peer; with --check, only says by its status whether it could.
#
# The crates come from Debian 13's librust-* packages where ./setup --peers has put them, else from crates.io.
set -euo pipefail
cd -- "$(dirname -- "${BASH_SOURCE[0]}")"

target=../../../build/peers/rust
crates=${XDG_CACHE_HOME:-$HOME/.cache}/tare/debian-13/usr/share/cargo/registry
options=()
if [[ -d $crates ]]; then
  options+=(--config "source.debian.directory = '$crates'" --config "source.crates-io.replace-with = 'debian'")
fi

if [[ ${1:-} == --check ]]; then
  [[ -d $crates || -x $target/release/peer_rust ]] && exit 0
  # Is there an index to be asked?
  CARGO_NET_RETRY=0 CARGO_HTTP_TIMEOUT=5 exec cargo "${options[@]}" fetch --quiet
fi
exec cargo "${options[@]}" build --quiet --release --target-dir "$target"
