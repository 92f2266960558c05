#!/usr/bin/env bash
# Builds and runs a project that finds tare only with find_package.
# Usage: find_package.sh CMAKE COMPILER PROJECT PREFIX BUILD
set -euo pipefail
cmake=$1 compiler=$2 project=$3 prefix=$4 build=$5

# Another checkout of the same sources recompiles nothing.
if command -v ccache >/dev/null; then
  CCACHE_BASEDIR=$(cd -- "$project/../../.." && pwd)
  export CCACHE_BASEDIR CMAKE_CXX_COMPILER_LAUNCHER=ccache
fi
rm -rf -- "$build"
configure() {
  "$cmake" -S "$project" -B "$build" -G Ninja \
    -DCMAKE_C_COMPILER=gcc \
    -DCMAKE_CXX_COMPILER="$compiler" \
    -DCMAKE_PREFIX_PATH="$prefix" \
    -DCMAKE_FIND_USE_PACKAGE_REGISTRY=OFF \
    -DCMAKE_FIND_USE_SYSTEM_PACKAGE_REGISTRY=OFF "$@"
}
# The error for a missing component names it, and the existing ones.
if configure -DTARE_COMPONENTS=htpp >/dev/null 2>"$build.refused"; then exit 1; fi
tr -s ' \n' ' ' <"$build.refused" |
  grep -q 'no component "htpp". Those installed here: db, http, metrics, net, sim, symbols, tracing.'
rm -rf -- "$build"
# The package registries are disabled so that no other copy of tare on this machine is found instead.
configure
grep -q "^tare_DIR:PATH=$prefix/" "$build/CMakeCache.txt"
"$cmake" --build "$build" --verbose
"$build/consumer"
"$build/net_consumer"
"$build/http_consumer"
"$build/db_consumer"
"$build/metrics_consumer"
"$build/tracing_consumer"
"$build/symbols_consumer"
readelf --section-headers --wide "$build/symbols_consumer" | grep -F .tare.awaits
