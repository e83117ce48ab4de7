// A request and its reply, as the server's handlers see them.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/sigv4.h"

namespace millrace::server {

struct ServerRequest {
  std::string method;
  std::string path;                  // as sent, without the query
  std::string query;                 // as sent, without '?'
  std::vector<HeaderField> headers;  // as sent, in their order
  std::string body;
  std::string peer;  // the client's address

  // The first header of that name, whatever its case; "" where there is none.
  std::string_view header(std::string_view name) const;
  size_t header_count(std::string_view name) const;
};

bool same_header_name(std::string_view a, std::string_view b);

struct ServerReply {
  int status = 200;
  std::string content_type;  // "": not stated
  std::string body;
  std::vector<HeaderField> headers = {};  // besides those of HTTP itself
};

}  // namespace millrace::server
