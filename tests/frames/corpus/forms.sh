#!/usr/bin/env bash
# Builds forms.cpp with one compiler in the forms in which it says different things of its coroutines.
# Usage: forms.sh KIND COMPILER SOURCES FOLDER, where KIND is clang or gcc.
set -euo pipefail
kind=$1 compiler=$2 sources=$3 folder=$4

mkdir -p -- "$folder"
cd -- "$folder"
flags=(-std=c++23 -g -w)  # with -flto g++ takes frames of one name for one type
for level in O0 O2; do "$compiler" "${flags[@]}" -$level -c "$sources/forms.cpp" -o "$kind-$level.o"; done

# Types in units of their own.
"$compiler" "${flags[@]}" -O2 -fdebug-types-section -c "$sources/forms.cpp" -o "$kind-types.o"

# Two units and what they share, put together by the linker.
together=(-O2 -flto)
linker=()
if [[ $kind == clang ]]; then linker=(-fuse-ld=lld); fi
for part in 1 2; do "$compiler" "${flags[@]}" "${together[@]}" -DPART=$part -c "$sources/forms.cpp" -o "$kind-part$part.o"; done
"$compiler" "${flags[@]}" "${together[@]}" "${linker[@]}" "$kind-part1.o" "$kind-part2.o" "$sources/forms_main.cpp" -o "$kind-lto"

# Debug information in .dwo files, which then are not there.
"$compiler" "${flags[@]}" -O2 -gsplit-dwarf -c "$sources/forms.cpp" -o "$kind-lost.o"
rm -f -- "$kind-lost.dwo"

touch -- "$kind"
