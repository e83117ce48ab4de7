# millrace_room(NAME [ROOMS rooms...] [LIBS libraries...])
# One folder = one static library millrace_NAME of its *.cc files, and one test program NAME_test of
# its *_test.cc files, which lie beside what they test. ROOMS are the rooms it may include.
# Files named *_avx2.cc, *_avx512.cc, or so with _vnni behind, are compiled for that instruction set
# and only on x86-64, *_neon.cc only on arm64; everything else for the baseline of the architecture.
include(GoogleTest)

set(MILLRACE_AVX2_FLAGS -mavx2 -mfma -mf16c)
set(MILLRACE_AVX512_FLAGS -mavx512f -mavx512bw -mavx512dq -mavx512vl -mavx2 -mfma -mf16c
                          -mprefer-vector-width=512)

function(millrace_isa_flags)
  foreach(file ${ARGN})
    if(file MATCHES "_avx2\\.cc$")
      set_source_files_properties(${file} PROPERTIES COMPILE_OPTIONS "${MILLRACE_AVX2_FLAGS}")
    elseif(file MATCHES "_avx2_vnni\\.cc$")
      set_source_files_properties(${file} PROPERTIES
                                  COMPILE_OPTIONS "${MILLRACE_AVX2_FLAGS};-mavxvnni")
    elseif(file MATCHES "_avx512_vnni\\.cc$")
      set_source_files_properties(${file} PROPERTIES
                                  COMPILE_OPTIONS "${MILLRACE_AVX512_FLAGS};-mavx512vnni")
    elseif(file MATCHES "_avx512\\.cc$")
      set_source_files_properties(${file} PROPERTIES COMPILE_OPTIONS "${MILLRACE_AVX512_FLAGS}")
    endif()
  endforeach()
endfunction()

function(millrace_room name)
  cmake_parse_arguments(ARG "" "" "ROOMS;LIBS" ${ARGN})
  file(GLOB sources CONFIGURE_DEPENDS *.cc)
  set(tests ${sources})
  list(FILTER tests INCLUDE REGEX "_test\\.cc$")
  list(FILTER sources EXCLUDE REGEX "_test\\.cc$")
  if(NOT CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")
    list(FILTER sources EXCLUDE REGEX "_avx(2|512)(_vnni)?\\.cc$")
  endif()
  if(NOT CMAKE_SYSTEM_PROCESSOR MATCHES "aarch64|arm64")
    list(FILTER sources EXCLUDE REGEX "_neon\\.cc$")
  endif()
  millrace_isa_flags(${sources})

  list(TRANSFORM ARG_ROOMS PREPEND millrace_)
  if(sources)
    add_library(millrace_${name} STATIC ${sources})
    set(scope PUBLIC)
  else()
    add_library(millrace_${name} INTERFACE)
    set(scope INTERFACE)
  endif()
  target_include_directories(millrace_${name} ${scope} ${CMAKE_SOURCE_DIR}/src
                                                       ${CMAKE_SOURCE_DIR}/include)
  target_link_libraries(millrace_${name} ${scope} ${ARG_ROOMS} ${ARG_LIBS})

  if(tests)
    add_executable(${name}_test ${tests})
    target_link_libraries(${name}_test PRIVATE millrace_${name} GTest::gmock GTest::gtest_main)
    target_compile_definitions(${name}_test PRIVATE MILLRACE_SOURCE_DIR="${CMAKE_SOURCE_DIR}")
    gtest_discover_tests(${name}_test TEST_PREFIX "${name}." PROPERTIES LABELS unit
                         DISCOVERY_TIMEOUT 120 DISCOVERY_MODE PRE_TEST)
  endif()
endfunction()
