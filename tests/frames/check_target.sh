#!/usr/bin/env bash
# A build passes if the budget is met and fails otherwise. It puts an await table into the program.
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
  -DTARE_CHECK="$root/cmake/tare-check.cmake" -DTARE_AWAIT_TABLE="$root/cmake/tare-await-table.cmake" \
  -DTARE_COMMAND="$command" -DSOURCE="$work/small.cpp" \
  -DINCLUDE="$root/include" -DBUDGET="$budget"
"$cmake" --build "$work/build"

# The table is in the program, and is still there after linking again.
table_of() { objcopy --dump-section .tare.awaits="$work/awaits" "$1" "$work/ignored" && cat "$work/awaits"; }
table_of "$work/build/checked" | grep -E '^c .* corpus::leaf\(int\)$'
touch "$work/small.cpp"
"$cmake" --build "$work/build"
[ "$(table_of "$work/build/checked" | grep -c '^end$')" = 1 ]

# A changed budget is checked although no source changed.
sleep 1
printf '[[budget]]\nmatch = "leaf"\nframe = 64\n' >"$budget"
if "$cmake" --build "$work/build" >"$work/log" 2>&1; then
  cat "$work/log"
  echo "check_target.sh: a frame above its budget did not fail the build" >&2
  exit 1
fi
grep -E 'small\.cpp:[0-9]+: error: the frame of corpus::leaf\(int\) is' "$work/log"

# Without any limit the build succeeds, and says how to begin. Recorded frames, and a budget file that is added, apply
# from the next link on, without configuring by hand.
project=$work/project
mkdir "$project"
sed '/TARE_FRAME_BUDGET/d' "$work/small.cpp" >"$project/small.cpp"
cp "$work/recorded.hpp" "$project"
cat >"$project/CMakeLists.txt" <<'END'
cmake_minimum_required(VERSION 3.25)
project(recorded LANGUAGES CXX)
set(CMAKE_CXX_STANDARD 23)
include(${TARE_CHECK})
add_executable(program small.cpp)
target_include_directories(program PRIVATE ${INCLUDE})
target_compile_options(program PRIVATE -g -O2)
tare_check(program)
END
"$cmake" -S "$project" -B "$project/build" -G Ninja -DCMAKE_CXX_COMPILER="$compiler" \
  -DTARE_CHECK="$root/cmake/tare-check.cmake" -DTARE_COMMAND="$command" -DINCLUDE="$root/include"
"$cmake" --build "$project/build" >"$work/log" 2>&1 || { cat "$work/log"; exit 1; }
grep -F "nothing to check against" "$work/log"
ratchet=$project/tare.ratchet.toml
grep -F -- "--record --ratchet $ratchet" "$work/log"

refused() {
  if "$cmake" --build "$project/build" >"$work/log" 2>&1; then
    cat "$work/log"
    echo "check_target.sh: $1 did not fail the build" >&2
    exit 1
  fi
}
"$command" check "$project/build/program" --record --ratchet "$ratchet"
"$cmake" --build "$project/build"
sleep 1
sed -i 's/^\("corpus::middle(int)" = \|.corpus::middle(int). = \).*/"corpus::middle(int)" = 16/' "$ratchet"
refused "a frame above what was recorded"
grep -F 'grew from 16 to' "$work/log"
rm "$ratchet"
"$cmake" --build "$project/build"
printf '[[budget]]\nmatch = "leaf"\nframe = 64\n' >"$project/tare.toml"
refused "a budget that appeared"
grep -E 'small\.cpp:[0-9]+: error: the frame of corpus::leaf\(int\) is' "$work/log"
