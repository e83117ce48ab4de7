// Where a bucket is reached: host, path and region. Amazon's own endpoints carry the bucket in the
// host name, everyone else's in the path.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/uri.h"

namespace millrace::store {

struct S3Address {
  std::string bucket;
  std::string region;
  std::optional<Url> endpoint;  // none: Amazon's for the region
};

struct S3Target {
  std::string scheme;
  std::string authority;  // the Host header
  std::string path;       // percent-encoded, begins with '/'
};

// `key` empty: the bucket itself.
S3Target s3_target(const S3Address& address, std::string_view key);

// "amazonaws.com" or its Chinese sister.
std::string amazon_domain(std::string_view region);

}  // namespace millrace::store
