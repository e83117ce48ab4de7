// Callbacks rather than coroutines, because each session is a short circle: wait for a request,
// read it, hand it on, write the answer. Connections that idle or dawdle are closed by the stream's
// own timer.
#include "server/http_server.h"

#include <array>
#include <atomic>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <boost/beast/ssl.hpp>
#include <exception>
#include <list>
#include <type_traits>
#include <utility>

namespace millrace::server {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
using asio::ip::tcp;
using boost::system::error_code;
using PlainStream = beast::tcp_stream;
using TlsStream = beast::ssl_stream<beast::tcp_stream>;

constexpr std::chrono::milliseconds kCancelPoll(50);
constexpr std::chrono::seconds kLingerTime(5);
// Answers that are due when we are asked to stop.
constexpr std::chrono::seconds kDrainTime(10);
constexpr size_t kReadBytes = 4096;

class Evictable {
 public:
  virtual ~Evictable() = default;
  virtual void evict() = 0;
};

// What sessions share; but for the counters used by the one thread only.
struct Shared {
  ServerOptions options;
  ServerHandler handler;
  size_t connections = 0;
  size_t answers_due = 0;
  bool stopping = false;
  std::list<Evictable*> idle;  // the longest first
  std::atomic<uint64_t> accepted{0}, turned_away{0}, requests{0}, refused{0}, open{0};
};

std::string_view view(beast::string_view text) {
  return {text.data(), text.size()};
}

// Why two readers might see different requests here; "": they would not. Beast itself refuses a
// Content-Length beside a Transfer-Encoding, two lengths, and lengths that are no numbers.
std::string ambiguity(const http::request<http::string_body>& head) {
  size_t hosts = 0;
  size_t codings = 0;
  for (const auto& field : head) {
    if (field.name() == http::field::host) ++hosts;
    if (field.name() == http::field::transfer_encoding) {
      ++codings;
      if (!beast::iequals(field.value(), "chunked")) return "a transfer coding other than chunked";
    }
    if (field.name() == http::field::content_length && field.value().empty()) return "no length";
  }
  if (codings > 1) return "several transfer codings";
  if (hosts > 1) return "several hosts";
  if (head.version() != 10 && head.version() != 11) return "not HTTP/1.1";
  if (head.version() == 10 && codings > 0) return "a transfer coding in HTTP/1.0";
  if (head.version() == 11 && hosts == 0) return "no host";
  return {};
}

ServerRequest request_of(const http::request<http::string_body>& head, const std::string& peer) {
  ServerRequest request;
  request.method = std::string(view(head.method_string()));
  const std::string_view target = view(head.target());
  const size_t mark = std::min(target.find('?'), target.size());
  request.path = std::string(target.substr(0, mark));
  if (mark < target.size()) request.query = std::string(target.substr(mark + 1));
  for (const auto& field : head) {
    request.headers.emplace_back(view(field.name_string()), view(field.value()));
  }
  request.peer = peer;
  return request;
}

// A reply's head. Text, since Beast's messages cost more than all else of a small reply.
std::string head_of(const ServerReply& reply, bool keep_alive) {
  std::string head = "HTTP/1.1 " + std::to_string(reply.status) + ' ';
  head += view(http::obsolete_reason(http::int_to_status(static_cast<unsigned>(reply.status))));
  const auto add = [&head](std::string_view name, std::string_view value) {
    head.append("\r\n").append(name).append(": ").append(value);
  };
  if (!keep_alive) add("Connection", "close");
  if (!reply.content_type.empty()) add("Content-Type", reply.content_type);
  for (const auto& [name, value] : reply.headers) add(name, value);
  if (reply.status != 204) add("Content-Length", std::to_string(reply.body.size()));
  return head + "\r\n\r\n";
}

template <class Stream>
class Session final : public std::enable_shared_from_this<Session<Stream>>, public Evictable {
  static constexpr bool kTls = std::is_same_v<Stream, TlsStream>;

 public:
  template <class... More>
  Session(Shared& shared, tcp::socket socket, More&... more)
      : stream_(std::move(socket), more...), shared_(shared), idle_(shared.idle.end()) {
    ++shared_.connections;
    ++shared_.open;
    error_code error;
    const auto peer = lowest().socket().remote_endpoint(error);
    if (!error) peer_ = peer.address().to_string();
  }
  ~Session() override {
    not_idle();
    --shared_.connections;
    --shared_.open;
  }
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  void start() {
    if constexpr (kTls) {
      lowest().expires_after(shared_.options.header_timeout);
      stream_.async_handshake(asio::ssl::stream_base::server, [self = self()](error_code error) {
        if (!error) self->wait();
      });
    } else {
      wait();
    }
  }

  void evict() override { lowest().cancel(); }

 private:
  auto self() { return this->shared_from_this(); }
  beast::tcp_stream& lowest() { return beast::get_lowest_layer(stream_); }

  // For the first byte of a request.
  void wait() {
    parser_.emplace();
    parser_->header_limit(limits::kServerHeaderBytesMax);
    parser_->body_limit(shared_.options.body_bytes_max);
    if (buffer_.size() > 0) return read_head();
    idle_ = shared_.idle.insert(shared_.idle.end(), this);
    lowest().expires_after(shared_.options.idle_timeout);
    stream_.async_read_some(buffer_.prepare(kReadBytes),
                            [self = self()](error_code error, size_t got) {
                              self->not_idle();
                              if (error) return;  // nothing is unread
                              self->buffer_.commit(got);
                              self->read_head();
                            });
  }

  void not_idle() {
    if (idle_ == shared_.idle.end()) return;
    shared_.idle.erase(idle_);
    idle_ = shared_.idle.end();
  }

  void read_head() {
    lowest().expires_after(shared_.options.header_timeout);
    http::async_read_header(stream_, buffer_, *parser_, [self = self()](error_code error, size_t) {
      if (error) return self->refuse_unread(error);
      self->head_taken();
    });
  }

  void head_taken() {
    const auto& head = parser_->get();
    is_head_ = head.method() == http::verb::head;
    if (const std::string why = ambiguity(head); !why.empty()) return refuse(400, why);
    if (shared_.options.early_reply) {
      if (auto reply = shared_.options.early_reply(request_of(head, peer_))) {
        keep_alive_ = parser_->is_done() && head.keep_alive();
        return write(std::move(*reply));
      }
    }
    if (parser_->is_done()) return taken();
    const auto length = parser_->content_length();
    if (length && *length > shared_.options.body_bytes_max) return refuse(413, kTooLarge);
    if (!beast::iequals(head[http::field::expect], "100-continue")) return read_body();
    go_on_ = {http::status::continue_, 11};
    http::async_write(stream_, go_on_, [self = self()](error_code error, size_t) {
      if (!error) self->read_body();
    });
  }

  void read_body() {
    lowest().expires_after(shared_.options.body_timeout);
    http::async_read(stream_, buffer_, *parser_, [self = self()](error_code error, size_t) {
      if (error) return self->refuse_unread(error);
      self->taken();
    });
  }

  void taken() {
    ++shared_.requests;
    auto message = parser_->release();
    keep_alive_ = message.keep_alive();
    ServerRequest request = request_of(message, peer_);
    request.body = std::move(message.body());
    lowest().expires_never();  // as long as the answer takes
    ++shared_.answers_due;
    shared_.handler(std::move(request), [self = self()](ServerReply reply) {
      asio::post(self->stream_.get_executor(), [self, reply = std::move(reply)]() mutable {
        --self->shared_.answers_due;
        self->write(std::move(reply));
      });
    });
  }

  void refuse_unread(error_code error) {
    if (error == http::error::body_limit) return refuse(413, kTooLarge);
    if (error == http::error::header_limit) return refuse(431, "the headers are too large");
    if (error == beast::error::timeout || error == http::error::end_of_stream) return close();
    if (error.category() != http::make_error_code(http::error::bad_method).category()) return;
    refuse(400, "not a request: " + error.message());
  }

  void refuse(int status, const std::string& why) {
    ++shared_.refused;
    keep_alive_ = false;
    write(shared_.options.refusal ? shared_.options.refusal(status, why)
                                  : ServerReply{status, "text/plain", why + "\n"});
  }

  void write(ServerReply reply) {
    keep_alive_ = keep_alive_ && !shared_.stopping;
    head_ = head_of(reply, keep_alive_);
    body_ = is_head_ ? "" : std::move(reply.body);
    lowest().expires_after(shared_.options.idle_timeout);
    const std::array<asio::const_buffer, 2> whole = {asio::buffer(head_), asio::buffer(body_)};
    asio::async_write(stream_, whole,
                      [self = self()](error_code error, size_t) { self->written(error); });
  }

  void written(error_code error) {
    if (error) return;
    if (!keep_alive_) return close();
    wait();
  }

  // What a client still sends is read and dropped for a while: a socket that is closed over unread
  // bytes resets the connection, and the client would never see why it was refused.
  void close() {
    error_code ignored;
    lowest().expires_after(kLingerTime);
    if constexpr (kTls) {
      stream_.async_shutdown([self = self()](error_code) {});
    } else {
      stream_.socket().shutdown(tcp::socket::shutdown_send, ignored);
      drop();
    }
  }

  void drop() {
    stream_.async_read_some(asio::buffer(dropped_), [self = self()](error_code error, size_t) {
      if (!error) self->drop();
    });
  }

  static constexpr const char* kTooLarge = "the body is too large";

  Stream stream_;
  Shared& shared_;
  std::list<Evictable*>::iterator idle_;
  std::string peer_;
  beast::flat_buffer buffer_;
  std::optional<http::request_parser<http::string_body>> parser_;
  http::response<http::empty_body> go_on_;
  std::string head_, body_;
  bool keep_alive_ = true;
  bool is_head_ = false;  // the reply has no body, whatever its length says
  std::array<char, 512> dropped_;
};

class BeastServer final : public HttpServer {
 public:
  BeastServer(const ServerOptions& options, ServerHandler handler)
      : acceptor_(io_), timer_(io_), pause_(io_) {
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

  ServerCounters counters() const override {
    return {shared_.accepted, shared_.turned_away, shared_.requests, shared_.refused, shared_.open};
  }

 private:
  // One beyond the limit takes the place of the connection that has idled longest, or is closed.
  void accept() {
    acceptor_.async_accept([this](error_code error, tcp::socket socket) {
      if (error == asio::error::operation_aborted) return;
      if (error) return accept_later();
      welcome(std::move(socket));
      accept();
    });
  }

  // Out of file descriptors, for example: to try at once would try for ever.
  void accept_later() {
    pause_.expires_after(kCancelPoll);
    pause_.async_wait([this](error_code error) {
      if (!error && acceptor_.is_open()) accept();
    });
  }

  void welcome(tcp::socket socket) {
    ++shared_.accepted;
    if (shared_.connections >= shared_.options.connections_max) {
      if (shared_.idle.empty()) {
        ++shared_.turned_away;
        return;
      }
      Evictable* const oldest = shared_.idle.front();
      shared_.idle.splice(shared_.idle.end(), shared_.idle, shared_.idle.begin());
      oldest->evict();
    }
    error_code ignored;
    socket.set_option(tcp::no_delay(true), ignored);
    if (const TlsCertificate* const certificate = shared_.options.certificate.get()) {
      // The session's stream keeps what it needs of the context alive.
      std::make_shared<Session<TlsStream>>(shared_, std::move(socket), *certificate->current())
          ->start();
    } else {
      std::make_shared<Session<PlainStream>>(shared_, std::move(socket))->start();
    }
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
  asio::steady_timer timer_, pause_;
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
