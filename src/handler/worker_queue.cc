#include "handler/worker_queue.h"

#include <algorithm>
#include <string>
#include <system_error>
#include <utility>

namespace millrace::handler {

void WorkerQueue::Invocation::answer(Result<InvokeReply> result) {
  if (result && request.answered) {
    request.answered(static_cast<uint32_t>(request.records.size()), request.body.size());
  }
  reply.set_value(std::move(result));
}

std::future<Result<InvokeReply>> WorkerQueue::submit(InvokeRequest request) {
  Invocation invocation{std::move(request), {}};
  auto future = invocation.reply.get_future();
  {
    const std::lock_guard lock(mutex_);
    if (!first_) first_ = std::chrono::steady_clock::now();
    queue_.push_back(std::move(invocation));
    if (queue_.size() > idle_ && workers_.size() < workers_max_) start_worker();
  }
  arrived_.notify_one();
  return future;
}

void WorkerQueue::start_worker() {
  const int index = static_cast<int>(workers_.size());
  try {
    workers_.emplace_back([this, index] { work_(index); });
  } catch (const std::system_error& error) {
    if (!workers_.empty()) {
      workers_max_ = workers_.size();  // those that run do it all
      return;
    }
    queue_.back().reply.set_value(
        fail(internal_error(std::string("cannot start a thread: ") + error.what())));
    queue_.pop_back();
  }
}

std::optional<WorkerQueue::Invocation> WorkerQueue::next() {
  std::unique_lock lock(mutex_);
  ++idle_;
  arrived_.wait(lock, [this] { return stopping_ || !queue_.empty(); });
  --idle_;
  if (queue_.empty()) return std::nullopt;
  Invocation invocation = std::move(queue_.front());
  queue_.pop_front();
  return invocation;
}

void WorkerQueue::give_back(Invocation invocation) {
  {
    const std::lock_guard lock(mutex_);
    queue_.push_front(std::move(invocation));
    workers_max_ = std::min(workers_max_, workers_.size());
  }
  arrived_.notify_one();
}

void WorkerQueue::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  arrived_.notify_all();
  for (std::thread& worker : workers_) worker.join();
  workers_.clear();
}

void WorkerQueue::note_inference() {
  const std::lock_guard lock(mutex_);
  if (!first_) first_ = std::chrono::steady_clock::now();
}

std::optional<std::chrono::steady_clock::time_point> WorkerQueue::first_inference() const {
  const std::lock_guard lock(mutex_);
  return first_;
}

}  // namespace millrace::handler
