#!/usr/bin/env bash
# An object whose address was passed on since the coroutine was last resumed may be used while it is suspended: the
# advice must not be to end its scope. Usage: advice_of_lent.sh COMMAND CLANG GCC SOURCE WORK
set -euo pipefail
command=$1 clang=$2 gcc=$3 source=$4 work=$5

mkdir -p -- "$work"
failed=0
for compiler in "$clang" "$gcc"; do
  for level in O0 O1 O2; do
    object=$work/$(basename -- "$compiler")-$level.o
    "$compiler" -std=c++20 -g -w "-$level" -c "$source" -o "$object"
    if "$command" frames --advice "$object" | grep -E "'(buffer|here|child|result)'.*end its scope"; then
      echo "advice_of_lent.sh: wrong advice, $compiler -$level" >&2
      failed=1
    fi
  done
done
exit "$failed"
