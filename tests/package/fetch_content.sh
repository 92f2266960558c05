#!/usr/bin/env bash
# Builds and runs a project that includes tare with FetchContent: the core alone, without the libraries that the other
# components need. Usage: fetch_content.sh CMAKE COMPILER SOURCES CHECKOUT WORK
set -euo pipefail
cmake=$1 compiler=$2 sources=$3 checkout=$4 work=$5

rm -rf -- "$work"
mkdir -p -- "$work"
cp -- "$sources/main.cpp" "$work"
cat >"$work/CMakeLists.txt" <<'END'
cmake_minimum_required(VERSION 3.25)
project(consumer LANGUAGES CXX)
include(FetchContent)
set(TARE_BUILD_NET OFF)
FetchContent_Declare(tare URL https://example.invalid/tare.tar.gz)
FetchContent_MakeAvailable(tare)
add_executable(consumer main.cpp)
target_link_libraries(consumer PRIVATE tare::tare)
foreach(target tare_net tare_http tare_db tare_symbols tare_metrics tare_tracing tare_cli)
  if(TARGET ${target})
    message(FATAL_ERROR "${target} is built in a project that did not ask for it")
  endif()
endforeach()
END
# Another checkout of the same sources recompiles nothing.
if command -v ccache >/dev/null; then
  export CCACHE_BASEDIR=$checkout CMAKE_CXX_COMPILER_LAUNCHER=ccache
fi
# The checkout takes the place of the download. pkg-config finds no library here.
PKG_CONFIG_LIBDIR=$work/none "$cmake" -S "$work" -B "$work/build" -G Ninja \
  -DCMAKE_CXX_COMPILER="$compiler" -DFETCHCONTENT_SOURCE_DIR_TARE="$checkout"
"$cmake" --build "$work/build" --parallel 2
"$work/build/consumer"
