// For tests: a real HTTP/1.1 server on loopback that answers what a function says, or breaks the
// connection where it says so, and remembers what it was asked. Plain sockets, a thread for each
// connection.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdlib>
#include <functional>
#include <list>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace millrace {

class HttpImposter {
 public:
  struct Request {
    std::string method;
    std::string target;                          // path and query as sent
    std::map<std::string, std::string> headers;  // names in lower case
    std::string body;
    int connection = 0;

    std::string path() const { return target.substr(0, target.find('?')); }
    std::string header(const std::string& name) const {
      const auto found = headers.find(name);
      return found == headers.end() ? "" : found->second;
    }
  };
  struct Reply {
    int status = 200;
    std::vector<std::pair<std::string, std::string>> headers;
    std::string body;
    enum class Break { kNot, kBeforeReply, kInHead, kInBody } broken = Break::kNot;
    size_t bytes_before_break = 0;
    // Called before the reply is sent, while other requests are answered; the handler itself is
    // called for one request at a time.
    std::function<void()> hold = {};
  };
  using Handler = std::function<Reply(const Request&)>;

  explicit HttpImposter(Handler handler) : handler_(std::move(handler)) {
    listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    auto* const plain = reinterpret_cast<sockaddr*>(&address);
    if (::bind(listener_, plain, size) != 0 || ::listen(listener_, 64) != 0 ||
        ::getsockname(listener_, plain, &size) != 0) {
      std::abort();
    }
    port_ = ntohs(address.sin_port);
    acceptor_ = std::thread([this] { accept_all(); });
  }

  ~HttpImposter() {
    ::shutdown(listener_, SHUT_RDWR);
    acceptor_.join();
    {
      const std::lock_guard lock(mutex_);
      for (const int fd : open_) ::shutdown(fd, SHUT_RDWR);
    }
    for (std::thread& thread : connections_) thread.join();
    ::close(listener_);
  }
  HttpImposter(const HttpImposter&) = delete;
  HttpImposter& operator=(const HttpImposter&) = delete;

  std::string url() const { return "http://127.0.0.1:" + std::to_string(port_); }
  std::vector<Request> requests() const {
    const std::lock_guard lock(mutex_);
    return requests_;
  }
  size_t count() const { return requests().size(); }

 private:
  void accept_all() {
    for (int number = 1;; ++number) {
      const int fd = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
      if (fd < 0) return;
      const std::lock_guard lock(mutex_);
      open_.push_back(fd);
      connections_.emplace_back([this, fd, number] { serve(fd, number); });
    }
  }

  void serve(int fd, int number) {
    std::string buffered;
    Request request;
    while (receive(fd, &buffered, &request)) {
      request.connection = number;
      if (!answer(fd, request)) break;
    }
    const std::lock_guard lock(mutex_);
    open_.remove(fd);
    ::close(fd);
  }

  static bool fill(int fd, std::string* buffered) {
    char block[65536];
    const ssize_t got = ::recv(fd, block, sizeof block, 0);
    if (got <= 0) return false;
    buffered->append(block, static_cast<size_t>(got));
    return true;
  }

  static bool receive(int fd, std::string* buffered, Request* request) {
    size_t end;
    while ((end = buffered->find("\r\n\r\n")) == std::string::npos) {
      if (!fill(fd, buffered)) return false;
    }
    *request = parse(buffered->substr(0, end + 2));
    buffered->erase(0, end + 4);
    const std::string length = request->header("content-length");
    const size_t size = length.empty() ? 0 : std::stoull(length);
    while (buffered->size() < size) {
      if (!fill(fd, buffered)) return false;
    }
    request->body = buffered->substr(0, size);
    buffered->erase(0, size);
    return true;
  }

  static Request parse(const std::string& head) {
    Request request;
    size_t at = head.find("\r\n");
    const std::string line = head.substr(0, at);
    const size_t space = line.find(' ');
    request.method = line.substr(0, space);
    request.target = line.substr(space + 1, line.rfind(' ') - space - 1);
    for (at += 2; at < head.size();) {
      const size_t end = head.find("\r\n", at);
      const std::string field = head.substr(at, end - at);
      const size_t colon = field.find(':');
      std::string name = field.substr(0, colon);
      for (char& c : name) c = static_cast<char>(::tolower(c));
      const size_t value = field.find_first_not_of(' ', colon + 1);
      request.headers[name] = value == std::string::npos ? "" : field.substr(value);
      at = end + 2;
    }
    return request;
  }

  // False: the connection ends.
  bool answer(int fd, const Request& request) {
    Reply reply;
    {
      const std::lock_guard lock(mutex_);
      requests_.push_back(request);
      reply = handler_(request);
    }
    if (reply.hold) reply.hold();
    if (reply.broken == Reply::Break::kBeforeReply) return reset(fd);
    std::string text = "HTTP/1.1 " + std::to_string(reply.status) + " X\r\n";
    bool has_length = false;
    for (const auto& [name, value] : reply.headers) {
      has_length = has_length || name == "Content-Length";
      text += name + ": " + value + "\r\n";
    }
    if (!has_length) text += "Content-Length: " + std::to_string(reply.body.size()) + "\r\n";
    if (reply.broken == Reply::Break::kInHead) {
      send_all(fd, text);
      return false;
    }
    text += "\r\n";
    const bool in_body = reply.broken == Reply::Break::kInBody;
    if (request.method != "HEAD") {
      text += in_body ? reply.body.substr(0, reply.bytes_before_break) : reply.body;
    }
    return send_all(fd, text) && !in_body;
  }

  static bool send_all(int fd, const std::string& text) {
    size_t sent = 0;
    while (sent < text.size()) {
      const ssize_t n = ::send(fd, text.data() + sent, text.size() - sent, MSG_NOSIGNAL);
      if (n <= 0) return false;
      sent += static_cast<size_t>(n);
    }
    return true;
  }

  static bool reset(int fd) {
    const linger now{1, 0};  // RST instead of FIN
    ::setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    return false;
  }

  const Handler handler_;
  int listener_ = -1;
  int port_ = 0;
  mutable std::mutex mutex_;
  std::vector<Request> requests_;
  std::list<int> open_;
  std::list<std::thread> connections_;
  std::thread acceptor_;
};

}  // namespace millrace
