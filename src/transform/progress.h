// Progress: counters that all threads of a job add to, and the thread that shows them now and then.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <thread>

#include "transform/transform_job.h"

namespace millrace::transform {

struct Counters {
  std::atomic<uint64_t> objects_done{0};  // committed
  std::atomic<uint64_t> objects_failed{0};
  std::atomic<uint64_t> objects_counted{0};  // whose records_found is final
  std::atomic<uint64_t> records_found{0};
  std::atomic<uint64_t> records_done{0};
  std::atomic<uint64_t> records_failed{0};
  std::atomic<uint64_t> bytes_done{0};
};

// Calls the sink from a thread of its own, at once, every kProgressIntervalMs, and a last time when
// it is destroyed. An empty sink is never called.
class ProgressTicker {
 public:
  ProgressTicker(const Counters& counters, const TransformJob& job, const ProgressSink& sink);
  ~ProgressTicker();

  double seconds() const;  // since it was made

 private:
  void show() const;
  void tick();

  const Counters& counters_;
  const ProgressSink& sink_;
  const std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
  uint64_t objects_total_;
  uint64_t bytes_total_ = 0;
  std::mutex mutex_;
  std::condition_variable stop_changed_;
  bool stop_ = false;
  std::thread thread_;
};

}  // namespace millrace::transform
