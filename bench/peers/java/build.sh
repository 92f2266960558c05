#!/usr/bin/env bash
# Compiles the Java peer. With --check, only reports by its status whether there is a JDK for it.
set -euo pipefail
cd -- "$(dirname -- "${BASH_SOURCE[0]}")"
jdk=$(./find_jdk.sh)
[[ ${1:-} != --check ]] || exit 0
classes=../../../build/peers/java
if [[ ! $classes/Main.class -nt Main.java ]]; then
  "$jdk/bin/javac" -d "$classes" Main.java
fi
