// Time through one narrow interface: tests bring a clock of their own and never wait. Also the
// ways in which AWS writes a moment.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

#include "base/cancel.h"

namespace millrace {

using WallTime = std::chrono::system_clock::time_point;

// Safe for use by several threads.
class Clock {
 public:
  virtual ~Clock() = default;
  virtual WallTime now() const = 0;
  // False, at once, when cancelled.
  virtual bool sleep(std::chrono::milliseconds duration, const CancelToken& cancel) = 0;
};

Clock& real_clock();

// "20150830T123600Z", as signatures have it.
std::string format_compact_utc(WallTime time);

// "2015-08-30T12:36:00Z".
std::string format_iso8601(WallTime time);

// "2015-08-30T12:36:00Z", also with a fraction, with "+01:00" or with a trailing "UTC".
std::optional<WallTime> parse_iso8601(std::string_view text);

// "Sun, 22 Nov 2026 11:44:21 GMT", as in an HTTP Date header.
std::string format_http_date(WallTime time);
std::optional<WallTime> parse_http_date(std::string_view text);

}  // namespace millrace
