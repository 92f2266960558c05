#!/usr/bin/env bash
# Builds the axum peer. With --check, only reports by its status whether it could build.
set -euo pipefail
cd -- "$(dirname -- "${BASH_SOURCE[0]}")"
# shellcheck source=/dev/null
. ../cargo.sh
cargo_peer axum peer_axum "$@"
