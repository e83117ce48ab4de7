// HTTP/1.1 in: one thread of input and output that never computes. What a request asks for is done
// by others, who answer when they are ready. The one file that knows Boost.Beast is http_server.cc.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "base/cancel.h"
#include "base/limits.h"
#include "base/result.h"

namespace millrace::server {

struct ServerRequest {
  std::string method;
  std::string path;  // without the query
  std::string content_type;
  std::string accept;
  std::string input_object;  // X-Amzn-SageMaker-Input-Object
  std::string body;
};

struct ServerReply {
  int status = 200;
  std::string content_type;  // "": not stated
  std::string body;
};

// To be called once, by any thread, before the server is destroyed.
using Answer = std::function<void(ServerReply)>;
// Called by the server's thread, which it must not hold up.
using ServerHandler = std::function<void(ServerRequest, Answer)>;

struct ServerOptions {
  std::string address = "127.0.0.1";
  uint16_t port = 0;  // 0: any free one
  uint64_t body_bytes_max = limits::kPayloadBytesMax;
  size_t connections_max = limits::kServerConnectionsMax;
  std::chrono::seconds idle_timeout{limits::kServerIdleSeconds};
};

class HttpServer {
 public:
  // Listens from here on. invalid_argument: the address, or a port that is taken.
  static Result<std::unique_ptr<HttpServer>> listen(const ServerOptions& options,
                                                    ServerHandler handler);
  virtual ~HttpServer() = default;

  virtual int port() const = 0;
  // Serves until cancelled; then takes no more connections, and waits a little for the answers
  // that are due.
  virtual Status run(const CancelToken& cancel) = 0;
};

}  // namespace millrace::server
