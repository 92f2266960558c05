#!/usr/bin/env bash
# Builds the hyper peer; with --check, only says by its status whether it could. As rust/build.sh.
set -euo pipefail
cd -- "$(dirname -- "${BASH_SOURCE[0]}")"

target=../../../build/peers/hyper
crates=${XDG_CACHE_HOME:-$HOME/.cache}/tare/debian-13/usr/share/cargo/registry
options=()
if [[ -d $crates ]]; then
  options+=(--config "source.debian.directory = '$crates'" --config "source.crates-io.replace-with = 'debian'")
fi

if [[ ${1:-} == --check ]]; then
  compgen -G "$crates/hyper-util-*" >/dev/null || [[ -x $target/release/peer_hyper ]]
  exit
fi
exec cargo "${options[@]}" build --quiet --release --target-dir "$target"
