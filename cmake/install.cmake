# Where `cmake --install` puts the files, and thus the contents of the .deb that cpack makes.

include(CMakePackageConfigHelpers)

set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/tare)
set(pkgconfig_dir ${CMAKE_INSTALL_LIBDIR}/pkgconfig)

# The library, for find_package(tare).
install(TARGETS tare EXPORT tare-targets
  ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR}
  FILE_SET HEADERS DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(EXPORT tare-targets NAMESPACE tare:: DESTINATION ${package_dir})

# Each component that was built, for find_package(tare COMPONENTS net ...).
foreach(layer net http db symbols metrics tracing sim)
  if(TARGET tare_${layer})
    install(TARGETS tare_${layer} EXPORT tare-${layer}-targets ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
    install(EXPORT tare-${layer}-targets NAMESPACE tare:: DESTINATION ${package_dir})
  endif()
endforeach()
configure_package_config_file(
  ${CMAKE_CURRENT_LIST_DIR}/tare-config.cmake.in ${PROJECT_BINARY_DIR}/tare-config.cmake
  INSTALL_DESTINATION ${package_dir}
  NO_SET_AND_CHECK_MACRO)
# Before version 1.0, a new minor version may change the interface.
write_basic_package_version_file(${PROJECT_BINARY_DIR}/tare-config-version.cmake COMPATIBILITY SameMinorVersion)
install(
  FILES ${PROJECT_BINARY_DIR}/tare-config.cmake ${PROJECT_BINARY_DIR}/tare-config-version.cmake
    ${CMAKE_CURRENT_LIST_DIR}/tare-await-table.cmake ${CMAKE_CURRENT_LIST_DIR}/tare-check.cmake
    ${CMAKE_CURRENT_LIST_DIR}/tare-command.cmake ${CMAKE_CURRENT_LIST_DIR}/tare-frames-pass.cmake
    ${CMAKE_CURRENT_LIST_DIR}/tare-sim.cmake
  DESTINATION ${package_dir})

# The library, for pkg-config. The prefix is relative to the file, so the tree can be moved.
cmake_path(ABSOLUTE_PATH pkgconfig_dir BASE_DIRECTORY /prefix OUTPUT_VARIABLE from)
cmake_path(RELATIVE_PATH from BASE_DIRECTORY /prefix OUTPUT_VARIABLE from)
string(REGEX REPLACE "[^/]+" ".." prefix_from_pkgconfig_dir "${from}")
configure_file(${CMAKE_CURRENT_LIST_DIR}/tare.pc.in ${PROJECT_BINARY_DIR}/tare.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/tare.pc DESTINATION ${pkgconfig_dir})
foreach(layer net http db symbols metrics tracing)
  if(TARGET tare_${layer} AND EXISTS ${CMAKE_CURRENT_LIST_DIR}/tare-${layer}.pc.in)
    configure_file(${CMAKE_CURRENT_LIST_DIR}/tare-${layer}.pc.in ${PROJECT_BINARY_DIR}/tare-${layer}.pc @ONLY)
    install(FILES ${PROJECT_BINARY_DIR}/tare-${layer}.pc DESTINATION ${pkgconfig_dir})
  endif()
endforeach()

# Installs a file as <name>.gz, compressed reproducibly, as Debian requires.
function(install_compressed source name destination)
  find_program(GZIP_COMMAND gzip REQUIRED)
  set(compressed ${PROJECT_BINARY_DIR}/compressed/${name}.gz)
  add_custom_command(
    OUTPUT ${compressed}
    COMMAND ${CMAKE_COMMAND} -E make_directory ${PROJECT_BINARY_DIR}/compressed
    COMMAND ${GZIP_COMMAND} -9nc ${source} > ${compressed}
    DEPENDS ${source}
    VERBATIM)
  add_custom_target(compress_${name} ALL DEPENDS ${compressed})
  install(FILES ${compressed} DESTINATION ${destination})
endfunction()

# The command and its manual.
if(TARGET tare_cli)
  install(TARGETS tare_cli RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
  file(GLOB manual CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/docs/man/*.1)
  foreach(page IN LISTS manual)
    cmake_path(GET page FILENAME name)
    install_compressed(${page} ${name} ${CMAKE_INSTALL_MANDIR}/man1)
  endforeach()
endif()

# The plugin for clang.
if(TARGET tare_frames_pass)
  install(TARGETS tare_frames_pass LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}/tare)
endif()

if(EXISTS ${PROJECT_SOURCE_DIR}/CHANGELOG.md)
  install_compressed(${PROJECT_SOURCE_DIR}/CHANGELOG.md changelog ${CMAKE_INSTALL_DOCDIR})
endif()
install(FILES ${CMAKE_CURRENT_LIST_DIR}/copyright DESTINATION ${CMAKE_INSTALL_DOCDIR})

if(PROJECT_IS_TOP_LEVEL)
  include(${CMAKE_CURRENT_LIST_DIR}/deb.cmake)
endif()
