// Callbacks rather than coroutines, because each session is a short circle: read a request, hand it
// on, write the answer. Connections that idle or dawdle are closed by the stream's own timer.
#include "server/http_server.h"

#include <array>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <exception>
#include <optional>
#include <utility>

namespace millrace::server {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
using asio::ip::tcp;
using boost::system::error_code;

constexpr std::chrono::milliseconds kCancelPoll(50);
constexpr std::chrono::seconds kLingerTime(5);
// Answers that are due when we are asked to stop.
constexpr std::chrono::seconds kDrainTime(10);

// What sessions share; used by the one thread only.
struct Shared {
  ServerOptions options;
  ServerHandler handler;
  size_t connections = 0;
  size_t answers_due = 0;
  bool stopping = false;
};

class Session : public std::enable_shared_from_this<Session> {
 public:
  Session(tcp::socket socket, Shared& shared) : stream_(std::move(socket)), shared_(shared) {
    ++shared_.connections;
  }
  ~Session() { --shared_.connections; }
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  void read() {
    parser_.emplace();
    parser_->body_limit(shared_.options.body_bytes_max);
    stream_.expires_after(shared_.options.idle_timeout);
    http::async_read(stream_, buffer_, *parser_,
                     [self = shared_from_this()](error_code error, size_t) { self->taken(error); });
  }

 private:
  void taken(error_code error) {
    if (error == http::error::body_limit) return refuse(413, "the body is too large\n");
    if (error == http::error::end_of_stream || error == beast::error::timeout) return close();
    if (error.category() == http::make_error_code(http::error::bad_method).category()) {
      return refuse(400, "not a request: " + error.message() + "\n");
    }
    if (error) return;
    auto message = parser_->release();
    keep_alive_ = message.keep_alive();
    ServerRequest request;
    request.method = std::string(message.method_string());
    const std::string target(message.target());
    request.path = target.substr(0, target.find('?'));
    request.content_type = std::string(message[http::field::content_type]);
    request.accept = std::string(message[http::field::accept]);
    request.input_object = std::string(message["X-Amzn-SageMaker-Input-Object"]);
    request.body = std::move(message.body());
    stream_.expires_never();  // as long as the answer takes
    ++shared_.answers_due;
    shared_.handler(std::move(request), [self = shared_from_this()](ServerReply reply) {
      asio::post(self->stream_.get_executor(), [self, reply = std::move(reply)]() mutable {
        --self->shared_.answers_due;
        self->write(std::move(reply));
      });
    });
  }

  void refuse(int status, std::string why) {
    keep_alive_ = false;
    write({status, "text/plain", std::move(why)});
  }

  void write(ServerReply reply) {
    response_ = {};
    response_.result(static_cast<unsigned>(reply.status));
    response_.version(11);
    response_.keep_alive(keep_alive_ && !shared_.stopping);
    if (!reply.content_type.empty()) response_.set(http::field::content_type, reply.content_type);
    response_.body() = std::move(reply.body);
    response_.prepare_payload();
    stream_.expires_after(shared_.options.idle_timeout);
    http::async_write(stream_, response_, [self = shared_from_this()](error_code error, size_t) {
      self->written(error);
    });
  }

  void written(error_code error) {
    if (error) return;
    if (!response_.keep_alive()) return close();
    read();
  }

  // What a client still sends is read and dropped for a while: a socket that is closed over unread
  // bytes resets the connection, and the client would never see why it was refused.
  void close() {
    error_code ignored;
    stream_.socket().shutdown(tcp::socket::shutdown_send, ignored);
    stream_.expires_after(kLingerTime);
    drop();
  }

  void drop() {
    stream_.async_read_some(asio::buffer(dropped_),
                            [self = shared_from_this()](error_code error, size_t) {
                              if (!error) self->drop();
                            });
  }

  beast::tcp_stream stream_;
  Shared& shared_;
  beast::flat_buffer buffer_;
  std::optional<http::request_parser<http::string_body>> parser_;
  http::response<http::string_body> response_;
  bool keep_alive_ = true;
  std::array<char, 4096> dropped_;
};

class BeastServer final : public HttpServer {
 public:
  BeastServer(const ServerOptions& options, ServerHandler handler) : acceptor_(io_), timer_(io_) {
    shared_.options = options;
    shared_.handler = std::move(handler);
  }

  Status listen() {
    const ServerOptions& options = shared_.options;
    error_code error;
    const auto address = asio::ip::make_address(options.address, error);
    const tcp::endpoint endpoint(address, options.port);
    if (!error) acceptor_.open(endpoint.protocol(), error);
    if (!error) acceptor_.set_option(asio::socket_base::reuse_address(true), error);
    if (!error) acceptor_.bind(endpoint, error);
    if (!error) acceptor_.listen(asio::socket_base::max_listen_connections, error);
    if (!error) return {};
    return fail(invalid_argument("listen on " + options.address + " port " +
                                 std::to_string(options.port) + ": " + error.message()));
  }

  int port() const override {
    error_code ignored;
    return acceptor_.local_endpoint(ignored).port();
  }

  Status run(const CancelToken& cancel) override {
    accept();
    watch(cancel);
    try {
      io_.run();
    } catch (const std::exception& error) {
      return fail(internal_error(std::string("serving failed: ") + error.what()));
    }
    return {};
  }

 private:
  void accept() {
    acceptor_.async_accept([this](error_code error, tcp::socket socket) {
      if (error == asio::error::operation_aborted) return;
      if (!error && shared_.connections < shared_.options.connections_max) {
        error_code ignored;
        socket.set_option(tcp::no_delay(true), ignored);
        std::make_shared<Session>(std::move(socket), shared_)->read();
      }
      accept();  // one beyond the limit is closed at once
    });
  }

  void watch(const CancelToken& cancel) {
    timer_.expires_after(kCancelPoll);
    timer_.async_wait([this, &cancel](error_code) {
      if (cancel.cancelled() && !shared_.stopping) {
        shared_.stopping = true;
        error_code ignored;
        acceptor_.close(ignored);
        drained_by_ = std::chrono::steady_clock::now() + kDrainTime;
      }
      const bool late = std::chrono::steady_clock::now() >= drained_by_;
      if (shared_.stopping && (shared_.answers_due == 0 || late)) return io_.stop();
      watch(cancel);
    });
  }

  Shared shared_;  // outlives the sessions, which the context holds
  asio::io_context io_{1};
  tcp::acceptor acceptor_;
  asio::steady_timer timer_;
  std::chrono::steady_clock::time_point drained_by_;
};

}  // namespace

Result<std::unique_ptr<HttpServer>> HttpServer::listen(const ServerOptions& options,
                                                       ServerHandler handler) {
  auto server = std::make_unique<BeastServer>(options, std::move(handler));
  MR_TRY(server->listen());
  return server;
}

}  // namespace millrace::server
