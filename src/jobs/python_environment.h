// The Python that runs a model's code: one that the user names, or a virtual environment that is
// made once for each set of packages and kept in the cache.
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <string_view>

#include "base/cancel.h"
#include "base/result.h"
#include "jobs/job_options.h"

namespace millrace::jobs {

struct PythonRequest {
  // An interpreter, or a folder with bin/python; "": python3 from the PATH.
  std::string python;
  std::string image;                   // an AWS image's URI; "": none
  std::filesystem::path requirements;  // requirements.txt; empty: none
  std::filesystem::path cache_folder;  // environments that were made
  std::filesystem::path program;       // millrace itself: it supervises pip, too
  Variables environment;               // what pip and the interpreter find, without secrets
  std::function<void(std::string_view)> notice = [](std::string_view) {};
  CancelToken cancel;
};

struct PythonEnvironment {
  std::filesystem::path interpreter;
  std::string identity;  // of interpreter and packages asked for
};

// The interpreter itself where it has AWS's toolkit and nothing is required; else environments on
// top of it, made by its own venv and pip: one with the toolkit and the image's packages, and one
// more with the requirements. What lies below stays visible. invalid_argument: no such interpreter,
// older than Python 3.8, or pip fails, with its last lines; cancelled.
Result<PythonEnvironment> prepare_python(const PythonRequest& request);

// pip reads these of the process's environment besides what every model gets.
Variables pip_environment(const Variables& cleaned, const Variables& process);

}  // namespace millrace::jobs
