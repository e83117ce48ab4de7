#include "jobs/http_settings.h"

#include <chrono>

namespace millrace::jobs {

handler::HttpHandlerOptions http_options(const JobSettings& settings,
                                         const std::function<void(std::string_view)>& notice) {
  handler::HttpHandlerOptions options;
  options.endpoint.notice = notice;
  if (settings.ping_timeout_seconds) {
    options.endpoint.ping_timeout = std::chrono::seconds(*settings.ping_timeout_seconds);
  }
  options.max_concurrent_transforms = settings.max_concurrent_transforms;
  if (settings.invocation_timeout_seconds) {
    options.invocation_timeout = std::chrono::seconds(*settings.invocation_timeout_seconds);
  }
  if (settings.invocation_retries) {
    options.invocation_retries = static_cast<int>(*settings.invocation_retries);
  }
  options.chunked = settings.max_payload_in_mb == 0U;
  return options;
}

}  // namespace millrace::jobs
