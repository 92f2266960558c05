# Compiles through ccache if it is installed, so that a second checkout of the same sources, in any folder, recompiles
# nothing. TARE_COMPILER_CACHE=OFF turns it off.
#
# - Paths in the checkout are hashed relative to it, and the debug information contains relative paths too
#   (-ffile-prefix-map; DW_AT_comp_dir is "."), so an object does not depend on the folder that it was compiled in.
# - ccache 4.7 does not hash the plugin that -fpass-plugin names: code that compiles with a plugin must list it in
#   CCACHE_EXTRAFILES, as tare_frames_pass() does.
# - A precompiled header contains absolute paths. It is built in each build folder, and in the hash of the files that
#   include it, its sources take its place: see precompiled-headers.cmake.
option(TARE_COMPILER_CACHE "Compile through ccache where it is installed" ON)
find_program(TARE_CCACHE ccache)
mark_as_advanced(TARE_CCACHE)
if(NOT TARE_COMPILER_CACHE OR NOT TARE_CCACHE OR DEFINED CMAKE_CXX_COMPILER_LAUNCHER)
  return()
endif()

set(CMAKE_CXX_COMPILER_LAUNCHER
  /usr/bin/env
  CCACHE_BASEDIR=${PROJECT_SOURCE_DIR}
  CCACHE_SLOPPINESS=time_macros
  CCACHE_PCH_EXTSUM=true
  ${TARE_CCACHE})
set(CMAKE_C_COMPILER_LAUNCHER ${CMAKE_CXX_COMPILER_LAUNCHER})
add_compile_options(-ffile-prefix-map=${PROJECT_SOURCE_DIR}=.)
