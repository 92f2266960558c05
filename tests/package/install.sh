#!/usr/bin/env bash
# Installs the build into an empty prefix. Usage: install.sh CMAKE BUILD INCLUDE PREFIX
set -euo pipefail
cmake=$1 build=$2 include=$3 prefix=$4

rm -rf -- "$prefix"
"$cmake" --install "$build" --prefix "$prefix"

# Every public header is installed, none is stale, and the installed command runs.
diff -r "$include/tare" "$prefix/include/tare"
"$prefix/bin/tare" --version
