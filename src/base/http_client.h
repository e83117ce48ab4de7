// HTTP/1.1 over kept-alive connections: one request, one reply. Thin on purpose: no retries
// (retry.h), no redirects, no knowledge of any service. The one file that knows curl is
// http_client.cc.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/cancel.h"
#include "base/limits.h"
#include "base/result.h"
#include "base/sigv4.h"

namespace millrace {

struct HttpRequest {
  std::string method = "GET";
  std::string url;  // sent as it stands: dot segments and repeated slashes are kept
  std::vector<HeaderField> headers;
  std::string_view body;  // outlives the call
  // Set: gives the body of a chunked request as it is sent, 0 at its end, instead of `body`. Its
  // error ends the request. Such a request is never sent again by itself.
  std::function<Result<size_t>(std::span<char>)> source;
  std::chrono::milliseconds connect_timeout{limits::kHttpConnectTimeoutMs};
  std::chrono::milliseconds idle_timeout{limits::kHttpIdleTimeoutMs};  // without a byte
  std::chrono::milliseconds timeout{0};                                // for all of it; 0: none
  size_t reply_bytes_max = limits::kHttpReplyBytesMax;                 // of what is kept in `body`
  // Set: takes the body of a 2xx reply as it arrives, instead of HttpReply::body. Its error ends
  // the request.
  std::function<Status(std::string_view)> sink;
  // On a kept connection that the server has closed meanwhile, curl sends a request again by
  // itself. Not where a request that was carried out twice would leave something behind.
  bool fresh_connection = false;
  bool direct = false;       // never through a proxy (link-local services)
  bool chunked = false;      // the body goes in chunks, without a Content-Length
  bool accept_gzip = false;  // asks for gzip and unpacks it; limits are of what is unpacked
};

struct HttpReply {
  int status = 0;
  std::vector<HeaderField> headers;  // names in lower case
  std::string body;

  // "" where there is none.
  std::string header(std::string_view lower_case_name) const;
};

struct HttpOptions {
  std::string ca_bundle;  // PEM file; "": the system's
};

// Safe for use by several threads; each request in flight has a connection of its own.
class HttpClient {
 public:
  explicit HttpClient(HttpOptions options = {});
  ~HttpClient();
  HttpClient(const HttpClient&) = delete;
  HttpClient& operator=(const HttpClient&) = delete;

  // Any status is a reply. No reply is unavailable (connection, time-out, a body cut short),
  // invalid_argument (URL, certificate), or cancelled.
  Result<HttpReply> send(const HttpRequest& request, const CancelToken& cancel);

 private:
  class Pool;
  const HttpOptions options_;
  std::unique_ptr<Pool> pool_;
};

}  // namespace millrace
