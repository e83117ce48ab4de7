#include "cli/progress_view.h"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <optional>

namespace millrace::cli {
namespace {

using transform::Progress;

// Seconds between two JSON lines: often enough to watch, rare enough to log.
constexpr double kJsonPeriodSeconds = 2;
constexpr size_t kBarCells = 24;

size_t terminal_columns() {
  winsize size = {};
  if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) return size.ws_col;
  return 80;
}

double fraction_done(const Progress& p) {
  if (p.bytes_total == 0) return p.objects_total == 0 ? 0 : 1;
  return std::min(1.0, static_cast<double>(p.bytes_done) / static_cast<double>(p.bytes_total));
}

// None before enough was done to tell.
std::optional<double> eta_seconds(const Progress& p) {
  if (p.bytes_done >= p.bytes_total) return 0;
  if (p.bytes_per_s <= 0 || p.seconds < 0.5) return std::nullopt;
  return static_cast<double>(p.bytes_total - p.bytes_done) / p.bytes_per_s;
}

std::string grouped(uint64_t n) {
  std::string digits = std::to_string(n);
  for (size_t i = digits.size(); i > 3;) {
    i -= 3;
    digits.insert(i, ",");
  }
  return digits;
}

// "1,200 of 5,000", and before the total is known "1,200 of >= 5,000".
std::string records_text(const Progress& p) {
  if (p.records_total <= p.records_done && !p.records_total_exact) return grouped(p.records_done);
  return grouped(p.records_done) + (p.records_total_exact ? " of " : " of >= ") +
         grouped(p.records_total);
}

}  // namespace

std::string render_duration(double seconds) {
  const auto whole = static_cast<uint64_t>(std::llround(std::max(0.0, seconds)));
  if (whole < 3600) return fmt::format("{}:{:02}", whole / 60, whole % 60);
  return fmt::format("{}:{:02}:{:02}", whole / 3600, whole / 60 % 60, whole % 60);
}

std::string render_bar(const Progress& p, size_t columns) {
  const double done = fraction_done(p);
  const auto cells = static_cast<size_t>(done * kBarCells);
  const auto eta = eta_seconds(p);
  std::string line =
      fmt::format("[{}{}] {:3.0f}%  {}/{} objects  {} records  {:.0f}/s  {} errors  ETA {}",
                  std::string(cells, '#'), std::string(kBarCells - cells, '.'), done * 100,
                  p.objects_done, p.objects_total, records_text(p), p.records_per_s,
                  p.objects_failed + p.records_failed, eta ? render_duration(*eta) : "-");
  if (line.size() + 1 > columns) line.resize(columns > 1 ? columns - 1 : 0);
  return line;
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
  const auto eta = eta_seconds(p);
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
  if (style_ == ProgressStyle::kBar) {
    const std::string line = "\r\x1b[K" + render_bar(progress, terminal_columns());
    std::fwrite(line.data(), 1, line.size(), stderr);
    drawn_ = true;
    return;
  }
  if (style_ != ProgressStyle::kJson) return;
  const bool first = last_json_seconds_ < 0;
  if (!first && progress.seconds - last_json_seconds_ < kJsonPeriodSeconds) return;
  last_json_seconds_ = progress.seconds;
  const std::string line = render_json(progress) + "\n";
  std::fwrite(line.data(), 1, line.size(), stderr);
}

void ProgressView::finish() {
  if (drawn_) std::fputs("\r\x1b[K", stderr);
  drawn_ = false;
}

}  // namespace millrace::cli
