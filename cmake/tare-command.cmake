# _tare_command(variable target caller)
#
# Sets the variable to what runs the tare command after `target` has been linked: this project's command, or
# TARE_COMMAND, or the one in PATH.
function(_tare_command variable target caller)
  if(NOT TARGET ${target})
    message(FATAL_ERROR "${caller}: there is no target ${target}")
  endif()
  if(TARGET tare_cli)
    add_dependencies(${target} tare_cli)
    set(${variable} $<TARGET_FILE:tare_cli> PARENT_SCOPE)
    return()
  endif()
  find_program(TARE_COMMAND tare HINTS ${CMAKE_CURRENT_FUNCTION_LIST_DIR}/../../../bin)
  if(NOT TARE_COMMAND)
    message(FATAL_ERROR "${caller}: the command tare was not found; set TARE_COMMAND to its path")
  endif()
  set(${variable} ${TARE_COMMAND} PARENT_SCOPE)
endfunction()
