// Changes of jobs' states for other programs: JSON in the form of Amazon EventBridge's "SageMaker
// Transform Job State Change", appended to a file and posted to a webhook.
#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <filesystem>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "base/cancel.h"
#include "base/http_client.h"
#include "base/result.h"
#include "base/unique_fd.h"
#include "jobs/job_service.h"
#include "jobs/job_store.h"

namespace millrace::jobs {

// One event, without a line end. The same change of the same job always has the same id, so that
// who gets it twice can tell.
std::string event_json(const TransformJobRecord& job, const Tags& tags,
                       const ServiceOptions& options);

class EventSink {
 public:
  // The file is made if missing. Fails where it cannot be opened.
  static Result<std::unique_ptr<EventSink>> open(const std::filesystem::path& file,
                                                 const std::string& url);
  // What the webhook has not taken yet is lost.
  ~EventSink();
  EventSink(const EventSink&) = delete;
  EventSink& operator=(const EventSink&) = delete;

  // Never waits for the webhook: its events queue up to a bound, and then the oldest are lost. An
  // event that it does not take after some attempts is lost as well. Thread-safe.
  void emit(const std::string& event);

  struct Counts {
    uint64_t sent = 0, lost = 0;
  };
  Counts counts() const { return {sent_, lost_}; }

 private:
  EventSink(UniqueFd file, std::string url);
  void append(const std::string& event);
  void post_all();
  bool post(const std::string& event);

  const UniqueFd file_;
  const std::string url_;
  HttpClient http_;
  const CancelToken cancel_;
  std::atomic<uint64_t> sent_{0}, lost_{0};
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::string> queue_;
  bool stop_ = false;
  std::thread thread_;
};

}  // namespace millrace::jobs
