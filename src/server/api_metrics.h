// Counters of the API and of the jobs behind it, in Prometheus's text form.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <string_view>

#include "jobs/job_service.h"
#include "server/http_server.h"

namespace millrace::server {

class ApiMetrics {
 public:
  // One request was answered. `operation` and `code` ("" for success) are names of ours or AWS's,
  // never what a client sent.
  void count(std::string_view operation, int status, std::string_view code, double seconds);

  // Everything, for GET /metrics. Waits for /proc.
  std::string text(const jobs::ServiceCounters& jobs, const ServerCounters& http) const;

 private:
  static constexpr std::array<double, 8> kBounds = {0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 1, 10};
  struct Requests {
    std::map<std::string, uint64_t> by_outcome;  // `code="...",status="..."`
    std::array<uint64_t, kBounds.size() + 1> buckets{};
    double seconds = 0;
    uint64_t count = 0;
  };
  mutable std::mutex mutex_;
  std::map<std::string, Requests, std::less<>> requests_;
};

}  // namespace millrace::server
