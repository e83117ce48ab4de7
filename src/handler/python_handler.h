// The python handler: a user's inference.py, run by worker processes of ours behind AWS's own
// toolkit. One request at a time in each worker; a worker that dies is started anew.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "handler/inference_handler.h"
#include "handler/python_worker.h"

namespace millrace::handler {

struct PythonHandlerOptions {
  PythonWorkerOptions worker;
  int workers_max = 1;
  // MaxConcurrentTransforms, where the job states it: no more workers than that.
  std::optional<uint32_t> max_concurrent_transforms;
  std::chrono::seconds invocation_timeout{limits::kInvocationTimeoutSeconds};
  int invocation_retries = limits::kInvocationRetries;
  // Bytes of memory that are free now, which bound the number of workers; 0: not known.
  std::function<uint64_t()> free_memory = [] { return uint64_t{0}; };
  std::string identity;  // see HandlerTraits
};

// Starts the first worker and waits until it has loaded the model (python_worker.h has the errors);
// the others start when there is work for them, as many as fit into memory.
// An answer of 2xx is the reply, 4xx is bad_input. Other statuses and time-outs are tried again,
// `invocation_retries` times at most and at once, and are internal then. A request that kills its
// worker is tried once more; when it kills that one, too, it is bad_input, with the last lines of
// the log. A model that only ever dies is internal.
Result<std::unique_ptr<InferenceHandler>> make_python_handler(PythonHandlerOptions options,
                                                              const CancelToken& cancel);

}  // namespace millrace::handler
