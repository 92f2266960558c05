# tare_frames_pass(target)
#
# Makes clang record what the coroutines of a target keep across each await, for `tare frames` and `tare check`. The
# target must be built with -g. Its code stays the same; the file grows by a section that is not loaded.
# Uses this project's plugin, or TARE_FRAMES_PASS, or the installed one. The plugin works only with clang 22: with
# another compiler the target is built without it, and CMake prints a warning.
function(tare_frames_pass target)
  if(NOT TARGET ${target})
    message(FATAL_ERROR "tare_frames_pass: there is no target ${target}")
  endif()
  set(major 22)
  string(REGEX MATCH "^[0-9]+" compiler_major "${CMAKE_CXX_COMPILER_VERSION}")
  if(NOT CMAKE_CXX_COMPILER_ID STREQUAL "Clang" OR NOT compiler_major EQUAL major)
    message(WARNING
      "tare_frames_pass: the plugin is for clang ${major}, and ${target} is built by "
      "${CMAKE_CXX_COMPILER_ID} ${CMAKE_CXX_COMPILER_VERSION}: what its coroutines keep is read from the machine code")
    return()
  endif()
  if(TARGET tare_frames_pass)
    set(plugin $<TARGET_FILE:tare_frames_pass>)
    add_dependencies(${target} tare_frames_pass)
  else()
    find_file(TARE_FRAMES_PASS tare-frames-pass.so
      PATHS ${CMAKE_CURRENT_FUNCTION_LIST_DIR}/../../tare NO_DEFAULT_PATH)
    if(NOT TARE_FRAMES_PASS)
      message(FATAL_ERROR "tare_frames_pass: tare-frames-pass.so was not found; set TARE_FRAMES_PASS to its path")
    endif()
    set(plugin ${TARE_FRAMES_PASS})
  endif()
  target_compile_options(${target} PRIVATE $<$<COMPILE_LANGUAGE:CXX>:-fpass-plugin=${plugin}>)
  # ccache does not hash the plugin by itself, and would return what an older plugin has written.
  get_target_property(launcher ${target} CXX_COMPILER_LAUNCHER)
  if(launcher MATCHES "ccache")
    set_target_properties(${target} PROPERTIES
      CXX_COMPILER_LAUNCHER "/usr/bin/env;CCACHE_EXTRAFILES=${plugin};${launcher}")
  endif()
endfunction()
