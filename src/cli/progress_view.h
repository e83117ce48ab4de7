// Progress on stderr: a bar that redraws itself on a terminal, or one JSON line every few seconds.
#pragma once

#include <mutex>
#include <string>
#include <string_view>

#include "transform/transform_job.h"

namespace millrace::cli {

enum class ProgressStyle { kNone, kBar, kJson };

// "auto" is a bar where stderr is a terminal, else nothing.
ProgressStyle progress_style(const std::string& setting);

// Thread-safe.
class ProgressView {
 public:
  explicit ProgressView(ProgressStyle style) : style_(style) {}
  void show(const transform::Progress& progress);
  // say(), on a line of its own; the bar is drawn again with the next progress.
  void say_beside(std::string_view text);
  // Removes the bar, so that what is printed next stands on its own line.
  void finish();

 private:
  void clear();  // REQUIRES: mutex_ is held
  const ProgressStyle style_;
  std::mutex mutex_;
  double last_json_seconds_ = -1;
  bool drawn_ = false;
};

// The bar's text for a terminal of `columns`, which it never fills: percent, records, rate, ETA and
// errors first; then objects, a bar, and the name of one, as far as there is room. Pure, for tests.
std::string render_bar(const transform::Progress& progress, size_t columns);
std::string render_json(const transform::Progress& progress);
// "0:07", "12:34", "1:02:03".
std::string render_duration(double seconds);

}  // namespace millrace::cli
