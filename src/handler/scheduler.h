// The scheduler: worker threads, one encoder each, that turn the requests in flight into windows
// and windows into packs. A worker takes whatever work is nearest to a result: a pack; else it
// closes a full window; else it prepares more rows. So nobody waits while there is input, and
// nothing is prepared much before it is needed.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "base/result.h"
#include "handler/result_cache.h"
#include "handler/slice.h"
#include "handler/window.h"
#include "handler/workspace.h"
#include "model/text_classification_model.h"

namespace millrace::handler {

struct SchedulerOptions {
  int threads = 1;
  bool embeddings = false;  // the encoder's final hidden states are wanted too
  bool deduplicate = true;
  std::shared_ptr<ResultCache> results = nullptr;  // null: every row is computed
};

class Scheduler {
 public:
  // `make_workspace` gives each worker its own. Nothing is worked on before start().
  Scheduler(std::shared_ptr<const model::TextClassificationModel> model,
            const SchedulerOptions& options,
            std::function<std::unique_ptr<Workspace>()> make_workspace);
  // Stops the workers after their pack; abandons the tasks that are not answered.
  ~Scheduler();

  // Starts the workers: all of them, or the error says why not. REQUIRES: called once, first.
  Status start();

  // Queues the task. Blocks while kQueueBytesMax are queued (never when nothing is). Thread-safe.
  void submit(std::shared_ptr<Task> task);

  // When the first pack went into an encoder, or the first row took its result from the cache.
  std::optional<std::chrono::steady_clock::time_point> first_inference() const;

 private:
  using Lock = std::unique_lock<std::mutex>;
  struct Worker;
  struct PackJob {
    std::shared_ptr<Window> window;
    size_t pack = 0;
  };
  // The tasks of one job, by their order, then oldest first. Groups take turns, slice by slice.
  struct Group {
    std::string name;
    std::deque<std::shared_ptr<Task>> tasks;
  };

  void work();
  // One piece of work, if there is any; the lock is held on entry and on return.
  bool work_once(Worker& worker, Lock& lock);
  std::optional<PackJob> take_pack();
  void run_pack(Worker& worker, const PackJob& job);
  void encode_and_deliver(Worker& worker, const Window& window);
  void keep_results(Worker& worker, const Window& window);
  void note_first_inference();
  void close_window(Lock& lock);
  bool window_full() const;
  // Slices for one worker to prepare, from as many tasks as it takes to be worth the lock.
  // Cancelled tasks that it comes across go to `dropped`.
  std::vector<std::shared_ptr<Slice>> take_slices(std::vector<std::shared_ptr<Task>>* dropped);
  void prepare(Worker& worker, const std::vector<std::shared_ptr<Slice>>& slices);
  void wait_for_work(Lock& lock);

  const std::shared_ptr<const model::TextClassificationModel> model_;
  const SchedulerOptions options_;
  const PackLimits pack_limits_;
  const std::function<std::unique_ptr<Workspace>()> make_workspace_;

  std::atomic<std::chrono::steady_clock::rep> first_inference_{0};  // 0: none yet

  std::mutex mutex_;  // guards everything below
  std::condition_variable work_;
  std::condition_variable space_;
  bool stopping_ = false;
  std::deque<Group> groups_;
  uint64_t queued_bytes_ = 0;
  std::unique_ptr<Window> filling_;
  std::deque<PackJob> ready_;  // each with the next pack to take

  std::vector<std::thread> threads_;
};

}  // namespace millrace::handler
