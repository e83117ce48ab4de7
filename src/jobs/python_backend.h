// Makes a user's Python code ready to answer: finds or makes its Python, starts its first worker.
#pragma once

#include <filesystem>

#include "jobs/backends.h"
#include "jobs/python_model.h"

namespace millrace::jobs {

// Our folder python/, beside the program: installed, or in build/<preset>/ of the sources.
Result<std::filesystem::path> find_python_runtime(const std::filesystem::path& program);

// invalid_argument: no Python, packages that cannot be installed, code that cannot be loaded, each
// with its cause; internal, cancelled.
Result<LoadedHandler> load_python_handler(const PythonModel& model, const JobSettings& settings,
                                          const ModelHost& host, const CancelToken& cancel);

}  // namespace millrace::jobs
