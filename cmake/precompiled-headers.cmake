# Compiles headers of the system once for many files. Headers of the project are never among them, so that changing one
# does not compile everything again.
#
# precompile_headers(name HEADERS header... [LIBS library...] [OPTIONS option...] [WITH_UNITY])
#   Adds a target that precompiles the headers with the compiler options of the libraries. Only with clang and Ninja:
#   g++ 12 prints false warnings. Only WITH_UNITY also where TARE_UNITY_BUILD is ALL: there it saves little, and
#   libraries are compiled with options of their own for the fuzz targets.
#
# use_precompiled_headers(target name)
#   Makes the files of a target use them. The target's options that change the language must be the same.
#
# Elsewhere it is checked that each header includes what it uses, in tests/headers, and the core's sources, in
# tests/package, which builds them as a part of another project.
#
# ccache does not hash the content of a precompiled header, which contains paths of the build folder, but the file
# beside it that ends with .sum: here, the contents of all headers in it. The compiler and its options are in the hash
# of every file that uses it.
if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang" AND CMAKE_GENERATOR MATCHES "Ninja" AND PROJECT_IS_TOP_LEVEL)
  set(TARE_PRECOMPILE ON)
endif()

# Sets a variable to a hash of the contents of the headers and of what they include.
function(hash_of_headers variable headers)
  list(TRANSFORM headers REPLACE "(.+)" "#include \\1\n")
  string(JOIN "" text ${headers})
  set(source ${CMAKE_CURRENT_BINARY_DIR}/hashed_headers.cpp)
  file(WRITE ${source} "${text}")
  execute_process(
    COMMAND ${CMAKE_CXX_COMPILER} -std=c++23 ${ARGN} -M ${source}
    OUTPUT_VARIABLE made COMMAND_ERROR_IS_FATAL ANY)
  string(REGEX MATCHALL "[^ \n\\\\]+\\.?[^ \n\\\\]*" names "${made}")
  list(FILTER names INCLUDE REGEX "^/")
  list(REMOVE_ITEM names ${source})
  set(hashes "")
  foreach(name IN LISTS names)
    file(SHA256 ${name} hash)
    string(APPEND hashes "${hash}\n")
  endforeach()
  string(SHA256 hash "${hashes}")
  set(${variable} ${hash} PARENT_SCOPE)
endfunction()

function(precompile_headers name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "WITH_UNITY" "" "HEADERS;LIBS;OPTIONS")
  if(NOT TARE_PRECOMPILE OR (TARE_UNITY_BUILD STREQUAL "ALL" AND NOT arg_WITH_UNITY))
    return()
  endif()
  file(CONFIGURE OUTPUT ${CMAKE_CURRENT_BINARY_DIR}/${name}.cpp CONTENT "\n")
  add_library(${name} OBJECT ${CMAKE_CURRENT_BINARY_DIR}/${name}.cpp)
  target_link_libraries(${name} PRIVATE ${arg_LIBS})
  target_compile_options(${name} PRIVATE ${arg_OPTIONS} -Xclang -fno-pch-timestamp)
  target_precompile_headers(${name} PRIVATE ${arg_HEADERS})
  set_target_properties(${name} PROPERTIES UNITY_BUILD OFF)

  set(folders "")
  foreach(library IN LISTS arg_LIBS)
    get_target_property(of_library ${library} INTERFACE_INCLUDE_DIRECTORIES)
    if(of_library)
      list(APPEND folders ${of_library})
    endif()
  endforeach()
  list(TRANSFORM folders PREPEND -I)
  hash_of_headers(hash "${arg_HEADERS}" ${folders})
  set(pch ${CMAKE_CURRENT_BINARY_DIR}/CMakeFiles/${name}.dir/cmake_pch.hxx.pch)
  file(CONFIGURE OUTPUT ${pch}.sum CONTENT "${hash}\n")
  # A target that depends on this one is built after the file, which a dependency on the library would not ensure.
  add_custom_target(${name}_precompiled DEPENDS ${pch})
  add_dependencies(${name}_precompiled ${name})
  if(NOT TARGET precompiled_headers)
    add_custom_target(precompiled_headers)
  endif()
  add_dependencies(precompiled_headers ${name}_precompiled)
  set_target_properties(${name} PROPERTIES TARE_PRECOMPILED ${pch})
endfunction()

# The path is relative to the build folder, in which Ninja compiles: CMake's REUSE_FROM writes an absolute path, which
# would make the hashes of two checkouts differ.
function(use_precompiled_headers target name)
  if(NOT TARGET ${name})
    return()
  endif()
  get_target_property(file ${name} TARE_PRECOMPILED)
  cmake_path(RELATIVE_PATH file BASE_DIRECTORY ${PROJECT_BINARY_DIR} OUTPUT_VARIABLE pch)
  target_compile_options(${target} PRIVATE $<$<COMPILE_LANGUAGE:CXX>:-Winvalid-pch>
    $<$<COMPILE_LANGUAGE:CXX>:SHELL:-include-pch ${pch}>)
  add_dependencies(${target} ${name}_precompiled)
endfunction()

# The headers of the standard library that most files include.
set(TARE_STANDARD_HEADERS
  <algorithm> <array> <atomic> <bit> <charconv> <chrono> <concepts> <coroutine> <cstdint> <cstring> <deque> <exception>
  <expected> <filesystem> <functional> <limits> <map> <memory> <mutex> <optional> <ranges> <span> <stop_token> <string>
  <string_view> <system_error> <thread> <tuple> <unordered_map> <utility> <variant> <vector>)
