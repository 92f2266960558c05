#!/usr/bin/env bash
# Builds one source in every form in which debug information comes. Usage: objects.sh CLANG LLVM_BIN SOURCE FOLDER FLAG...
set -euo pipefail
clang=$1 bin=$2 source=$3 folder=$4
shift 4
corpus=$(cd -- "$(dirname -- "$source")" && pwd)

rm -rf -- "$folder"
mkdir -p -- "$folder/ids"
cd -- "$folder"
flags=(-std=c++23 -O2 -fcoro-aligned-allocation "$@")
# shellcheck disable=SC2054 # the commas are the option's
link=(-fuse-ld=lld -Wl,--build-id=sha1)

"$clang" "${flags[@]}" -g -c "$source" -o object.o
"$clang" "${flags[@]}" -g -c "$source" -o sections.o -ffunction-sections
"$bin/llvm-ar" rcs archive.a object.o
"$clang" "${flags[@]}" -g -no-pie "$source" -o static "${link[@]}"
"$clang" "${flags[@]}" -g -fPIE -pie "$source" -o pie "${link[@]}"
"$clang" "${flags[@]}" -g -fPIC -shared "$source" -o shared.so "${link[@]}"
"$clang" "${flags[@]}" -g -gz=zlib "$source" -o compressed "${link[@]}"
"$clang" "${flags[@]}" -g -gdwarf-4 "$source" -o dwarf4 "${link[@]}"
"$clang" "${flags[@]}" -g -fdebug-types-section "$source" -o type_units "${link[@]}"
"$clang" "${flags[@]}" -g -gdwarf-4 -fdebug-types-section "$source" -o type_units_4 "${link[@]}"
"$clang" "${flags[@]}" -g -gsimple-template-names "$source" -o simple_names "${link[@]}"
"$clang" "${flags[@]}" -g1 "$source" -o lines_only "${link[@]}"
"$clang" "${flags[@]}" "$source" -o symbols_only "${link[@]}"

# A coroutine that is optimized away, with its budget left; and one in a header, which two units have.
"$clang" "${flags[@]}" -g "$corpus/merged.cpp" -o merged "${link[@]}"
"$clang" "${flags[@]}" "$corpus/merged.cpp" -o merged_symbols "${link[@]}"
for unit in one two; do "$clang" "${flags[@]}" -O0 -g -c -DIN_UNIT_$unit "$corpus/shared.cpp" -o $unit.o; done
"$clang" one.o two.o -o shared_inline "${link[@]}"

"$clang" "${flags[@]}" -O1 -g "$corpus/many.cpp" -o many "${link[@]}"

# Compiled in another folder than that of the source, with the beginning of both paths replaced.
mkdir -p mapped/build mapped/source
cp -- "$source" "$corpus/recorded.hpp" mapped/source
for name in . project; do
  (cd mapped/build && "$clang" "${flags[@]}" -g -ffile-prefix-map="${PWD%/build}=$name" \
    -c "${PWD%/build}/source/small.cpp" -o "../${name/./dot}.o")
done
(cd mapped/build && "$clang" "${flags[@]}" -g -ffile-prefix-map="${PWD%/build}=." -c ../source/small.cpp -o ../relative.o)

# Split: the .dwo stands beside the object; with a .dwp it is not needed.
"$clang" "${flags[@]}" -g -gsplit-dwarf -c "$source" -o split.o
"$clang" split.o -o split "${link[@]}"
cp split packed
"$bin/llvm-dwp" -e packed -o packed.dwp

# Separate: by the link's name, and by the build id alone.
cp pie linked
"$bin/llvm-objcopy" --only-keep-debug linked linked.debug
"$bin/llvm-objcopy" --strip-debug --add-gnu-debuglink=linked.debug linked
"$bin/llvm-objcopy" --strip-all pie by_id
id=$("$bin/llvm-readelf" --notes pie | sed -n 's/.*Build ID: //p')
mkdir -p "ids/.build-id/${id:0:2}"
"$bin/llvm-objcopy" --only-keep-debug pie "ids/.build-id/${id:0:2}/${id:2}.debug"
"$bin/llvm-objcopy" --strip-all pie stripped
# Stripped, with symbols that another program can use; of the symbols of local functions alone; of these with -g.
"$clang" "${flags[@]}" -g "$source" -o exporting "${link[@]}" -rdynamic
"$bin/llvm-objcopy" --strip-all exporting stripped_exporting
"$bin/llvm-objcopy" --strip-debug --discard-all pie stripped_locals
"$clang" "${flags[@]}" -g -fPIE -pie "$source" -o described_locals "${link[@]}" -Wl,--discard-all

head -c 5000 pie >truncated
printf 'not a program\n' >text
: >empty
