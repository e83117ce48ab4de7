// The file is written by whoever changed the state; the webhook by a thread of its own.
#include "jobs/job_events.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/clock.h"
#include "base/digest.h"
#include "base/limits.h"
#include "base/retry.h"

namespace millrace::jobs {
namespace {

using nlohmann::ordered_json;

int64_t epoch_ms(double seconds) {
  return static_cast<int64_t>(seconds * 1000 + 0.5);
}

// A name-based UUID of what is told.
std::string event_id(const TransformJobRecord& job) {
  const std::string digest = sha256_hex(fmt::format(
      "{} {} {}", job.arn, epoch_ms(job.last_modified_time), job_status_name(job.status)));
  return fmt::format("{}-{}-5{}-8{}-{}", digest.substr(0, 8), digest.substr(8, 4),
                     digest.substr(12, 3), digest.substr(15, 3), digest.substr(18, 12));
}

// Members of the request that Describe, and so the event, repeats.
constexpr const char* kRepeated[] = {
    "MaxConcurrentTransforms", "ModelClientConfig", "MaxPayloadInMB",
    "BatchStrategy",           "Environment",       "TransformInput",
    "TransformOutput",         "DataCaptureConfig", "TransformResources",
    "DataProcessing",          "ExperimentConfig"};

ordered_json detail_of(const TransformJobRecord& job, const Tags& tags) {
  ordered_json detail;
  detail["TransformJobName"] = job.name;
  detail["TransformJobArn"] = job.arn;
  detail["TransformJobStatus"] = job_status_name(job.status);
  if (!job.failure_reason.empty()) detail["FailureReason"] = job.failure_reason;
  detail["ModelName"] = job.model_name;
  const ordered_json request = ordered_json::parse(job.request, nullptr, false);
  for (const char* member : kRepeated) {
    if (request.is_object() && request.contains(member)) detail[member] = request[member];
  }
  detail["CreationTime"] = epoch_ms(job.creation_time);
  if (job.start_time) detail["TransformStartTime"] = epoch_ms(*job.start_time);
  if (job.end_time) detail["TransformEndTime"] = epoch_ms(*job.end_time);
  detail["Tags"] = ordered_json::object();
  for (const Tag& tag : tags) detail["Tags"][tag.key] = tag.value;
  return detail;
}

}  // namespace

JobEvent job_event(const TransformJobRecord& job, const Tags& tags, const ServiceOptions& options) {
  const std::string id = event_id(job);
  ordered_json event;
  event["version"] = "0";
  event["id"] = id;
  event["detail-type"] = "SageMaker Transform Job State Change";
  event["source"] = "aws.sagemaker";
  event["account"] = options.account;
  const auto changed = std::chrono::milliseconds(epoch_ms(job.last_modified_time));
  event["time"] = format_iso8601(WallTime(changed));
  event["region"] = options.region;
  event["resources"] = {job.arn};
  event["detail"] = detail_of(job, tags);
  return {id, event.dump(-1, ' ', false, ordered_json::error_handler_t::replace)};
}

Result<std::unique_ptr<EventSink>> EventSink::open(const std::filesystem::path& file,
                                                   const std::string& url) {
  UniqueFd fd;
  if (!file.empty()) {
    fd.reset(::open(file.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
    if (!fd.valid()) return fail(errno_error("open the event file " + file.string(), errno));
  }
  return std::unique_ptr<EventSink>(new EventSink(std::move(fd), url));
}

EventSink::EventSink(UniqueFd file, std::string url)
    : file_(std::move(file)), url_(std::move(url)) {
  if (!url_.empty()) thread_ = std::thread([this] { post_all(); });
}

EventSink::~EventSink() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  cancel_.cancel();
  changed_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void EventSink::emit(const JobEvent& event) {
  if (file_.valid()) append(event.json);
  if (url_.empty()) return done_(event.id);
  std::string lost;
  {
    const std::lock_guard lock(mutex_);
    if (queue_.size() == limits::kEventsQueuedMax) {
      lost = std::move(queue_.front().id);
      queue_.pop_front();
    }
    queue_.push_back(event);
  }
  changed_.notify_one();
  if (!lost.empty()) finish(lost, false);
}

void EventSink::finish(const std::string& id, bool delivered) {
  ++(delivered ? sent_ : lost_);
  done_(id);
}

// One write, so that lines of several processes do not mix.
void EventSink::append(const std::string& event) {
  const std::string line = event + "\n";
  const ssize_t written = ::write(file_.get(), line.data(), line.size());
  ++(written == static_cast<ssize_t>(line.size()) ? sent_ : lost_);
}

void EventSink::post_all() {
  for (;;) {
    JobEvent event;
    {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [this] { return stop_ || !queue_.empty(); });
      if (stop_) return;
      event = std::move(queue_.front());
      queue_.pop_front();
    }
    const bool delivered = post(event.json);
    if (!delivered && cancel_.cancelled()) return;
    finish(event.id, delivered);
  }
}

bool EventSink::post(const std::string& event) {
  const auto attempt = [&]() -> Status {
    HttpRequest request;
    request.method = "POST";
    request.url = url_;
    request.headers = {{"Content-Type", "application/json"}};
    request.body = event;
    request.timeout = std::chrono::milliseconds(limits::kEventTimeoutMs);
    MR_ASSIGN(const HttpReply reply, http_.send(request, cancel_));
    if (reply.status >= 200 && reply.status < 300) return {};
    const Error error = unavailable(fmt::format("HTTP status {}", reply.status));
    const bool may_pass = reply.status >= 500 || reply.status == 429;
    return fail(may_pass ? error : invalid_argument(error.message));
  };
  return retry(Retrying{}, cancel_, attempt).has_value();
}

}  // namespace millrace::jobs
