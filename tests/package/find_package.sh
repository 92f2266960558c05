#!/usr/bin/env bash
# Builds and runs a project that knows tare by find_package alone.
# Usage: find_package.sh CMAKE COMPILER PROJECT PREFIX BUILD
set -euo pipefail
cmake=$1 compiler=$2 project=$3 prefix=$4 build=$5

rm -rf -- "$build"
# The registries are off so that no other copy of tare on this machine can be found in its place.
"$cmake" -S "$project" -B "$build" -G Ninja \
  -DCMAKE_CXX_COMPILER="$compiler" \
  -DCMAKE_PREFIX_PATH="$prefix" \
  -DCMAKE_FIND_USE_PACKAGE_REGISTRY=OFF \
  -DCMAKE_FIND_USE_SYSTEM_PACKAGE_REGISTRY=OFF
grep -q "^tare_DIR:PATH=$prefix/" "$build/CMakeCache.txt"
"$cmake" --build "$build" --verbose
"$build/consumer"
"$build/net_consumer"
"$build/http_consumer"
"$build/db_consumer"
"$build/symbols_consumer"
readelf --section-headers --wide "$build/symbols_consumer" | grep -F .tare.awaits
