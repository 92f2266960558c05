#!/usr/bin/env bash
# Builds and runs a program that finds tare only with pkg-config. Usage: pkg_config.sh COMPILER FOLDER PREFIX BUILD
set -euo pipefail
compiler=$1 sources=$2 prefix=$3 build=$4

rm -rf -- "$build"
mkdir -p -- "$build"
# Paths in the hash are relative, so that another checkout of the same sources recompiles nothing.
launcher=()
if command -v ccache >/dev/null; then
  launcher=(ccache)
  CCACHE_BASEDIR=$(cd -- "$sources/../../.." && pwd)
  export CCACHE_BASEDIR
  cd -- "$build"
fi
# The prefix comes first; the libraries that tare needs are the system's.
system=$(pkg-config --variable pc_path pkg-config)
PKG_CONFIG_LIBDIR=$(dirname -- "$(find "$prefix" -name tare.pc)"):$system
export PKG_CONFIG_LIBDIR

# What clang needs in addition to the options for every compiler.
clang_flags=()
if "$compiler" --version | grep -q clang; then
  read -ra clang_flags < <(pkg-config --variable=clang_cflags tare)
fi

build_and_run() {
  local package=$1 source=$2
  read -ra compile_flags < <(pkg-config --cflags "$package")
  "${launcher[@]}" "$compiler" "${compile_flags[@]}" "${clang_flags[@]}" -c "$sources/$source.cpp" -o "$build/$source.o"
  for how in --static --silence-errors; do
    read -ra link_flags < <(pkg-config --libs "$how" "$package")
    "$compiler" "$build/$source.o" -o "$build/$source" "${link_flags[@]}"
    "$build/$source"
  done
  # The other compiler accepts the same options.
  "${launcher[@]}" g++-12 "${compile_flags[@]}" -c "$sources/$source.cpp" -o "$build/$source-gcc.o"
}

# A shared object made from the archives, which a program loads.
build_and_load() {
  local package=$1 source=$2
  read -ra compile_flags < <(pkg-config --cflags "$package")
  read -ra link_flags < <(pkg-config --libs "$package")
  "${launcher[@]}" "$compiler" "${compile_flags[@]}" "${clang_flags[@]}" -fPIC -Dmain=run_it -c "$sources/$source.cpp" \
    -o "$build/$source.o"
  "$compiler" -shared -Wl,-z,defs "$build/$source.o" -o "$build/$source.so" "${link_flags[@]}"
  python3 - "$build/$source.so" <<'END'
import ctypes, re, subprocess, sys
loaded = ctypes.CDLL(sys.argv[1])
name = re.search(r"(\S*run_it\S*)$", subprocess.run(["nm", "-D", "--defined-only", sys.argv[1]], check=True,
                 capture_output=True, text=True).stdout, re.M).group(1)
sys.exit(getattr(loaded, name)())
END
}

set -x
build_and_run tare main
build_and_run tare-net net
build_and_run tare-http http
build_and_run tare-db db
build_and_run tare-symbols symbols
build_and_run tare-metrics metrics
build_and_run tare-tracing tracing
build_and_load tare main
build_and_load tare-net net
build_and_load tare-http http
