#include "store/s3_address.h"

namespace millrace::store {
namespace {

bool ends_with(std::string_view text, std::string_view end) {
  return text.size() >= end.size() && text.substr(text.size() - end.size()) == end;
}

bool is_amazon(const Url& url) {
  return ends_with(url.host, ".amazonaws.com") || ends_with(url.host, ".amazonaws.com.cn");
}

}  // namespace

std::string amazon_domain(std::string_view region) {
  return region.substr(0, 3) == "cn-" ? "amazonaws.com.cn" : "amazonaws.com";
}

S3Target s3_target(const S3Address& address, std::string_view key) {
  Url url;
  if (address.endpoint) {
    url = *address.endpoint;
  } else {
    url.scheme = "https";
    url.host = "s3." + address.region + "." + amazon_domain(address.region);
  }
  // Amazon's certificate covers one label before its domain: a bucket with dots goes into the path.
  const bool in_host = is_amazon(url) && address.bucket.find('.') == std::string::npos;
  S3Target target{url.scheme, url.authority(), url.path};
  if (in_host) {
    target.authority = address.bucket + "." + target.authority;
  } else {
    target.path += "/" + percent_encode(address.bucket);
  }
  if (!key.empty() || in_host) target.path += "/" + percent_encode(key, true);
  return target;
}

}  // namespace millrace::store
