#include "jobs/python_backend.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <system_error>

#include "base/xxh3.h"
#include "handler/python_handler.h"
#include "jobs/free_memory.h"
#include "jobs/model_environment.h"
#include "jobs/python_environment.h"

namespace millrace::jobs {
namespace {

namespace fs = std::filesystem;

int workers_of(const JobSettings& settings, const Variables& stated) {
  const auto found = stated.find("SAGEMAKER_MODEL_SERVER_WORKERS");
  int workers = 0;
  if (found != stated.end()) {
    std::from_chars(found->second.data(), found->second.data() + found->second.size(), workers);
  }
  return workers > 0 ? workers : settings.threads;
}

Variables worker_environment(const PythonModel& model, const JobSettings& settings,
                             const ModelHost& host, int workers) {
  Variables out = model_environment(settings, host.environment, host.stated_environment,
                                    model.model_folder.string());
  out["SAGEMAKER_PROGRAM"] = model.program;
  // The model's folder and the user's code stay as they are.
  out["PYTHONDONTWRITEBYTECODE"] = "1";
  const std::string threads = std::to_string(std::max(1, settings.threads / workers));
  for (const char* name : {"OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS",
                           "NUMEXPR_NUM_THREADS", "VECLIB_MAXIMUM_THREADS"}) {
    out.insert({name, threads});
  }
  return out;
}

// Names, sizes and times of all files: they change when somebody changes the model.
void add_files(const fs::path& folder, Xxh3* digest) {
  std::vector<std::string> files;
  std::error_code error;
  for (fs::recursive_directory_iterator file(folder, error), end; !error && file != end;
       file.increment(error)) {
    std::error_code ignored;
    if (!file->is_regular_file(ignored)) continue;
    files.push_back(fmt::format("{} {} {}", file->path().string(), file->file_size(ignored),
                                file->last_write_time(ignored).time_since_epoch().count()));
  }
  std::sort(files.begin(), files.end());
  for (const std::string& file : files) digest->field(file);
}

std::string identity_of(const PythonModel& model, const PythonEnvironment& python,
                        const Variables& stated) {
  Xxh3 digest;
  digest.field("python").field(python.identity).field(model.program);
  add_files(model.model_folder, &digest);
  add_files(model.code_folder, &digest);
  for (const auto& [name, value] : stated) digest.field(name).field(value);
  return digest.hex();
}

Result<PythonEnvironment> python_of(const PythonModel& model, const JobSettings& settings,
                                    const ModelHost& host, const CancelToken& cancel) {
  PythonRequest request;
  request.python = settings.python;
  request.image = settings.image;
  request.requirements = model.requirements;
  request.cache_folder = host.artifacts.cache_folder.parent_path() / "python";
  request.program = host.program;
  request.environment =
      pip_environment(model_environment(JobSettings(), host.environment, {}, ""), host.environment);
  request.notice = host.notice;
  request.cancel = cancel;
  return prepare_python(request);
}

}  // namespace

Result<fs::path> find_python_runtime(const fs::path& program) {
  const fs::path bin = program.parent_path();
  for (const char* place : {"../share/millrace/python", "../../python"}) {
    fs::path folder = (bin / place).lexically_normal();
    std::error_code ignored;
    if (fs::exists(folder / "millrace_worker" / "__main__.py", ignored)) return folder;
  }
  return fail(internal_error("the folder python/ with Millrace's Python files is not beside " +
                             program.string()));
}

Result<LoadedHandler> load_python_handler(const PythonModel& model, const JobSettings& settings,
                                          const ModelHost& host, const CancelToken& cancel) {
  if (host.program.empty()) {
    return fail(
        invalid_argument("the model has Python code, which only the millrace program can start"));
  }
  MR_ASSIGN(const PythonEnvironment python, python_of(model, settings, host, cancel));
  handler::PythonHandlerOptions options;
  options.workers_max = workers_of(settings, host.stated_environment);
  options.max_concurrent_transforms = settings.max_concurrent_transforms;
  if (settings.invocation_timeout_seconds) {
    options.invocation_timeout = std::chrono::seconds(*settings.invocation_timeout_seconds);
  }
  if (settings.invocation_retries) {
    options.invocation_retries = static_cast<int>(*settings.invocation_retries);
  }
  options.free_memory = free_memory;
  options.identity = identity_of(model, python, host.stated_environment);
  handler::PythonWorkerOptions& worker = options.worker;
  worker.program = host.program;
  worker.python = python.interpreter;
  MR_ASSIGN(worker.runtime, find_python_runtime(host.program));
  worker.model_folder = model.model_folder;
  worker.code_folder = model.code_folder;
  worker.environment = worker_environment(model, settings, host, options.workers_max);
  if (settings.ping_timeout_seconds) {
    worker.start_timeout = std::chrono::seconds(*settings.ping_timeout_seconds);
  }
  if (settings.model_stop_timeout_seconds) {
    worker.stop_timeout = std::chrono::seconds(*settings.model_stop_timeout_seconds);
  }
  worker.memory_bytes_max = settings.model_memory_in_mb.value_or(0) * limits::kMiB;
  // No worker may take more than there is: allocating without end is its own error then.
  worker.data_bytes_max = free_memory();
  worker.log = [notice = host.notice](std::string_view line) {
    notice(fmt::format("model: {}", line));
  };
  MR_ASSIGN(auto made, handler::make_python_handler(std::move(options), cancel));
  return LoadedHandler{std::move(made), nullptr, {}};
}

}  // namespace millrace::jobs
