# From here on, eight source files of a target are compiled as one, in a third of the time.
#
# Names in unnamed namespaces must then differ within a target. A file that defines a name of another file is compiled
# by itself: it is listed under SKIP_UNITY_BUILD_INCLUSION.
set(CMAKE_UNITY_BUILD ON)
set(CMAKE_UNITY_BUILD_BATCH_SIZE 8)
# A name may be that of a constant in another file. For g++, a file that is included is a header, whose types in unnamed
# namespaces it warns about.
add_compile_options(-Wno-shadow $<$<CXX_COMPILER_ID:GNU>:-Wno-subobject-linkage>)
