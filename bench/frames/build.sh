#!/usr/bin/env bash
# Builds a large program with debug information and many coroutines, to measure `tare frames` with: a few units, each
# linked often enough to reach the size. Usage: build.sh FOLDER [MEGABYTES]
set -euo pipefail
folder=$1
megabytes=${2:-200}
units=4
clang=${CXX:-clang++-22}
here=$(cd -- "$(dirname -- "$0")" && pwd)

mkdir -p -- "$folder"
cd -- "$folder"
objects=()
for ((unit = 1; unit <= units; ++unit)); do
  [[ unit$unit.o -nt $here/unit.cpp ]] || "$clang" -std=c++20 -O2 -g -DUNIT="$unit" -c "$here/unit.cpp" -o "unit$unit.o"
  objects+=("unit$unit.o")
done
printf 'int main() {}\n' >main.cpp
link() { "$clang" -std=c++20 -g main.cpp "$@" -fuse-ld=lld -pthread -o large; }

# One copy of each, and two: this shows what a copy adds.
link "${objects[@]}"
one=$(stat -c %s large)
link "${objects[@]}" "${objects[@]}"
each=$(($(stat -c %s large) - one))
repeated=()
for ((bytes = one; bytes < megabytes * 1000000 + each; bytes += each)); do repeated+=("${objects[@]}"); done
link "${repeated[@]}"
printf '%s: %d MB, %d units\n' "$folder/large" "$(($(stat -c %s large) / 1000000))" "${#repeated[@]}"
