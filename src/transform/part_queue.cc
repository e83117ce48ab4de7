// A bounded queue whose taker also looks at how much is being worked on.
#include "transform/part_queue.h"

#include <utility>

namespace millrace::transform {

void PartQueue::push(PartTask task) {
  std::unique_lock lock(mutex_);
  not_full_.wait(lock, [&] { return waiting_.size() < waiting_max_; });
  waiting_.push_back(std::move(task));
  may_start_.notify_one();
}

void PartQueue::close() {
  std::lock_guard lock(mutex_);
  closed_ = true;
  may_start_.notify_all();
}

bool PartQueue::front_may_start() const {
  if (waiting_.empty()) return false;
  return active_ < feeders_ || active_bytes_ + waiting_.front().part.length <= active_bytes_max_;
}

std::optional<PartTask> PartQueue::pop() {
  std::unique_lock lock(mutex_);
  may_start_.wait(lock, [&] { return front_may_start() || (closed_ && waiting_.empty()); });
  if (waiting_.empty()) return std::nullopt;
  PartTask task = std::move(waiting_.front());
  waiting_.pop_front();
  ++active_;
  active_bytes_ += task.part.length;
  not_full_.notify_one();
  // The next may start too, or there is none and everybody can go.
  may_start_.notify_all();
  return task;
}

void PartQueue::done(const Part& part) {
  std::lock_guard lock(mutex_);
  --active_;
  active_bytes_ -= part.length;
  may_start_.notify_all();
}

}  // namespace millrace::transform
