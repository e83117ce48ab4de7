// Ids of requests: UUIDs that no two requests of one server share, for the reply and the log.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>

namespace millrace::server {

class RequestIds {
 public:
  RequestIds();
  // By any thread.
  std::string next();

 private:
  const std::string seed_;
  std::atomic<uint64_t> count_{0};
};

}  // namespace millrace::server
