#include "server/service_log.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/limits.h"

namespace millrace::server {
namespace {

std::string_view level_name(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug:
      return "debug";
    case LogLevel::kInfo:
      return "info";
    case LogLevel::kWarning:
      return "warning";
    case LogLevel::kError:
      break;
  }
  return "error";
}

std::string as_json(std::string_view text) {
  return nlohmann::json(text).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

// As it is where it is one plain word.
std::string plain_or_quoted(const std::string& value) {
  const bool plain = !value.empty() && std::all_of(value.begin(), value.end(), [](char c) {
    return c > ' ' && c < 127 && c != '"' && c != '\\' && c != '=';
  });
  return plain ? value : as_json(value);
}

}  // namespace

std::string format_log_line(LogFormat format, WallTime time, LogLevel level,
                            std::string_view message, const LogFields& fields) {
  const auto since = std::chrono::duration_cast<std::chrono::milliseconds>(time.time_since_epoch());
  std::string stamp = format_iso8601(time);
  stamp.insert(stamp.size() - 1, fmt::format(".{:03}", since.count() % 1000));
  if (format == LogFormat::kJson) {
    std::string line = fmt::format(R"({{"time":"{}","level":"{}","message":{})", stamp,
                                   level_name(level), as_json(message));
    for (const auto& [name, value] : fields) {
      line += ',' + as_json(name) + ':' + as_json(value);
    }
    return line + "}\n";
  }
  // The message is a sentence of ours; what came from outside in it must not look like a new line.
  std::string text = as_json(message);
  std::string line = fmt::format("{} {} {}", stamp, level_name(level),
                                 std::string_view(text).substr(1, text.size() - 2));
  for (const auto& [name, value] : fields)
    line += fmt::format(" {}={}", name, plain_or_quoted(value));
  return line + '\n';
}

ServiceLog::ServiceLog(LogFormat format, LogLevel least, std::function<void(std::string_view)> sink)
    : format_(format), least_(least), sink_(std::move(sink)), thread_([this] { run(); }) {}

ServiceLog::~ServiceLog() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  ready_.notify_one();
  thread_.join();
}

void ServiceLog::write(LogLevel level, std::string_view message, const LogFields& fields) {
  if (!wants(level)) return;
  std::string line = format_log_line(format_, real_clock().now(), level, message, fields);
  {
    const std::lock_guard lock(mutex_);
    if (lines_.size() >= limits::kServiceLogLinesMax) {
      ++dropped_;
      return;
    }
    lines_.push_back(std::move(line));
  }
  ready_.notify_one();
}

void ServiceLog::run() {
  for (;;) {
    std::unique_lock lock(mutex_);
    ready_.wait(lock, [this] { return stopping_ || !lines_.empty(); });
    if (lines_.empty()) return;
    std::deque<std::string> lines;
    lines.swap(lines_);
    const size_t dropped = std::exchange(dropped_, 0);
    lock.unlock();
    std::string text;
    for (const std::string& line : lines) text += line;
    if (dropped > 0) {
      text +=
          format_log_line(format_, real_clock().now(), LogLevel::kWarning,
                          "lines of the log were dropped", {{"lines", std::to_string(dropped)}});
    }
    sink_(text);
  }
}

}  // namespace millrace::server
