#!/usr/bin/env bash
# Builds and runs a program that knows tare by pkg-config alone. Usage: pkg_config.sh COMPILER SOURCE PREFIX BUILD
set -euo pipefail
compiler=$1 source=$2 prefix=$3 build=$4

rm -rf -- "$build"
mkdir -p -- "$build"
PKG_CONFIG_LIBDIR=$(dirname -- "$(find "$prefix" -name tare.pc)")
export PKG_CONFIG_LIBDIR

read -ra compile_flags < <(pkg-config --cflags tare)
read -ra link_flags < <(pkg-config --libs tare)
set -x
"$compiler" "${compile_flags[@]}" "$source" -o "$build/consumer" "${link_flags[@]}"
"$build/consumer"
