#!/usr/bin/env bash
# An object that is in a variable's place before its declaration is not shown under its name.
# Usage: reused_place.sh COMMAND CLANG SOURCE WORK
set -euo pipefail
command=$1 clang=$2 source=$3 work=$4

mkdir -p -- "$work"
line_of() { grep -n "// $1\$" "$source" | cut -d: -f1; }
for level in O1 O2 O3; do
  "$clang" -std=c++23 -g "-$level" -c "$source" -o "$work/reused-$level.o"
  text=$("$command" frames "$work/reused-$level.o" --awaits --match scheduler)
  await_at() { sed -n "/^  await .*:$1: /,/^\$/p" <<<"$text"; }
  first=$(await_at "$(line_of FIRST)")
  second=$(await_at "$(line_of SECOND)")
  if grep -E ' (live|held)  later: ' <<<"$first" || ! grep -E ' (live|held)  \(unnamed\)' <<<"$first"; then
    echo "$text"
    echo "reused_place.sh: -$level: at the first await there is no 'later' yet" >&2
    exit 1
  fi
  grep -E ' 48 B  (live|held)  later: info' <<<"$second"
done
