#!/usr/bin/env bash
# Prints the folder of a JDK of version 21 or newer: JAVA_HOME, the one in PATH, or the newest in /usr/lib/jvm.
set -euo pipefail

major() {
  local version
  version=$("$1/bin/javac" -version 2>&1) || return
  version=${version#javac }
  printf '%s\n' "${version%%[!0-9]*}"
}

in_path=$(command -v javac || true)
best=
best_major=20
for jdk in "${JAVA_HOME:-}" \
  "${in_path:+$(dirname -- "$(dirname -- "$(readlink -f -- "$in_path")")")}" /usr/lib/jvm/*; do
  [[ -n $jdk && -x $jdk/bin/javac ]] || continue
  found=$(major "$jdk") || continue
  if ((found > best_major)); then
    best=$jdk
    best_major=$found
  fi
done
[[ -n $best ]] && printf '%s\n' "$best"
