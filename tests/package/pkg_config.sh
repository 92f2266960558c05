#!/usr/bin/env bash
# Builds and runs a program that knows tare by pkg-config alone. Usage: pkg_config.sh COMPILER FOLDER PREFIX BUILD
set -euo pipefail
compiler=$1 sources=$2 prefix=$3 build=$4

rm -rf -- "$build"
mkdir -p -- "$build"
# Ours first; the libraries that it needs are the system's.
system=$(pkg-config --variable pc_path pkg-config)
PKG_CONFIG_LIBDIR=$(dirname -- "$(find "$prefix" -name tare.pc)"):$system
export PKG_CONFIG_LIBDIR

build_and_run() {
  local package=$1 source=$2
  read -ra compile_flags < <(pkg-config --cflags "$package")
  read -ra link_flags < <(pkg-config --libs --static "$package")
  "$compiler" "${compile_flags[@]}" "$sources/$source.cpp" -o "$build/$source" "${link_flags[@]}"
  "$build/$source"
}

set -x
build_and_run tare main
build_and_run tare-net net
build_and_run tare-http http
build_and_run tare-db db
build_and_run tare-symbols symbols
