// One thread calls the sink, so that a sink needs no lock.
#include "transform/progress.h"

#include "base/limits.h"

namespace millrace::transform {

ProgressTicker::ProgressTicker(const Counters& counters, const TransformJob& job,
                               const ProgressSink& sink)
    : counters_(counters), sink_(sink), objects_total_(job.objects.size()) {
  for (const PlannedObject& object : job.objects) bytes_total_ += object.input.size;
  if (sink_) thread_ = std::thread([this] { tick(); });
}

ProgressTicker::~ProgressTicker() {
  if (!thread_.joinable()) return;
  {
    std::lock_guard lock(mutex_);
    stop_ = true;
  }
  stop_changed_.notify_all();
  thread_.join();
}

double ProgressTicker::seconds() const {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
}

void ProgressTicker::show() const {
  Progress progress;
  progress.objects_done = counters_.objects_done;
  progress.objects_failed = counters_.objects_failed;
  progress.objects_total = objects_total_;
  progress.records_done = counters_.records_done;
  progress.records_failed = counters_.records_failed;
  // Read before the figure that it vouches for: what is found later only adds to it.
  progress.records_total_exact = counters_.objects_counted == objects_total_;
  progress.records_total = counters_.records_found;
  progress.bytes_done = counters_.bytes_done;
  progress.bytes_total = bytes_total_;
  progress.seconds = seconds();
  sink_(progress);
}

void ProgressTicker::tick() {
  constexpr auto kInterval = std::chrono::milliseconds(limits::kProgressIntervalMs);
  std::unique_lock lock(mutex_);
  while (!stop_) {
    lock.unlock();
    show();
    lock.lock();
    stop_changed_.wait_for(lock, kInterval, [&] { return stop_; });
  }
  lock.unlock();
  show();
}

}  // namespace millrace::transform
