// AWS Signature Version 4 as pure functions: for signing what we send (S3, STS) and for checking
// what others sign. The steps and their names are those of AWS's specification.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/digest.h"

namespace millrace {

using HeaderField = std::pair<std::string, std::string>;

struct SigV4Request {
  std::string method;
  std::string path;                  // as it stands in the request line
  std::string query;                 // likewise, without '?'
  std::vector<HeaderField> headers;  // those that are signed, in their order in the request
  std::string payload_sha256;        // lower-case hex, or UNSIGNED-PAYLOAD
};

// S3 signs the path as it is sent; every other service removes dot segments and repeated slashes
// and encodes it once more.
enum class SigV4Path { kAsSent, kNormalized };

struct SigV4Scope {
  std::string date;  // YYYYMMDD
  std::string region;
  std::string service;

  std::string text() const;  // date/region/service/aws4_request
};

struct SigV4Key {
  std::string access_key;
  std::string secret_key;
};

// "host;x-amz-date"
std::string sigv4_signed_headers(const std::vector<HeaderField>& headers);
// Where `signed_headers` is given, it becomes what sigv4_signed_headers says of the request's.
std::string sigv4_canonical_request(const SigV4Request& request, SigV4Path path,
                                    std::string* signed_headers = nullptr);
// `time` as "20150830T123600Z".
std::string sigv4_string_to_sign(std::string_view canonical_request, std::string_view time,
                                 const SigV4Scope& scope);
// What a day's requests to one service of one region are signed with.
Sha256Digest sigv4_signing_key(std::string_view secret_key, const SigV4Scope& scope);
std::string sigv4_signature(const Sha256Digest& signing_key, std::string_view string_to_sign);
// The Authorization header for `request`.
std::string sigv4_authorization(const SigV4Request& request, SigV4Path path, const SigV4Key& key,
                                std::string_view time, const SigV4Scope& scope);

}  // namespace millrace
