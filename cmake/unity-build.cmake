# From here on, eight source files of a target are compiled as one, in a third of the time.
#
# Names in unnamed namespaces must then differ within a target. A file that defines a name of another file is compiled
# by itself: it is listed under SKIP_UNITY_BUILD_INCLUSION.
set(CMAKE_UNITY_BUILD ON)
set(CMAKE_UNITY_BUILD_BATCH_SIZE 8)
# A name may be that of a constant in another file. For g++, a file that is included is a header, whose types in unnamed
# namespaces it warns about.
add_compile_options(-Wno-shadow $<$<CXX_COMPILER_ID:GNU>:-Wno-subobject-linkage>)

# CMake's united files contain absolute paths, so that ccache would have to preprocess them in each other checkout. With
# Ninja, these take their place: they contain paths relative to the build folder, in which Ninja compiles.
if(NOT CMAKE_GENERATOR MATCHES "Ninja")
  return()
endif()
cmake_path(RELATIVE_PATH PROJECT_SOURCE_DIR BASE_DIRECTORY ${PROJECT_BINARY_DIR} OUTPUT_VARIABLE TARE_ROOT_FROM_BUILD)

# Sets the variable to those of the target's sources that can be united.
function(sources_to_unite variable target folder)
  set(found "")
  get_target_property(sources ${target} SOURCES)
  foreach(source IN LISTS sources)
    if(source MATCHES "\\$<" OR NOT source MATCHES "\\.cpp$")
      continue()
    endif()
    cmake_path(ABSOLUTE_PATH source BASE_DIRECTORY ${folder} NORMALIZE)
    set(alone OFF)
    foreach(property SKIP_UNITY_BUILD_INCLUSION COMPILE_OPTIONS COMPILE_DEFINITIONS COMPILE_FLAGS INCLUDE_DIRECTORIES)
      get_source_file_property(value ${source} TARGET_DIRECTORY ${target} ${property})
      if(value)
        set(alone ON)
      endif()
    endforeach()
    if(NOT alone)
      list(APPEND found ${source})
    endif()
  endforeach()
  set(${variable} ${found} PARENT_SCOPE)
endfunction()

function(unite_target target)
  get_target_property(folder ${target} SOURCE_DIR)
  get_target_property(made ${target} BINARY_DIR)
  sources_to_unite(sources ${target} ${folder})
  set_source_files_properties(${sources} TARGET_DIRECTORY ${target} PROPERTIES HEADER_FILE_ONLY ON)
  set(number 0)
  while(sources)
    list(SUBLIST sources 0 ${CMAKE_UNITY_BUILD_BATCH_SIZE} part)
    list(REMOVE_ITEM sources ${part})
    list(TRANSFORM part REPLACE "^${PROJECT_SOURCE_DIR}/(.*)$" "#include \"${TARE_ROOT_FROM_BUILD}/\\1\"\n")
    string(JOIN "" text ${part})
    set(united ${made}/Unity/${target}_${number}.cxx)
    file(CONFIGURE OUTPUT ${united} CONTENT "${text}" @ONLY)
    target_sources(${target} PRIVATE ${united})
    math(EXPR number "${number} + 1")
  endwhile()
  set_target_properties(${target} PROPERTIES UNITY_BUILD OFF)
  # __FILE__ is as it would be in a file that is not united.
  target_compile_options(${target} PRIVATE "SHELL:-iquote ."
    -fmacro-prefix-map=./${TARE_ROOT_FROM_BUILD}/=./)
endfunction()

# At the end, when all targets have all their sources.
function(unite_targets folder)
  get_property(targets DIRECTORY ${folder} PROPERTY BUILDSYSTEM_TARGETS)
  foreach(target IN LISTS targets)
    get_target_property(type ${target} TYPE)
    get_target_property(united ${target} UNITY_BUILD)
    if(united AND NOT type MATCHES "UTILITY|INTERFACE")
      unite_target(${target})
    endif()
  endforeach()
  get_property(folders DIRECTORY ${folder} PROPERTY SUBDIRECTORIES)
  foreach(inner IN LISTS folders)
    unite_targets(${inner})
  endforeach()
endfunction()
cmake_language(DEFER DIRECTORY ${PROJECT_SOURCE_DIR} CALL unite_targets ${PROJECT_SOURCE_DIR})
