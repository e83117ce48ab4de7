// One Python process that has loaded a user's model and answers one request at a time over a
// private socket. It runs under a supervisor, like every model that we start (model_process.h).
#pragma once

#include <chrono>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "base/cancel.h"
#include "base/limits.h"
#include "base/result.h"
#include "base/unique_fd.h"
#include "handler/http_messages.h"
#include "handler/inference_handler.h"
#include "handler/model_process.h"

namespace millrace::handler {

struct PythonWorkerOptions {
  std::filesystem::path program;  // millrace itself, for the supervisor
  std::filesystem::path python;   // the interpreter
  std::filesystem::path runtime;  // our folder python/
  std::filesystem::path model_folder;
  std::filesystem::path code_folder;
  // All that the worker finds in its environment, but for its temporary folder.
  std::map<std::string, std::string> environment;
  std::chrono::seconds start_timeout{limits::kPingTimeoutSeconds};
  std::chrono::seconds stop_timeout{limits::kModelStopSeconds};
  uint64_t memory_bytes_max = 0;  // of address space; 0: no limit
  uint64_t data_bytes_max = 0;    // of memory of its own; 0: no limit
  std::function<void(std::string_view)> log = [](std::string_view) {};
};

class PythonWorker {
 public:
  // Starts worker `index` and waits until it has loaded the model. invalid_argument: the user's
  // code cannot be loaded, with cause and traceback; internal: the process ended or said nothing in
  // time, with its last lines; cancelled.
  static Result<std::unique_ptr<PythonWorker>> start(const PythonWorkerOptions& options, int index,
                                                     const CancelToken& cancel);

  // What the code says of itself, and the memory that a further worker takes.
  const ExecutionParameters& parameters() const { return parameters_; }
  uint64_t memory_bytes() const { return memory_bytes_; }

  struct Answer {
    int status = 200;
    std::string content_type;
    std::string body;
  };
  // Sends the request and waits for its answer. unavailable: the process died, with its last lines,
  // or did not answer in `timeout` and was ended; cancelled: likewise ended, unless it answered
  // shortly after. After an error the worker is of no more use.
  Result<Answer> ask(const InvokeRequest& request, std::chrono::seconds timeout);
  // Whether the last error was the death of the process, rather than its silence.
  bool died() const { return died_; }

 private:
  PythonWorker(std::shared_ptr<ModelProcess> process, UniqueFd channel)
      : process_(std::move(process)), channel_(std::move(channel)) {}
  Status await_ready(std::chrono::seconds timeout, const CancelToken& cancel);

  std::shared_ptr<ModelProcess> process_;
  UniqueFd channel_;
  ExecutionParameters parameters_;
  uint64_t memory_bytes_ = 0;
  bool died_ = false;
};

}  // namespace millrace::handler
