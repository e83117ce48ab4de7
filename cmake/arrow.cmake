# Apache Arrow C++, for Parquet: an optional component. The system's where it has one, else that of
# the pyarrow wheel, which scripts/setup puts into the developers' cache: its libraries need no
# Python, and are of the C++ ABI that g++ has by default. With either, the target millrace_arrow.
# Sanitizers cannot see into the libraries and raise false alarms about what they allocate, so
# builds under them do without.
option(MILLRACE_PARQUET "Parquet, where Apache Arrow is found" ON)
set(MILLRACE_ARROW_DIR "" CACHE PATH "Folder of Arrow: include/, libarrow.so.*, libparquet.so.*")

function(millrace_find_arrow)
  find_package(Arrow QUIET)
  find_package(Parquet QUIET)
  if(TARGET Arrow::arrow_shared AND TARGET Parquet::parquet_shared)
    add_library(millrace_arrow INTERFACE)
    target_link_libraries(millrace_arrow INTERFACE Parquet::parquet_shared Arrow::arrow_shared)
    return()
  endif()
  if(DEFINED ENV{XDG_CACHE_HOME})
    set(cache $ENV{XDG_CACHE_HOME})
  else()
    set(cache $ENV{HOME}/.cache)
  endif()
  file(GLOB arrow ${MILLRACE_ARROW_DIR}/libarrow.so.*
       ${cache}/millrace-dev/arrow-*/pyarrow/libarrow.so.*)
  if(NOT arrow)
    return()
  endif()
  list(GET arrow -1 arrow)
  get_filename_component(folder ${arrow} DIRECTORY)
  file(GLOB parquet ${folder}/libparquet.so.*)
  add_library(millrace_arrow INTERFACE)
  target_include_directories(millrace_arrow SYSTEM INTERFACE ${folder}/include)
  target_link_libraries(millrace_arrow INTERFACE ${parquet} ${arrow})
  # Installed beside the module that needs them.
  set(MILLRACE_ARROW_FILES ${parquet} ${arrow} PARENT_SCOPE)
endfunction()

if(MILLRACE_PARQUET AND NOT MILLRACE_SANITIZE AND NOT MILLRACE_FUZZ)
  millrace_find_arrow()
endif()
if(NOT TARGET millrace_arrow)
  message(STATUS "Parquet is left out: no Apache Arrow here (scripts/setup brings it)")
endif()
