#include "base/clock.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdio>
#include <ctime>
#include <thread>

namespace millrace {
namespace {

constexpr std::string_view kMonths = "JanFebMarAprMayJunJulAugSepOctNovDec";

// A cancelled sleeper wakes up within this.
constexpr std::chrono::milliseconds kSleepSlice{20};

class RealClock final : public Clock {
 public:
  WallTime now() const override { return std::chrono::system_clock::now(); }

  bool sleep(std::chrono::milliseconds duration, const CancelToken& cancel) override {
    const auto end = std::chrono::steady_clock::now() + duration;
    while (!cancel.cancelled()) {
      const auto left = end - std::chrono::steady_clock::now();
      if (left <= left.zero()) return true;
      std::this_thread::sleep_for(std::min<std::chrono::nanoseconds>(left, kSleepSlice));
    }
    return false;
  }
};

// The decimal number of exactly `digits` digits at `at`; -1 where there is none.
int number_at(std::string_view text, size_t at, size_t digits) {
  if (at + digits > text.size()) return -1;
  int value = 0;
  for (const char c : text.substr(at, digits)) {
    if (c < '0' || c > '9') return -1;
    value = value * 10 + (c - '0');
  }
  return value;
}

std::optional<WallTime> make_time(int year, int month, int day, int hour, int minute, int second) {
  if (year < 1970 || month < 1 || month > 12 || day < 1 || day > 31 || hour < 0 || hour > 23 ||
      minute < 0 || minute > 59 || second < 0 || second > 60) {
    return std::nullopt;
  }
  // The clock counts nanoseconds and ends in 2262. Who writes 9999 means never, and 2200 will do.
  year = std::min(year, 2200);
  std::tm parts{};
  parts.tm_year = year - 1900;
  parts.tm_mon = month - 1;
  parts.tm_mday = day;
  parts.tm_hour = hour;
  parts.tm_min = minute;
  parts.tm_sec = second;
  return std::chrono::system_clock::from_time_t(::timegm(&parts));
}

// What may follow the seconds: the offset from UTC in seconds, or nothing if it is malformed.
std::optional<int> parse_zone(std::string_view zone) {
  if (!zone.empty() && zone.front() == '.') {
    const size_t end = zone.find_first_not_of("0123456789", 1);
    zone.remove_prefix(std::min(end, zone.size()));
  }
  if (zone.empty() || zone == "Z" || zone == "UTC") return 0;
  const bool shape = (zone.size() == 6 && zone[3] == ':') || zone.size() == 5;
  if ((zone[0] != '+' && zone[0] != '-') || !shape) return std::nullopt;
  const int hours = number_at(zone, 1, 2);
  const int minutes = number_at(zone, zone.size() - 2, 2);
  if (hours < 0 || minutes < 0) return std::nullopt;
  const int seconds = hours * 3600 + minutes * 60;
  return zone[0] == '+' ? seconds : -seconds;
}

}  // namespace

Clock& real_clock() {
  static RealClock clock;
  return clock;
}

std::string format_compact_utc(WallTime time) {
  const std::time_t seconds = std::chrono::system_clock::to_time_t(time);
  std::tm parts{};
  ::gmtime_r(&seconds, &parts);
  std::array<char, 32> text{};
  const size_t size = std::strftime(text.data(), text.size(), "%Y%m%dT%H%M%SZ", &parts);
  return {text.data(), size};
}

std::string format_iso8601(WallTime time) {
  const std::string compact = format_compact_utc(time);  // 20150830T123600Z
  std::string text;
  for (size_t i = 0; i < compact.size(); ++i) {
    if (i == 4 || i == 6) text += '-';
    if (i == 11 || i == 13) text += ':';
    text += compact[i];
  }
  return text;
}

std::optional<WallTime> parse_iso8601(std::string_view text) {
  if (text.size() < 19 || text[4] != '-' || text[7] != '-' || text[10] != 'T' || text[13] != ':' ||
      text[16] != ':') {
    return std::nullopt;
  }
  const auto time =
      make_time(number_at(text, 0, 4), number_at(text, 5, 2), number_at(text, 8, 2),
                number_at(text, 11, 2), number_at(text, 14, 2), number_at(text, 17, 2));
  const auto zone = parse_zone(text.substr(19));
  if (!time || !zone) return std::nullopt;
  return *time - std::chrono::seconds(*zone);
}

// Not strftime's names of days and months, which follow the locale.
std::string format_http_date(WallTime time) {
  static constexpr std::string_view kDays = "SunMonTueWedThuFriSat";
  const std::time_t seconds = std::chrono::system_clock::to_time_t(time);
  std::tm parts{};
  ::gmtime_r(&seconds, &parts);
  std::array<char, 32> rest{};
  const size_t size = std::strftime(rest.data(), rest.size(), "%Y %H:%M:%S GMT", &parts);
  const auto day = static_cast<size_t>(parts.tm_wday) * 3;
  const auto month = static_cast<size_t>(parts.tm_mon) * 3;
  std::string text(kDays.substr(day, 3));
  text += ", ";
  text += static_cast<char>('0' + parts.tm_mday / 10);
  text += static_cast<char>('0' + parts.tm_mday % 10);
  text += ' ';
  text += kMonths.substr(month, 3);
  return text + ' ' + std::string(rest.data(), size);
}

std::optional<WallTime> parse_http_date(std::string_view text) {
  if (text.size() != 29 || text.substr(25) != " GMT") return std::nullopt;
  const size_t month = kMonths.find(text.substr(8, 3));
  if (month == kMonths.npos || month % 3 != 0) return std::nullopt;
  return make_time(number_at(text, 12, 4), static_cast<int>(month / 3) + 1, number_at(text, 5, 2),
                   number_at(text, 17, 2), number_at(text, 20, 2), number_at(text, 23, 2));
}

}  // namespace millrace
