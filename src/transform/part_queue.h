// PartQueue: parts that wait to be worked on, in order. The planner stays a bounded number ahead;
// lanes take a part when fewer than `feeders` are worked on, or while the parts are so small that
// all of them together are no more than `feeders` whole ones.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>

#include "base/cancel.h"
#include "transform/object_run.h"
#include "transform/part.h"

namespace millrace::transform {

struct PartTask {
  std::shared_ptr<ObjectRun> object;
  Part part;
  CancelToken cancel;
};

class PartQueue {
 public:
  PartQueue(int feeders, uint64_t part_bytes, size_t waiting_max)
      : feeders_(static_cast<uint64_t>(feeders)),
        active_bytes_max_(feeders_ * part_bytes),
        waiting_max_(waiting_max) {}

  // Waits while the queue is full.
  void push(PartTask task);
  // No more will come.
  void close();
  // Waits. Nothing: closed and empty. The part is being worked on until done().
  std::optional<PartTask> pop();
  void done(const Part& part);

 private:
  bool front_may_start() const;

  const uint64_t feeders_;
  const uint64_t active_bytes_max_;
  const size_t waiting_max_;
  std::mutex mutex_;
  std::condition_variable not_full_;
  std::condition_variable may_start_;
  std::deque<PartTask> waiting_;
  bool closed_ = false;
  uint64_t active_ = 0;
  uint64_t active_bytes_ = 0;
};

}  // namespace millrace::transform
