// The service's log: one line for each event, as text or as JSON, written by a thread of its own so
// that nobody waits for whoever reads it. Nothing secret is ever handed to it: no headers, no
// bodies, no values of variables.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "base/clock.h"

namespace millrace::server {

enum class LogFormat { kText, kJson };
enum class LogLevel { kDebug, kInfo, kWarning, kError };

using LogFields = std::vector<std::pair<std::string_view, std::string>>;

// The line, with its end. Control characters are escaped in both forms.
std::string format_log_line(LogFormat format, WallTime time, LogLevel level,
                            std::string_view message, const LogFields& fields);

class ServiceLog {
 public:
  // `sink` gets whole lines, by one thread. What is below `least` is dropped.
  ServiceLog(LogFormat format, LogLevel least, std::function<void(std::string_view)> sink);
  // Writes what waits.
  ~ServiceLog();
  ServiceLog(const ServiceLog&) = delete;
  ServiceLog& operator=(const ServiceLog&) = delete;

  bool wants(LogLevel level) const { return level >= least_; }
  // By any thread; never waits. Where limits::kServiceLogLinesMax wait already, the line is
  // dropped, and how many were is told.
  void write(LogLevel level, std::string_view message, const LogFields& fields = {});

 private:
  void run();

  const LogFormat format_;
  const LogLevel least_;
  const std::function<void(std::string_view)> sink_;
  std::mutex mutex_;
  std::condition_variable ready_;
  std::deque<std::string> lines_;
  size_t dropped_ = 0;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace millrace::server
