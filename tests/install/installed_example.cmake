# The installed package works for a program that knows nothing of this build: see CMakeLists.txt.
function(run)
  execute_process(COMMAND ${ARGN} RESULT_VARIABLE status OUTPUT_VARIABLE output
                  ERROR_VARIABLE output)
  if(NOT status EQUAL 0)
    string(JOIN " " command ${ARGN})
    message(FATAL_ERROR "${command}\nexit status ${status}\n${output}")
  endif()
  set(output "${output}" PARENT_SCOPE)
endfunction()

function(expect text)
  if(NOT output MATCHES "${text}")
    message(FATAL_ERROR "expected '${text}' in:\n${output}")
  endif()
endfunction()

set(prefix ${SCRATCH}/prefix)
file(REMOVE_RECURSE ${SCRATCH})
run(${CMAKE_COMMAND} --install ${BUILD} --prefix ${prefix})

# Nothing but the interface is visible to those who link.
file(GLOB_RECURSE library ${prefix}/*/libmillrace.so)
run(nm -D --defined-only --extern-only -C ${library})
expect("millrace::Model::load")
if(output MATCHES "millrace::(model|nn|jobs|transform|store|record|handler)::")
  message(FATAL_ERROR "the library shows names of its inside:\n${output}")
endif()

run(${CMAKE_COMMAND} -G ${GENERATOR} -S ${SOURCE}/examples/cpp -B ${SCRATCH}/example
    -D CMAKE_PREFIX_PATH=${prefix} -D CMAKE_CXX_COMPILER=${COMPILER}
    "-DCMAKE_CXX_FLAGS=-Wall -Wextra -Werror")
run(${CMAKE_COMMAND} --build ${SCRATCH}/example)

# The shipped model by its name, found beside the library; a job over the samples.
set(ENV{XDG_STATE_HOME} ${SCRATCH}/state)
run(${SCRATCH}/example/classify_reviews sst2-small
    ${SOURCE}/samples/reviews.csv ${SCRATCH}/labelled.csv)
expect("POSITIVE\t")
expect("NEGATIVE\t")
expect("records -> ")
file(STRINGS ${SCRATCH}/labelled.csv header LIMIT_COUNT 1)
if(NOT header MATCHES "predicted_label")
  message(FATAL_ERROR "no predicted_label among the columns: ${header}")
endif()

run(${prefix}/bin/millrace --version)
expect("millrace [0-9]+\\.[0-9]+\\.[0-9]+")

# The service's unit starts the program where it lies.
file(STRINGS ${prefix}/lib/systemd/system/millrace.service start REGEX "^ExecStart=")
if(NOT start STREQUAL "ExecStart=${prefix}/bin/millrace serve --config /etc/millrace/millrace.conf")
  message(FATAL_ERROR "the unit has ${start}")
endif()
run(${prefix}/bin/millrace serve --config ${prefix}/share/millrace/millrace.conf --help)
