#!/usr/bin/env bash
# After the plugin has changed, ccache does not use what clang wrote with the older plugin.
# Usage: plugin_cache.sh CMAKE CLANG CCACHE PLUGIN SOURCE_ROOT WORK
set -euo pipefail
cmake=$1 clang=$2 ccache=$3 plugin=$4 root=$5 work=$6

rm -rf -- "$work"
mkdir -p -- "$work"
export CCACHE_DIR=$work/cache
cp -- "$plugin" "$work/plugin.so"

# build FOLDER
build() {
  "$cmake" -S "$root/tests/frames/recorded" -B "$work/$1" -G Ninja -DCMAKE_CXX_COMPILER="$clang" \
    -DCMAKE_CXX_COMPILER_LAUNCHER="$ccache" -DTARE_FRAMES_PASS_CMAKE="$root/cmake/tare-frames-pass.cmake" \
    -DTARE_FRAMES_PASS="$work/plugin.so" -DSOURCE="$root/tests/frames/corpus/small.cpp" -DINCLUDE="$root/include" \
    >"$work/$1.log" 2>&1
  "$cmake" --build "$work/$1" >>"$work/$1.log" 2>&1
}

# The number of cache hits so far.
hits() {
  "$ccache" --print-stats | awk '/^(direct|preprocessed)_cache_hit/ { hits += $2 } END { print hits + 0 }'
}

build once
"$cmake" --build "$work/once" --target clean >/dev/null
before=$(hits)
"$cmake" --build "$work/once" >/dev/null
[[ $(hits) -gt $before ]] || { echo "plugin_cache.sh: the same plugin is not taken from the cache" >&2 && exit 1; }

# A byte after the end of an ELF file has no effect, but the file differs.
printf 'x' >>"$work/plugin.so"
"$cmake" --build "$work/once" --target clean >/dev/null
before=$(hits)
"$cmake" --build "$work/once" >/dev/null
[[ $(hits) -eq $before ]] ||
  { echo "plugin_cache.sh: what an older plugin wrote is taken from the cache" >&2 && exit 1; }
