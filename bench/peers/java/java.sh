#!/usr/bin/env bash
# Runs the Java peer with the JDK that find_jdk.sh finds.
set -euo pipefail
cd -- "$(dirname -- "${BASH_SOURCE[0]}")"
jdk=$(./find_jdk.sh)
exec "$jdk/bin/java" -cp ../../../build/peers/java Main "$@"
