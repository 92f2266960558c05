# tare_check(target [BUDGET file] [RATCHET file])
#
# Checks the coroutine frames of a target against their budgets after each link: the build fails, with a line for each
# frame that is too large. Without BUDGET and RATCHET, the files tare.toml and tare.ratchet.toml in the folder of the
# calling CMakeLists.txt are used if they exist; TARE_FRAME_BUDGET in the source always applies. Without any of these
# the build succeeds, and a note says how to record the present frames.
# The target must be built with -g. Uses this project's command, or TARE_COMMAND, or the one in PATH.
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
      # If a file is created or removed, the next build configures again.
      file(GLOB file CONFIGURE_DEPENDS ${default})
      list(APPEND options --${kind} ${default})
      if(NOT file)
        list(APPEND options --optional)
        continue()
      endif()
    endif()
    # The next build checks a changed budget.
    set_property(TARGET ${target} APPEND PROPERTY LINK_DEPENDS ${file})
  endforeach()
  add_custom_command(TARGET ${target} POST_BUILD
    COMMAND ${command} check $<TARGET_FILE:${target}> ${options}
    COMMENT "Checking the coroutine frames of ${target}"
    VERBATIM)
endfunction()
