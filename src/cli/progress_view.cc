#include "cli/progress_view.h"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <iterator>
#include <nlohmann/json.hpp>
#include <optional>
#include <string_view>

#include "base/utf8.h"
#include "cli/console.h"

namespace millrace::cli {
namespace {

using transform::Progress;

// Seconds between two JSON lines: often enough to watch, rare enough to log.
constexpr double kJsonPeriodSeconds = 2;
// A bar of fewer cells says less than the percentage beside it; of a name, as many columns do.
constexpr size_t kBarCellsMin = 8;
constexpr size_t kBarCellsMax = 24;
constexpr size_t kNameColumnsMin = 8;
constexpr size_t kNameColumnsWanted = 14;

size_t terminal_columns() {
  winsize size = {};
  if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) return size.ws_col;
  return 80;
}

double fraction_done(const Progress& p) {
  if (p.bytes_total == 0) return p.objects_total == 0 ? 0 : 1;
  return std::min(1.0, static_cast<double>(p.bytes_done) / static_cast<double>(p.bytes_total));
}

std::string grouped(uint64_t n) {
  std::string digits = std::to_string(n);
  for (size_t i = digits.size(); i > 3;) {
    i -= 3;
    digits.insert(i, 1, ',');
  }
  return digits;
}

// "950", "12.3k", "1.23M".
std::string rounded(uint64_t n) {
  constexpr const char* kUnits[] = {"", "k", "M", "G", "T"};
  if (n < 1000) return std::to_string(n);
  auto value = static_cast<double>(n);
  size_t unit = 0;
  for (; value >= 999.5 && unit + 1 < std::size(kUnits); ++unit) value /= 1000;
  const int decimals = value < 9.995 ? 2 : value < 99.95 ? 1 : 0;
  return fmt::format("{:.{}f}{}", value, decimals, kUnits[unit]);
}

std::string rate_text(double per_s, std::string (*number)(uint64_t)) {
  if (per_s > 0 && per_s < 9.95) return fmt::format("{:.1f}/s", per_s);
  return number(static_cast<uint64_t>(std::llround(per_s))) + "/s";
}

// "1,200 of 5,000", and before the total is known "1,200 of >= 5,000".
std::string records_text(const Progress& p, std::string (*number)(uint64_t), const char* at_least) {
  if (p.records_total <= p.records_done && !p.records_total_exact) return number(p.records_done);
  return number(p.records_done) + " of " + (p.records_total_exact ? "" : at_least) +
         number(p.records_total);
}

// What matters most, in no more than so many columns where that can be.
std::string main_text(const Progress& p, size_t columns) {
  const auto eta = p.eta_seconds();
  const uint64_t errors = p.objects_failed + p.records_failed;
  const auto text = [&](const std::string& records, std::string (*number)(uint64_t)) {
    return fmt::format("{:3.0f}%  {}  {}  ETA {}  {} {}", std::floor(fraction_done(p) * 100),
                       records, rate_text(p.records_per_s, number),
                       eta ? render_duration(*eta) : "-", number(errors),
                       errors == 1 ? "error" : "errors");
  };
  std::string full = text(records_text(p, grouped, ">= ") + " records", grouped);
  if (full.size() <= columns) return full;
  full = text(records_text(p, grouped, ">= "), grouped);
  if (full.size() <= columns) return full;
  std::string shortest = text(records_text(p, rounded, ">="), rounded);
  if (shortest.size() > columns) shortest.resize(columns);
  return shortest;
}

std::string bar_text(double done, size_t cells) {
  const auto full = static_cast<size_t>(done * static_cast<double>(cells));
  return "[" + std::string(full, '#') + std::string(cells - full, '.') + "] ";
}

// A key may hold anything; what a terminal would act on is not shown.
std::string printable(std::string_view key) {
  const bool utf8 = is_utf8(key);
  std::string out;
  for (const char c : key) {
    const auto byte = static_cast<unsigned char>(c);
    const bool control = byte < 0x20 || byte == 0x7F || (byte >= 0x80 && !utf8);
    const bool high_control = byte < 0xA0 && byte >= 0x80 && out.ends_with('\xC2');
    if (high_control) out.pop_back();
    out.push_back(control || high_control ? '?' : c);
  }
  return out;
}

// The end of a name, where names of one folder differ: "...s-0012.csv". What is not ASCII may take
// two columns.
std::string shortened(const std::string& name, size_t columns) {
  size_t width = 0;
  size_t begin = name.size();
  size_t fits = name.size();  // where a name begins that leaves room for the dots
  while (begin > 0) {
    size_t start = begin - 1;
    while (start > 0 && (static_cast<unsigned char>(name[start]) & 0xC0) == 0x80) --start;
    width += begin - start > 1 ? 2 : 1;
    if (width > columns) return std::string("...").append(name, fits);
    begin = start;
    if (width + 3 <= columns) fits = begin;
  }
  return name;
}

// One of the objects under way, and how many more are.
std::string name_text(const Progress& p, size_t columns) {
  if (p.running.empty()) return "";
  const uint64_t others = p.objects_running > 1 ? p.objects_running - 1 : 0;
  const std::string more = others > 0 ? fmt::format(" +{}", others) : "";
  if (columns < more.size() + kNameColumnsMin) return "";
  return shortened(printable(p.running.front()), columns - more.size()) + more;
}

}  // namespace

std::string render_duration(double seconds) {
  const auto whole = static_cast<uint64_t>(std::llround(std::max(0.0, seconds)));
  if (whole < 3600) return fmt::format("{}:{:02}", whole / 60, whole % 60);
  return fmt::format("{}:{:02}:{:02}", whole / 3600, whole / 60 % 60, whole % 60);
}

std::string render_bar(const Progress& p, size_t columns) {
  const size_t width = columns > 0 ? columns - 1 : 0;  // in the last column some terminals wrap
  std::string line = main_text(p, width);
  size_t room = width - line.size();
  const auto take = [&room](size_t size) {
    const bool fits = size <= room;
    if (fits) room -= size;
    return fits;
  };
  const std::string objects = fmt::format("  {}/{} objects", p.objects_done, p.objects_total);
  if (p.objects_total > 1 && take(objects.size())) line += objects;
  constexpr size_t kBrackets = 3;
  constexpr size_t kForOthers = kBrackets + 2 + kNameColumnsWanted;
  const size_t cells = std::min(kBarCellsMax, room > kForOthers ? room - kForOthers : 0);
  if (cells >= kBarCellsMin && take(cells + kBrackets)) {
    line.insert(0, bar_text(fraction_done(p), cells));
  }
  const std::string name = name_text(p, room > 2 ? room - 2 : 0);
  return name.empty() ? line : line + "  " + name;
}

std::string render_json(const Progress& p) {
  nlohmann::ordered_json json;
  json["objects_done"] = p.objects_done;
  json["objects_failed"] = p.objects_failed;
  json["objects_kept"] = p.objects_kept;
  json["objects_running"] = p.objects_running;
  json["objects_total"] = p.objects_total;
  json["records_done"] = p.records_done;
  json["records_failed"] = p.records_failed;
  json["records_total"] = p.records_total;
  json["records_total_exact"] = p.records_total_exact;
  json["bytes_done"] = p.bytes_done;
  json["bytes_total"] = p.bytes_total;
  json["seconds"] = std::round(p.seconds * 1000) / 1000;
  json["records_per_s"] = std::round(p.records_per_s * 10) / 10;
  const auto eta = p.eta_seconds();
  json["eta_seconds"] =
      eta ? nlohmann::ordered_json(std::round(*eta * 10) / 10) : nlohmann::ordered_json(nullptr);
  json["running"] = p.running;
  return json.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

ProgressStyle progress_style(const std::string& setting) {
  if (setting == "bar") return ProgressStyle::kBar;
  if (setting == "json") return ProgressStyle::kJson;
  if (setting == "none") return ProgressStyle::kNone;
  return isatty(STDERR_FILENO) != 0 ? ProgressStyle::kBar : ProgressStyle::kNone;
}

void ProgressView::show(const Progress& progress) {
  const std::lock_guard lock(mutex_);
  if (style_ == ProgressStyle::kBar) {
    const std::string line = "\r\x1b[K" + render_bar(progress, terminal_columns());
    std::fwrite(line.data(), 1, line.size(), stderr);
    drawn_ = true;
    return;
  }
  if (style_ != ProgressStyle::kJson) return;
  const bool first = last_json_seconds_ < 0;
  const bool soon = progress.seconds - last_json_seconds_ < kJsonPeriodSeconds;
  if (!first && soon && !progress.ended) return;
  last_json_seconds_ = progress.seconds;
  const std::string line = render_json(progress) + "\n";
  std::fwrite(line.data(), 1, line.size(), stderr);
}

void ProgressView::say_beside(std::string_view text) {
  const std::lock_guard lock(mutex_);
  clear();
  say(text);
}

void ProgressView::finish() {
  const std::lock_guard lock(mutex_);
  clear();
}

void ProgressView::clear() {
  if (drawn_) std::fputs("\r\x1b[K", stderr);
  drawn_ = false;
}

}  // namespace millrace::cli
