// Progress: counters that all threads of a job add to, and the thread that shows them now and then.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "transform/answer_meter.h"
#include "transform/transform_job.h"

namespace millrace::transform {

struct Counters {
  std::atomic<uint64_t> objects_done{0};  // committed
  std::atomic<uint64_t> objects_failed{0};
  std::atomic<uint64_t> objects_counted{0};  // whose records_found is final
  std::atomic<uint64_t> records_found{0};
  // Done otherwise than by the requests that `requests` has.
  std::atomic<uint64_t> records_done{0};
  std::atomic<uint64_t> bytes_done{0};
  AnswerMeter requests;
  std::atomic<uint64_t> records_failed{0};
  // Of these, what an earlier run had done.
  std::atomic<uint64_t> records_found_done{0};
  std::atomic<uint64_t> bytes_found_done{0};
};

// What each object is at: one writer for an object at one time, any number of readers.
class ObjectStates {
 public:
  explicit ObjectStates(size_t objects) : states_(objects) {}
  void set(size_t object, ObjectState state) { states_[object] = state; }
  ObjectState get(size_t object) const { return states_[object]; }
  size_t size() const { return states_.size(); }

 private:
  std::vector<std::atomic<ObjectState>> states_;
};

// How fast a count grows, over the last minute.
class RateMeter {
 public:
  void add(double seconds, double count);
  double per_s() const;  // 0 before there is anything to tell

 private:
  std::deque<std::pair<double, double>> samples_;  // time and count
};

// Calls the sink from a thread of its own, at once, every kProgressIntervalMs, and a last time when
// it is destroyed. An empty sink is never called.
class ProgressTicker {
 public:
  // All outlive the ticker.
  ProgressTicker(const Counters& counters, const ObjectStates& states, const TransformJob& job,
                 const ProgressSink& sink);
  ~ProgressTicker();

  double seconds() const;  // since it was made

 private:
  void show(bool ended);
  void add_objects(Progress* progress) const;
  void tick();

  const Counters& counters_;
  const ObjectStates& states_;
  const TransformJob& job_;
  const ProgressSink& sink_;
  const std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
  uint64_t bytes_total_ = 0;
  RateMeter records_, bytes_;
  std::mutex mutex_;
  std::condition_variable stop_changed_;
  bool stop_ = false;
  std::thread thread_;
};

}  // namespace millrace::transform
