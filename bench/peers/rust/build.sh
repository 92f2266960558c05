#!/usr/bin/env bash
# Builds the Rust peer; with --check, only says by its status whether it could.
set -euo pipefail
cd -- "$(dirname -- "${BASH_SOURCE[0]}")"
# shellcheck source=/dev/null
. ../cargo.sh
cargo_peer rust peer_rust "$@"
