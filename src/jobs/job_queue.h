// Jobs that wait to run, in the order in which they were created: the fair order where all callers
// share one trust domain. A job that is taken up again after a restart, or resumed, keeps its
// place.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <optional>
#include <set>

namespace millrace::jobs {

// Thread-safe.
class JobQueue {
 public:
  void push(int64_t job) {
    {
      const std::lock_guard lock(mutex_);
      waiting_.insert(job);
    }
    changed_.notify_one();
  }

  // False: it does not wait (any more).
  bool remove(int64_t job) {
    const std::lock_guard lock(mutex_);
    return waiting_.erase(job) > 0;
  }

  // Waits for a job; nullopt once the queue is closed, whatever still waits.
  std::optional<int64_t> pop() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return closed_ || !waiting_.empty(); });
    if (closed_) return std::nullopt;
    const int64_t job = *waiting_.begin();
    waiting_.erase(waiting_.begin());
    return job;
  }

  void close() {
    {
      const std::lock_guard lock(mutex_);
      closed_ = true;
    }
    changed_.notify_all();
  }

  size_t size() const {
    const std::lock_guard lock(mutex_);
    return waiting_.size();
  }

 private:
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::set<int64_t> waiting_;
  bool closed_ = false;
};

}  // namespace millrace::jobs
