# shellcheck shell=bash
# What the peers in Rust are built with; their build.sh are in their folders, source this, and call it.
#
# The crates come from Debian 13's librust-* packages where ./setup --peers has put them, else from crates.io.

# cargo_peer NAME PROGRAM [--check]: builds into build/peers/NAME; with --check, only says by its status whether it
# could.
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
    # Are all crates in the folder, or is there an index to be asked?
    CARGO_NET_RETRY=0 CARGO_HTTP_TIMEOUT=5 cargo "${options[@]}" fetch --quiet
  fi
}
