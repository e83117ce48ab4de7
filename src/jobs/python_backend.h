// Makes a user's Python code ready to answer: finds or makes its Python, starts its first worker.
#pragma once

#include "jobs/backends.h"
#include "jobs/python_model.h"

namespace millrace::jobs {

// invalid_argument: no Python, packages that cannot be installed, code that cannot be loaded, each
// with its cause; internal, cancelled.
Result<LoadedHandler> load_python_handler(const PythonModel& model, const JobSettings& settings,
                                          const ModelHost& host, const CancelToken& cancel);

}  // namespace millrace::jobs
