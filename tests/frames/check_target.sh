#!/usr/bin/env bash
# A build passes with a budget that holds and fails with one that does not.
# Usage: check_target.sh CMAKE COMPILER COMMAND SOURCE_ROOT WORK
set -euo pipefail
cmake=$1 compiler=$2 command=$3 root=$4 work=$5

rm -rf -- "$work"
mkdir -p -- "$work"
sed '/TARE_FRAME_BUDGET(64)/d' "$root/tests/frames/corpus/small.cpp" >"$work/small.cpp"
cp "$root/tests/frames/corpus/recorded.hpp" "$work"
budget=$work/tare.toml
printf '[[budget]]\nmatch = "leaf"\nframe = "4 KiB"\n' >"$budget"
"$cmake" -S "$root/tests/frames/checked" -B "$work/build" -G Ninja -DCMAKE_CXX_COMPILER="$compiler" \
  -DTARE_CHECK="$root/cmake/tare-check.cmake" -DTARE_COMMAND="$command" -DSOURCE="$work/small.cpp" \
  -DINCLUDE="$root/include" -DBUDGET="$budget"
"$cmake" --build "$work/build"

# A changed budget is checked although no source changed.
sleep 1
printf '[[budget]]\nmatch = "leaf"\nframe = 64\n' >"$budget"
if "$cmake" --build "$work/build" >"$work/log" 2>&1; then
  cat "$work/log"
  echo "check_target.sh: a frame above its budget did not fail the build" >&2
  exit 1
fi
grep -E 'small\.cpp:[0-9]+: error: the frame of corpus::leaf\(int\) is' "$work/log"
