# tare_await_table(target)
#
# After each link of a program or shared library, adds the section .tare.awaits to it: where each of its coroutines can
# be suspended, by file and line. `tare::read_awaits()` reads it in the process, `tare live` from outside. The section
# is not loaded, and is kept when the debug information is stripped (with llvm-strip, pass --keep-section=.tare.awaits).
# The target must be built with -g. Uses this project's command, or TARE_COMMAND, or the one in PATH.
include(${CMAKE_CURRENT_LIST_DIR}/tare-command.cmake)

function(tare_await_table target)
  if(ARGN)
    message(FATAL_ERROR "tare_await_table: unknown arguments: ${ARGN}")
  endif()
  _tare_command(command ${target} tare_await_table)
  get_target_property(type ${target} TYPE)
  if(NOT type MATCHES "^(EXECUTABLE|SHARED_LIBRARY|MODULE_LIBRARY)$")
    message(FATAL_ERROR "tare_await_table: ${target} is not a program or shared library")
  endif()
  if(NOT CMAKE_OBJCOPY)
    message(FATAL_ERROR "tare_await_table: objcopy was not found; set CMAKE_OBJCOPY to its path")
  endif()
  # The build id shows a process that the table belongs to the code that it runs.
  target_link_options(${target} PRIVATE LINKER:--build-id)
  set(table ${CMAKE_CURRENT_BINARY_DIR}/${target}.awaits)
  add_custom_command(TARGET ${target} POST_BUILD
    COMMAND ${command} frames $<TARGET_FILE:${target}> --await-table ${table}
    COMMAND ${CMAKE_OBJCOPY} --remove-section=.tare.awaits --add-section=.tare.awaits=${table} $<TARGET_FILE:${target}>
    COMMENT "Adding the await table of ${target}"
    VERBATIM)
endfunction()
