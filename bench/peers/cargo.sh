# shellcheck shell=bash
# Shared by the peers in Rust: each build.sh sources this and calls cargo_peer.
#
# The crates come from Debian 13's librust-* packages if ./setup --peers has fetched them, else from crates.io.

# cargo_peer NAME PROGRAM [--check]: builds into build/peers/NAME. With --check, only reports by its status whether it
# could build.
cargo_peer() {
  local target=../../../build/peers/$1
  local crates=${XDG_CACHE_HOME:-$HOME/.cache}/tare/debian-13/usr/share/cargo/registry
  local options=()
  if [[ -d $crates ]]; then
    options+=(--config "source.debian.directory = '$crates'" --config "source.crates-io.replace-with = 'debian'")
  fi
  if [[ ${3:-} != --check ]]; then
    cargo "${options[@]}" build --quiet --release --target-dir "$target"
  elif [[ ! -x $target/release/$2 ]]; then
    # Checks that the folder has all crates, or that an index is available.
    CARGO_NET_RETRY=0 CARGO_HTTP_TIMEOUT=5 cargo "${options[@]}" fetch --quiet
  fi
}
