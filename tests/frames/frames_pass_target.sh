#!/usr/bin/env bash
# tare_frames_pass() in another project: clang 22 records its frames, another compiler is refused with a message.
# Usage: frames_pass_target.sh CMAKE CLANG GCC COMMAND PLUGIN SOURCE_ROOT WORK
set -euo pipefail
cmake=$1 clang=$2 gcc=$3 command=$4 plugin=$5 root=$6 work=$7

rm -rf -- "$work"
mkdir -p -- "$work"

# build COMPILER FOLDER
build() {
  "$cmake" -S "$root/tests/frames/recorded" -B "$2" -G Ninja -DCMAKE_CXX_COMPILER="$1" \
    -DTARE_FRAMES_PASS_CMAKE="$root/cmake/tare-frames-pass.cmake" -DTARE_FRAMES_PASS="$plugin" \
    -DSOURCE="$root/tests/frames/corpus/small.cpp" -DINCLUDE="$root/include" 2>&1
  "$cmake" --build "$2"
}

# expect PATTERN FILE
expect() {
  grep -Eq -- "$1" "$2" && return
  cat "$2"
  echo "frames_pass_target.sh: nothing matches '$1'" >&2
  exit 1
}

build "$clang" "$work/clang" >"$work/clang.log"
"$command" frames "$work/clang/recorded" --awaits >"$work/clang.txt"
expect 'await .*small\.cpp:[0-9]+: .*\(by compiler\)' "$work/clang.txt"

[[ -n $gcc ]] || exit 0
build "$gcc" "$work/gcc" >"$work/gcc.log"
expect 'the plugin is for clang 22' "$work/gcc.log"
"$command" frames "$work/gcc/recorded" --awaits >"$work/gcc.txt"
expect 'await .*small\.cpp:[0-9]+: .*\(by machine code\)' "$work/gcc.txt"
