// A model server before the first invocation: waits until it answers /ping, then asks once for its
// /execution-parameters.
#pragma once

#include <chrono>
#include <functional>
#include <string>
#include <string_view>

#include "base/http_client.h"
#include "base/limits.h"
#include "handler/http_messages.h"

namespace millrace::handler {

struct HttpEndpoint {
  std::string url;      // without a trailing '/'
  bool direct = false;  // never through a proxy, though the address is not this machine's own
  std::chrono::seconds ping_timeout{limits::kPingTimeoutSeconds};
  // Looked at while nothing answers: an error ends the waiting (the process has ended, for one).
  std::function<Status()> alive = [] { return Status(); };
  // Looked at when a request was lost: the same, but waits a moment for a process that is ending.
  std::function<Status()> ended = [] { return Status(); };
  // Told what a user should know and is no error.
  std::function<void(std::string_view)> notice = [](std::string_view) {};
};

// Whether requests to the URL go past a proxy: this machine's own addresses.
bool is_loopback(const std::string& url);

// Until /ping answers 200. unavailable: not within `ping_timeout`; cancelled; the error of alive().
Status wait_until_ready(HttpClient& client, const HttpEndpoint& endpoint,
                        const CancelToken& cancel);

// What the server says of itself; a server that has nothing to say (404, most have not) leaves all
// unset. cancelled, or unavailable where it cannot be asked.
Result<ExecutionParameters> fetch_execution_parameters(HttpClient& client,
                                                       const HttpEndpoint& endpoint,
                                                       const CancelToken& cancel);

}  // namespace millrace::handler
