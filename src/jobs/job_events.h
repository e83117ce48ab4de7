// Changes of jobs' states for other programs: JSON in the form of Amazon EventBridge's "SageMaker
// Transform Job State Change", appended to a file and posted to a webhook.
#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>

#include "base/cancel.h"
#include "base/http_client.h"
#include "base/result.h"
#include "base/unique_fd.h"
#include "jobs/job_service.h"
#include "jobs/job_store.h"

namespace millrace::jobs {

// The same change of the same job always has the same id, so that who gets it twice can tell.
JobEvent job_event(const TransformJobRecord& job, const Tags& tags, const ServiceOptions& options);

class EventSink {
 public:
  // Hears the id of each event that is done with: delivered, or lost. From any thread.
  using Done = std::function<void(const std::string& id)>;

  // The file is made if missing. Fails where it cannot be opened.
  static Result<std::unique_ptr<EventSink>> open(const std::filesystem::path& file,
                                                 const std::string& url);
  // What the webhook has not taken yet is not done with: the next sink gets it.
  ~EventSink();
  EventSink(const EventSink&) = delete;
  EventSink& operator=(const EventSink&) = delete;

  // Before the first emit.
  void when_done(Done done) { done_ = std::move(done); }
  bool is_wanted() const { return file_.valid() || !url_.empty(); }
  // Never waits for the webhook: its events queue up to a bound, and then the oldest are lost. An
  // event that it does not take after some attempts is lost as well. Thread-safe.
  void emit(const JobEvent& event);

  struct Counts {
    uint64_t sent = 0, lost = 0;
  };
  Counts counts() const { return {sent_, lost_}; }

 private:
  EventSink(UniqueFd file, std::string url);
  void append(const std::string& event);
  void post_all();
  bool post(const std::string& event);
  void finish(const std::string& id, bool delivered);

  const UniqueFd file_;
  const std::string url_;
  Done done_ = [](const std::string&) {};
  HttpClient http_;
  const CancelToken cancel_;
  std::atomic<uint64_t> sent_{0}, lost_{0};
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<JobEvent> queue_;
  bool stop_ = false;
  std::thread thread_;
};

}  // namespace millrace::jobs
