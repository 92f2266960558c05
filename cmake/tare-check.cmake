# tare_check(target [BUDGET file] [RATCHET file])
#
# Holds the coroutine frames of a target to their budgets whenever it was linked: the build fails with a line for each
# frame that is too large. Without BUDGET and RATCHET, the files tare.toml and tare.ratchet.toml in the folder of the
# calling CMakeLists.txt are taken where they are there; TARE_FRAME_BUDGET in the source holds in any case. Without
# any of them the build goes on, and a note says how to record the frames as they are.
# The target has to be built with -g. The command is the one of this project, or TARE_COMMAND, or the one in PATH.
include(${CMAKE_CURRENT_LIST_DIR}/tare-command.cmake)

function(tare_check target)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "BUDGET;RATCHET" "")
  if(arg_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "tare_check: unknown arguments: ${arg_UNPARSED_ARGUMENTS}")
  endif()
  _tare_command(command ${target} tare_check)
  set(options)
  foreach(kind budget ratchet)
    string(TOUPPER ${kind} name)
    if(kind STREQUAL "budget")
      set(default ${CMAKE_CURRENT_SOURCE_DIR}/tare.toml)
    else()
      set(default ${CMAKE_CURRENT_SOURCE_DIR}/tare.ratchet.toml)
    endif()
    if(DEFINED arg_${name})
      cmake_path(ABSOLUTE_PATH arg_${name} BASE_DIRECTORY ${CMAKE_CURRENT_SOURCE_DIR} OUTPUT_VARIABLE file)
      list(APPEND options --${kind} ${file})
    else()
      # A file that appears or goes is seen at the next build: it configures again.
      file(GLOB file CONFIGURE_DEPENDS ${default})
      list(APPEND options --${kind} ${default})
      if(NOT file)
        list(APPEND options --optional)
        continue()
      endif()
    endif()
    # A changed budget is checked at the next build.
    set_property(TARGET ${target} APPEND PROPERTY LINK_DEPENDS ${file})
  endforeach()
  add_custom_command(TARGET ${target} POST_BUILD
    COMMAND ${command} check $<TARGET_FILE:${target}> ${options}
    COMMENT "Checking the coroutine frames of ${target}"
    VERBATIM)
endfunction()
