# One Debian package that contains everything: cpack --config build/release/CPackConfig.cmake

set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME tare)
set(CPACK_PACKAGE_VENDOR "The tare authors")
set(CPACK_PACKAGE_CONTACT "The tare authors")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "${PROJECT_DESCRIPTION}")
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES ON)
set(CPACK_VERBATIM_VARIABLES ON)

set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_RELEASE 1)
set(CPACK_DEBIAN_PACKAGE_SECTION libdevel)
set(CPACK_DEBIAN_PACKAGE_DESCRIPTION
"libtare runs structured, cancellable tasks on several cores; a suspended one
takes a few dozen bytes. The tare command measures what a suspended task
weighs in any program.
.
This package has the static library, its headers, the files for CMake and
pkg-config, the command and its manual, and a plugin for clang 22 that
tells the command more.")
# dpkg-shlibdeps finds the libraries of the command; a compiler is needed only to use the library.
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_RECOMMENDS "clang-22 | g++-12, libstdc++-12-dev")
# For tare::net and tare::http; for tare::db; for tare::symbols; for tare::metrics.
set(CPACK_DEBIAN_PACKAGE_SUGGESTS
  "liburing-dev, libc-ares-dev, libssl-dev, zlib1g-dev, libsqlite3-dev, libpq-dev, libdw-dev,\
 libelf-dev, prometheus-cpp-dev")

include(CPack)
