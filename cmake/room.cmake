# millrace_room(NAME [ROOMS rooms...] [LIBS libraries...] [WITHOUT regex])
# One folder = one static library millrace_NAME of its *.cc files, and one test program NAME_test of
# its *_test.cc files, which lie beside what they test. ROOMS are the rooms it may include.
# Files whose path matches WITHOUT are left out.
# Files named *_avx2.cc, *_avx512.cc, or so with _vnni or _bf16 behind, are compiled for that
# instruction set and only on x86-64, *_neon.cc and *_neon_dot.cc only on arm64; everything else for
# the baseline of the architecture.
include(GoogleTest)

set(MILLRACE_AVX2_FLAGS -mavx2 -mfma -mf16c)
set(MILLRACE_NEON_DOT_FLAGS -march=armv8.2-a+dotprod)
set(MILLRACE_AVX512_FLAGS -mavx512f -mavx512bw -mavx512dq -mavx512vl -mavx2 -mfma -mf16c
                          -mprefer-vector-width=512)

function(millrace_isa_flags)
  foreach(file ${ARGN})
    if(file MATCHES "_avx2\\.cc$")
      set_source_files_properties(${file} PROPERTIES COMPILE_OPTIONS "${MILLRACE_AVX2_FLAGS}"
                                                     SKIP_PRECOMPILE_HEADERS ON)
    elseif(file MATCHES "_avx2_vnni\\.cc$")
      set_source_files_properties(${file} PROPERTIES
                                  COMPILE_OPTIONS "${MILLRACE_AVX2_FLAGS};-mavxvnni"
                                  SKIP_PRECOMPILE_HEADERS ON)
    elseif(file MATCHES "_avx512_vnni\\.cc$")
      set_source_files_properties(${file} PROPERTIES
                                  COMPILE_OPTIONS "${MILLRACE_AVX512_FLAGS};-mavx512vnni"
                                  SKIP_PRECOMPILE_HEADERS ON)
    elseif(file MATCHES "_avx512_bf16\\.cc$")
      set_source_files_properties(${file} PROPERTIES
                                  COMPILE_OPTIONS "${MILLRACE_AVX512_FLAGS};-mavx512bf16"
                                  SKIP_PRECOMPILE_HEADERS ON)
    elseif(file MATCHES "_neon_dot\\.cc$")
      set_source_files_properties(${file} PROPERTIES COMPILE_OPTIONS "${MILLRACE_NEON_DOT_FLAGS}"
                                                     SKIP_PRECOMPILE_HEADERS ON)
    elseif(file MATCHES "_avx512\\.cc$")
      set_source_files_properties(${file} PROPERTIES COMPILE_OPTIONS "${MILLRACE_AVX512_FLAGS}"
                                                     SKIP_PRECOMPILE_HEADERS ON)
    endif()
  endforeach()
endfunction()

# Reading the standard library's headers is more than half of the work of compiling a file of ours.
# In builds for tests they are read once, for libraries and for test programs (which add gtest).
# The release build goes without, so that every file is known to include what it uses.
option(MILLRACE_PCH "Precompile the standard headers" OFF)
set(MILLRACE_STD_HEADERS
    <algorithm> <array> <atomic> <chrono> <cstdint> <cstring> <filesystem> <fstream> <functional>
    <future> <map> <memory> <mutex> <optional> <span> <string> <string_view> <system_error>
    <thread> <utility> <vector> <tl/expected.hpp>)
if(MILLRACE_PCH)
  if(CMAKE_CXX_COMPILER_ID MATCHES Clang)
    # Else no two of its precompiled headers are equal, and ccache never finds anything.
    add_compile_options("SHELL:-Xclang -fno-pch-timestamp")
  else()
    # g++ 12 sees these in code of the standard library that it else knows not to warn of; the
    # release build has them.
    add_compile_options(-Wno-array-bounds -Wno-restrict -Wno-stringop-overflow)
  endif()
  file(WRITE ${CMAKE_BINARY_DIR}/pch/library.cc "// Owns the precompiled headers of libraries.\n")
  file(WRITE ${CMAKE_BINARY_DIR}/pch/program.cc "int main() {}\n")
  add_library(millrace_pch STATIC ${CMAKE_BINARY_DIR}/pch/library.cc)
  target_precompile_headers(millrace_pch PRIVATE ${MILLRACE_STD_HEADERS})
  add_executable(millrace_test_pch ${CMAKE_BINARY_DIR}/pch/program.cc)
  target_link_libraries(millrace_test_pch PRIVATE GTest::gmock GTest::gtest)
  target_precompile_headers(millrace_test_pch PRIVATE ${MILLRACE_STD_HEADERS} <gmock/gmock.h>
                                                      <gtest/gtest.h>)
endif()

function(millrace_precompiled target owner)
  if(MILLRACE_PCH)
    target_precompile_headers(${target} REUSE_FROM ${owner})
  endif()
endfunction()

# The rooms that read foreign bytes: libFuzzer follows what is reached in them.
set(MILLRACE_FUZZED_ROOMS base record model handler store transform server)

function(millrace_room name)
  cmake_parse_arguments(ARG "" "WITHOUT" "ROOMS;LIBS" ${ARGN})
  file(GLOB sources CONFIGURE_DEPENDS *.cc)
  if(ARG_WITHOUT)
    list(FILTER sources EXCLUDE REGEX "${ARG_WITHOUT}")
  endif()
  set(tests ${sources})
  list(FILTER tests INCLUDE REGEX "_test\\.cc$")
  list(FILTER sources EXCLUDE REGEX "_test\\.cc$")
  if(NOT CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")
    list(FILTER sources EXCLUDE REGEX "_avx(2|512)(_vnni|_bf16)?\\.cc$")
  endif()
  if(NOT CMAKE_SYSTEM_PROCESSOR MATCHES "aarch64|arm64")
    list(FILTER sources EXCLUDE REGEX "_neon(_dot)?\\.cc$")
  endif()
  millrace_isa_flags(${sources})

  list(TRANSFORM ARG_ROOMS PREPEND millrace_)
  if(sources)
    add_library(millrace_${name} STATIC ${sources})
    millrace_precompiled(millrace_${name} millrace_pch)
    if(MILLRACE_FUZZ AND name IN_LIST MILLRACE_FUZZED_ROOMS)
      target_compile_options(millrace_${name} PRIVATE
        -fsanitize-coverage=inline-8bit-counters,indirect-calls,trace-cmp,pc-table)
    endif()
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
    millrace_precompiled(${name}_test millrace_test_pch)
    target_compile_definitions(${name}_test PRIVATE MILLRACE_SOURCE_DIR="${CMAKE_SOURCE_DIR}")
    gtest_discover_tests(${name}_test TEST_PREFIX "${name}." PROPERTIES LABELS unit
                         DISCOVERY_TIMEOUT 120 DISCOVERY_MODE PRE_TEST)
  endif()
endfunction()
