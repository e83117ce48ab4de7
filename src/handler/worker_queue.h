// Requests that wait for one of a handler's workers: threads that each answer one request at a
// time, started only as requests come that no worker is idle for.
#pragma once

#include <chrono>
#include <condition_variable>
#include <deque>
#include <functional>
#include <future>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include "handler/inference_handler.h"

namespace millrace::handler {

class WorkerQueue {
 public:
  struct Invocation {
    InvokeRequest request;
    std::promise<Result<InvokeReply>> reply;

    // Sets the reply; before it, that the request is answered, if it is.
    void answer(Result<InvokeReply> result);
  };

  // What worker number 0, 1, ... does: takes next() until that is empty, then returns. It
  // answers each invocation, or gives it back.
  using Work = std::function<void(int index)>;

  WorkerQueue(size_t workers_max, Work work)
      : work_(std::move(work)), workers_max_(workers_max > 0 ? workers_max : 1) {}
  // stop() comes before what the workers use goes. REQUIRES: it was called, or nothing was
  // submitted.
  ~WorkerQueue() = default;
  WorkerQueue(const WorkerQueue&) = delete;
  WorkerQueue& operator=(const WorkerQueue&) = delete;

  // Queues the request. internal: not even one worker could be started. Thread-safe.
  std::future<Result<InvokeReply>> submit(InvokeRequest request);
  // For workers: the next one; waits for it. nullopt: none is left and none will come.
  std::optional<Invocation> next();
  // For a worker that ends: the invocation is again the next one, for the others, and nobody takes
  // its place. REQUIRES: another worker goes on.
  void give_back(Invocation invocation);
  // What is queued is still answered; waits for the workers. Idempotent.
  void stop();

  // Answering begins otherwise than by submit().
  void note_inference();
  std::optional<std::chrono::steady_clock::time_point> first_inference() const;

 private:
  void start_worker();  // REQUIRES: mutex_ is held

  const Work work_;
  mutable std::mutex mutex_;
  std::condition_variable arrived_;
  std::deque<Invocation> queue_;
  std::vector<std::thread> workers_;
  size_t workers_max_;
  size_t idle_ = 0;
  bool stopping_ = false;
  std::optional<std::chrono::steady_clock::time_point> first_;
};

}  // namespace millrace::handler
