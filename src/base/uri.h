// URIs taken apart and percent-encoding as S3 and SigV4 want it. Pure functions on text.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace millrace {

// Everything but A-Z a-z 0-9 - . _ ~ becomes %XX (upper case); '/' stays where `keep_slash`.
std::string percent_encode(std::string_view text, bool keep_slash = false);

// The reverse; invalid_argument where '%' is not followed by two hexadecimal digits. S3's listings
// write a space as '+'.
Result<std::string> percent_decode(std::string_view text, bool plus_is_space = false);

struct Url {
  std::string scheme;  // "http" or "https"
  std::string host;    // lower case; IPv6 in brackets
  int port = 0;        // 0: the scheme's own
  std::string path;    // as written, without a trailing '/'; may be empty

  // "host" or "host:port", as the Host header and a signature spell it.
  std::string authority() const;
  std::string text() const { return scheme + "://" + authority() + path; }
};

// An http or https URL without user, query or fragment, such as an endpoint.
Result<Url> parse_endpoint_url(std::string_view text);

}  // namespace millrace
