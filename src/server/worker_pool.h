// A few threads for what the server's own thread must not wait for.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace millrace::server {

class WorkerPool {
 public:
  WorkerPool(size_t threads, size_t waiting_max);
  // As stop().
  ~WorkerPool();
  WorkerPool(const WorkerPool&) = delete;
  WorkerPool& operator=(const WorkerPool&) = delete;

  // False: too many wait already, or it was stopped; nothing will be done.
  bool post(std::function<void()> work);
  // Does what waits, and ends.
  void stop();

 private:
  void run();

  const size_t waiting_max_;
  std::mutex mutex_;
  std::condition_variable ready_;
  std::deque<std::function<void()>> waiting_;
  bool stopping_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace millrace::server
