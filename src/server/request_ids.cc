// Digests of a counter, because a request's id has to be different and not secret.
#include "server/request_ids.h"

#include <unistd.h>

#include <chrono>

#include "base/xxh3.h"

namespace millrace::server {

RequestIds::RequestIds()
    : seed_(std::to_string(::getpid()) + ' ' +
            std::to_string(std::chrono::system_clock::now().time_since_epoch().count())) {}

std::string RequestIds::next() {
  std::string id = xxh3_hex(seed_ + ' ' + std::to_string(++count_));
  id[12] = '4';  // as version 4, which clients may look for
  id[16] = "89ab"[static_cast<unsigned char>(id[16]) % 4];
  for (const size_t at : {20U, 16U, 12U, 8U}) id.insert(at, "-");
  return id;
}

}  // namespace millrace::server
