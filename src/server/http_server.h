// HTTP/1.1 in: one thread of input and output that never computes for long. What a request asks for
// is done by others, who answer when they are ready. The one file that knows Boost.Beast is
// http_server.cc.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "base/cancel.h"
#include "base/limits.h"
#include "base/result.h"
#include "server/http_message.h"
#include "server/tls_certificate.h"

namespace millrace::server {

// To be called once, by any thread, before the server is destroyed.
using Answer = std::function<void(ServerReply)>;
// Called by the server's thread, which it must not hold up.
using ServerHandler = std::function<void(ServerRequest, Answer)>;

struct ServerOptions {
  std::string address = "127.0.0.1";
  uint16_t port = 0;  // 0: any free one
  uint64_t body_bytes_max = limits::kPayloadBytesMax;
  size_t connections_max = limits::kServerConnectionsMax;
  // A connection that waits for its next request is closed after this, or when a new one needs its
  // place.
  std::chrono::seconds idle_timeout{limits::kServerIdleSeconds};
  // From a request's first byte to the end of its headers, and from there to the end of its body.
  std::chrono::seconds header_timeout{limits::kServerHeaderSeconds};
  std::chrono::seconds body_timeout{limits::kServerIdleSeconds};
  std::shared_ptr<const TlsCertificate> certificate;  // unset: no TLS
  // A reply to give on the headers alone, without waiting for the body; unset or nullopt: none.
  std::function<std::optional<ServerReply>(const ServerRequest&)> early_reply;
  // The reply to what is refused here: 400 (not HTTP, or HTTP that two readers might read
  // differently), 408, 413, 431. Unset: plain text.
  std::function<ServerReply(int status, const std::string& why)> refusal;
};

// What monitoring wants to know.
struct ServerCounters {
  uint64_t accepted = 0, turned_away = 0, requests = 0, refused = 0;
  uint64_t open = 0;  // a gauge
};

class HttpServer {
 public:
  // Listens from here on. invalid_argument: the address, a port that is taken, the certificate.
  static Result<std::unique_ptr<HttpServer>> listen(const ServerOptions& options,
                                                    ServerHandler handler);
  virtual ~HttpServer() = default;

  virtual int port() const = 0;
  // Serves until cancelled; then takes no more connections, and waits a little for the answers
  // that are due.
  virtual Status run(const CancelToken& cancel) = 0;
  // By any thread.
  virtual ServerCounters counters() const = 0;
};

}  // namespace millrace::server
