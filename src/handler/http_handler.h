// The http handler: a model server that answers SageMaker's container contract, wherever it runs.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>

#include "handler/http_endpoint.h"
#include "handler/inference_handler.h"

namespace millrace::handler {

struct HttpHandlerOptions {
  HttpEndpoint endpoint;
  // MaxConcurrentTransforms, where the job states it: else the server's own, else 1.
  std::optional<uint32_t> max_concurrent_transforms;
  std::chrono::seconds invocation_timeout{limits::kInvocationTimeoutSeconds};
  int invocation_retries = limits::kInvocationRetries;
  // MaxPayloadInMB 0: bodies go in chunks, as an endless stream would.
  bool chunked = false;
};

// Waits until the server is ready and asks for its parameters (http_endpoint.h has the errors).
// Then each invocation is a POST /invocations on a kept connection. Where no answer comes (no
// connection, time-out, a reply cut short) or its status is neither 2xx nor 4xx, the same body is
// sent again, `invocation_retries` times at most and after a short back-off: SageMaker repeats what
// timed out at once, and how it repeats a 5xx is not documented. What remains then is internal.
// 4xx is bad_input at once: the same records would be refused again.
Result<std::unique_ptr<InferenceHandler>> make_http_handler(HttpHandlerOptions options,
                                                            const CancelToken& cancel);

}  // namespace millrace::handler
