// A model server that answers every invocation at once with the same few bytes: what a job costs
// when the model costs nothing. Plain sockets, a thread for each connection, loopback only.
//
//     static_server          prints its port and serves until its standard input ends
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <charconv>
#include <cstdio>
#include <cstring>
#include <string>
#include <string_view>
#include <thread>

namespace {

constexpr std::string_view kOk =
    "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 3\r\n\r\nok\n";
constexpr std::string_view kNotFound = "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n";

size_t content_length(std::string_view head) {
  constexpr std::string_view kName = "\r\nContent-Length: ";
  const size_t at = head.find(kName);
  size_t length = 0;
  if (at != std::string_view::npos) {
    std::from_chars(head.data() + at + kName.size(), head.data() + head.size(), length);
  }
  return length;
}

// Reads until `wanted` bytes are buffered.
bool fill(int fd, std::string* buffered, size_t wanted) {
  char block[65536];
  while (buffered->size() < wanted) {
    const ssize_t got = ::recv(fd, block, sizeof block, 0);
    if (got <= 0) return false;
    buffered->append(block, static_cast<size_t>(got));
  }
  return true;
}

void serve(int fd) {
  const int on = 1;
  ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  std::string buffered;
  for (;;) {
    size_t end;
    while ((end = buffered.find("\r\n\r\n")) == std::string::npos) {
      if (!fill(fd, &buffered, buffered.size() + 1)) break;
    }
    if (end == std::string::npos) break;
    const size_t request = end + 4 + content_length(std::string_view(buffered).substr(0, end));
    if (!fill(fd, &buffered, request)) break;
    const bool parameters = buffered.starts_with("GET /execution-parameters");
    buffered.erase(0, request);
    const std::string_view reply = parameters ? kNotFound : kOk;
    if (::send(fd, reply.data(), reply.size(), MSG_NOSIGNAL) < 0) break;
  }
  ::close(fd);
}

void accept_all(int listener) {
  for (int fd; (fd = ::accept(listener, nullptr, nullptr)) >= 0;) std::thread(serve, fd).detach();
}

}  // namespace

int main() {
  const int listener = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  auto* const plain = reinterpret_cast<sockaddr*>(&address);
  if (::bind(listener, plain, size) != 0 || ::listen(listener, 128) != 0 ||
      ::getsockname(listener, plain, &size) != 0) {
    std::perror("static_server");
    return 1;
  }
  std::thread(accept_all, listener).detach();
  std::printf("%d\n", ntohs(address.sin_port));
  std::fflush(stdout);
  char ignored[64];
  while (::read(STDIN_FILENO, ignored, sizeof ignored) > 0) {
  }
  std::_Exit(0);
}
