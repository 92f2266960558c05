# Compiles through ccache where it is installed, so that a second checkout of the same sources, in any folder, compiles
# nothing again. TARE_COMPILER_CACHE=OFF turns it off.
#
# - Paths below the checkout are hashed relative to it, and the debug information names them relative to it too
#   (-ffile-prefix-map; DW_AT_comp_dir is "."), so that an object does not depend on the folder that it was compiled in.
# - ccache 4.7 does not hash the plugin that -fpass-plugin names: whoever compiles with one names it in
#   CCACHE_EXTRAFILES, as tare_frames_pass() does.
# - A precompiled header holds absolute paths. It is made anew in each build folder, and stands for its sources in the
#   hash of what includes it: see googletest_headers in tests/CMakeLists.txt.
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
