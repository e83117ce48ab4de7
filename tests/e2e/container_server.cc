// A model server without anything around it, for an image made from scratch: answers the container
// contract on SAGEMAKER_BIND_TO_PORT, echoes, and says at its start what it finds. BEHAVIOUR makes
// it a bad one: `exits` at once, `silent` for ever, `refuses` with 500, `cuts` its replies,
// `unbounded` replies without a length.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <string>

extern char** environ;

namespace {

bool behaves(const char* how) {
  const char* behaviour = std::getenv("BEHAVIOUR");
  return behaviour != nullptr && std::string(behaviour) == how;
}

// Status line, headers and body; `invocation`: of the model's answer.
std::string reply_of(bool invocation, bool known, const std::string& body) {
  std::string status = known ? "200 OK" : "404 Not Found";
  if (invocation && behaves("refuses")) status = "500 Internal Server Error";
  if (!invocation && behaves("silent")) status = "503 Service Unavailable";
  const size_t length = body.size() + (invocation && behaves("cuts") ? 100 : 0);
  std::string head = "HTTP/1.1 " + status + "\r\nContent-Type: text/plain\r\n";
  if (!invocation || !behaves("unbounded")) {
    head += "Content-Length: " + std::to_string(length) + "\r\n";
  }
  return head + "\r\n" + body;
}

void answer(int connection) {
  std::string data;
  char block[65536];
  for (;;) {
    size_t head = data.find("\r\n\r\n");
    size_t length = 0;
    if (head != std::string::npos) {
      const char* field = strcasestr(data.c_str(), "content-length:");
      if (field != nullptr && field < data.c_str() + head) {
        length = std::strtoul(field + 15, nullptr, 10);
      }
    }
    if (head == std::string::npos || data.size() < head + 4 + length) {
      const ssize_t got = ::read(connection, block, sizeof block);
      if (got <= 0) return;
      data.append(block, static_cast<size_t>(got));
      continue;
    }
    const bool invocation = data.starts_with("POST /invocations");
    const bool known = invocation || data.starts_with("GET /ping");
    const std::string body = invocation ? data.substr(head + 4, length) : "";
    data.erase(0, head + 4 + length);
    const std::string reply = reply_of(invocation, known, body);
    if (::write(connection, reply.data(), reply.size()) < 0) return;
    if (invocation && (behaves("cuts") || behaves("unbounded"))) return;
  }
}

void say_what_is_found() {
  for (char** pair = environ; *pair != nullptr; ++pair) std::printf("env %s\n", *pair);
  std::string weights;
  std::getline(std::ifstream("/opt/ml/model/weights.txt"), weights);
  std::printf("weights: %s\n", weights.c_str());
  std::printf("model folder: %s\n",
              std::ofstream("/opt/ml/model/new") ? "writable" : std::strerror(errno));
  const int probe = ::socket(AF_INET, SOCK_DGRAM, 0);
  sockaddr_in far{};
  far.sin_family = AF_INET;
  far.sin_port = htons(53);
  ::inet_pton(AF_INET, "192.0.2.1", &far.sin_addr);
  const bool led = ::connect(probe, reinterpret_cast<sockaddr*>(&far), sizeof far) == 0;
  std::printf("network: %s\n", led ? "leads on" : std::strerror(errno));
  std::fflush(stdout);
}

}  // namespace

int main(int count, char** arguments) {
  if (count != 2 || std::string(arguments[1]) != "serve") return 2;
  ::signal(SIGCHLD, SIG_IGN);
  ::signal(SIGTERM, [](int) { ::_exit(0); });
  say_what_is_found();
  if (behaves("exits")) {
    std::printf("no such weights\n");
    return 3;
  }
  const int listener = ::socket(AF_INET, SOCK_STREAM, 0);
  const int on = 1;
  ::setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  const char* port = std::getenv("SAGEMAKER_BIND_TO_PORT");
  address.sin_port = htons(static_cast<uint16_t>(std::atoi(port != nullptr ? port : "8080")));
  if (::bind(listener, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) return 3;
  ::listen(listener, 64);
  for (;;) {
    const int connection = ::accept(listener, nullptr, nullptr);
    if (connection < 0) continue;
    if (::fork() == 0) {
      answer(connection);
      ::_exit(0);
    }
    ::close(connection);
  }
}
