// DescribeTransformJob at a fixed rate: signed requests for many jobs over kept connections, sent
// when they are due whether or not earlier ones were answered, so that a server that stalls shows
// in the times. Beside them connections that only idle, and one that dawdles.
// bench/describe_load.py starts the server and pins both to one core.
//
//   describe_load HOST:PORT ACCESS_KEY SECRET_KEY JOBS RATE SECONDS IDLE
//
// Jobs are called job-0, job-1, ... Prints one line of JSON.
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstdio>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

#include "base/check.h"
#include "base/clock.h"
#include "base/digest.h"
#include "base/sigv4.h"
#include "base/unique_fd.h"

namespace {

using millrace::UniqueFd;
using SteadyTime = std::chrono::steady_clock::time_point;

constexpr size_t kConnections = 16;

int number(const char* text) {
  int value = 0;
  const std::string_view all(text);
  std::from_chars(all.data(), all.data() + all.size(), value);
  return value;
}

sockaddr_in address_of(const std::string& host_port) {
  const size_t colon = host_port.find(':');
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(number(host_port.c_str() + colon + 1)));
  MR_CHECK(::inet_pton(AF_INET, host_port.substr(0, colon).c_str(), &address.sin_addr) == 1);
  return address;
}

UniqueFd connect_to(const sockaddr_in& address) {
  UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  MR_CHECK(::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
  const int on = 1;
  ::setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  return fd;
}

// The whole request for one job; its signature holds for 15 minutes.
std::string describe_request(const std::string& host, const millrace::SigV4Key& key, int job) {
  const std::string body = "{\"TransformJobName\":\"job-" + std::to_string(job) + "\"}";
  const std::string time = millrace::format_compact_utc(millrace::real_clock().now());
  const std::vector<millrace::HeaderField> headers = {
      {"Host", host},
      {"X-Amz-Date", time},
      {"X-Amz-Target", "SageMaker.DescribeTransformJob"},
      {"Content-Type", "application/x-amz-json-1.1"}};
  const std::string authorization = millrace::sigv4_authorization(
      {"POST", "/", "", headers, millrace::sha256_hex(body)}, millrace::SigV4Path::kNormalized, key,
      time, {time.substr(0, 8), "us-east-1", "sagemaker"});
  std::string request = "POST / HTTP/1.1\r\n";
  for (const auto& [name, value] : headers) request += name + ": " + value + "\r\n";
  request += "Authorization: " + authorization +
             "\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
  return request;
}

struct Connection {
  UniqueFd fd;
  std::string received;
  SteadyTime due;
  bool busy = false;
};

class Load {
 public:
  Load(const sockaddr_in& address, std::vector<std::string> requests, int rate, int seconds)
      : requests_(std::move(requests)), rate_(rate), seconds_(seconds), poll_(::epoll_create1(0)) {
    for (size_t i = 0; i < kConnections; ++i) {
      connections_.push_back({connect_to(address), {}, {}, false});
      epoll_event event{};
      event.events = EPOLLIN;
      event.data.u64 = i;
      ::epoll_ctl(poll_.get(), EPOLL_CTL_ADD, connections_[i].fd.get(), &event);
      free_.push_back(i);
    }
  }

  void run() {
    const SteadyTime begin = std::chrono::steady_clock::now();
    const auto step = std::chrono::nanoseconds(1000000000 / rate_);
    const auto total = static_cast<size_t>(rate_) * static_cast<size_t>(seconds_);
    size_t sent = 0;
    while (times_ms_.size() + failed_ < total) {
      const SteadyTime now = std::chrono::steady_clock::now();
      while (sent < total && !free_.empty() && begin + step * sent <= now) {
        send(begin + step * sent, requests_[sent % requests_.size()]);
        ++sent;
      }
      const bool waits = sent < total && !free_.empty();
      const auto left =
          std::chrono::duration_cast<std::chrono::milliseconds>(begin + step * sent - now);
      receive(waits ? static_cast<int>(std::max<int64_t>(0, left.count())) : 1000);
    }
    took_ = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  }

  void print() {
    std::sort(times_ms_.begin(), times_ms_.end());
    const auto at = [this](double part) {
      if (times_ms_.empty()) return 0.0;
      return times_ms_[static_cast<size_t>(part * static_cast<double>(times_ms_.size() - 1))];
    };
    std::printf(
        "{\"requests\": %zu, \"failed\": %zu, \"per_second\": %.0f, \"p50_ms\": %.2f, \"p99_ms\": "
        "%.2f, \"p999_ms\": %.2f, \"max_ms\": %.2f}\n",
        times_ms_.size(), failed_, static_cast<double>(times_ms_.size()) / took_, at(0.5), at(0.99),
        at(0.999), at(1));
  }

 private:
  void send(SteadyTime due, const std::string& request) {
    Connection& connection = connections_[free_.front()];
    free_.pop_front();
    connection.due = due;
    connection.busy = true;
    MR_CHECK(::send(connection.fd.get(), request.data(), request.size(), MSG_NOSIGNAL) ==
             static_cast<ssize_t>(request.size()));
  }

  void receive(int timeout_ms) {
    epoll_event events[kConnections];
    const int count = ::epoll_wait(poll_.get(), events, kConnections, timeout_ms);
    for (int i = 0; i < count; ++i) {
      const auto index = static_cast<size_t>(events[i].data.u64);
      Connection& connection = connections_[index];
      char block[16384];
      const ssize_t got = ::recv(connection.fd.get(), block, sizeof block, 0);
      MR_CHECK(got > 0);  // the server must not close
      connection.received.append(block, static_cast<size_t>(got));
      if (!complete(connection.received)) continue;
      const bool good = connection.received.starts_with("HTTP/1.1 200 ");
      const std::chrono::duration<double, std::milli> took =
          std::chrono::steady_clock::now() - connection.due;
      if (good) {
        times_ms_.push_back(took.count());
      } else {
        ++failed_;
      }
      connection.received.clear();
      connection.busy = false;
      free_.push_back(index);
    }
  }

  static bool complete(const std::string& reply) {
    const size_t head = reply.find("\r\n\r\n");
    if (head == std::string::npos) return false;
    const size_t length = reply.find("Content-Length: ");
    MR_CHECK(length < head);
    return reply.size() >=
           head + 4 + static_cast<size_t>(number(reply.substr(length + 16, 10).c_str()));
  }

  const std::vector<std::string> requests_;
  const int rate_;
  const int seconds_;
  const UniqueFd poll_;
  std::vector<Connection> connections_;
  std::deque<size_t> free_;
  std::vector<double> times_ms_;
  size_t failed_ = 0;
  double took_ = 0;
};

}  // namespace

int main(int argc, char** argv) {
  if (argc != 8) {
    std::fprintf(stderr, "describe_load HOST:PORT ACCESS_KEY SECRET_KEY JOBS RATE SECONDS IDLE\n");
    return 2;
  }
  rlimit files{};
  ::getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &files);
  const std::string host = argv[1];
  const sockaddr_in address = address_of(host);
  std::vector<UniqueFd> idle;
  for (int i = 0; i < number(argv[7]); ++i) idle.push_back(connect_to(address));
  const UniqueFd slow = connect_to(address);
  const std::string beginning = "POST / HTTP/1.1\r\nHost: x\r\nX-Slow: ";
  MR_CHECK(::send(slow.get(), beginning.data(), beginning.size(), MSG_NOSIGNAL) > 0);
  std::vector<std::string> requests;
  for (int i = 0; i < number(argv[4]); ++i) {
    requests.push_back(describe_request(host, {argv[2], argv[3]}, i));
  }
  Load load(address, std::move(requests), number(argv[5]), number(argv[6]));
  load.run();
  load.print();
}
