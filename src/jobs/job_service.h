// The service behind the API: models, transform jobs that run, their logs, tags and counters. What
// a protocol needs, and nothing of any protocol: requests come in as the JSON that the API defines,
// already checked against its shapes, and answers are plain values.
//
// Errors are of these codes: invalid_argument (the request; the message is for the client),
// not_found, already_exists (the name is taken), unavailable (could not be stored or reached just
// now; nothing was changed), internal.
//
// All members may be called by any thread. Those under "in memory" take some microseconds, or a few
// milliseconds for a list that finds little among 100,000 jobs; the others wait for the disk or for
// S3 and belong on a worker thread.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "jobs/job_options.h"
#include "jobs/service_options.h"

namespace millrace::jobs {

struct Tag {
  std::string key, value;
};

struct ContainerRecord {
  std::string hostname;  // ContainerHostname; "": none
  std::string image;
  std::string model_data_url;  // "": none
  std::string mode;            // "", SingleModel or MultiModel
  Variables environment;
};

struct ModelRecord {
  std::string name;
  std::string arn;      // its last part in lower case
  std::string request;  // CreateModel as it was given
  std::vector<ContainerRecord> containers;
  bool direct = false;  // InferenceExecutionConfig's Mode: each container is asked alone
  std::string execution_role_arn;
  bool network_isolation = false;
  double creation_time = 0;  // seconds since 1970, with milliseconds
};
using ModelPtr = std::shared_ptr<const ModelRecord>;

enum class JobStatus { kInProgress, kCompleted, kFailed, kStopping, kStopped };
// "InProgress", ...
std::string_view job_status_name(JobStatus status);
std::optional<JobStatus> parse_job_status(std::string_view name);
bool is_terminal(JobStatus status);

struct TransformJobRecord {
  std::string name;
  std::string arn;      // its last part in lower case
  std::string request;  // CreateTransformJob as it was given
  std::string model_name;
  std::string output;  // S3OutputPath
  JobStatus status = JobStatus::kInProgress;
  std::string failure_reason;     // "": none
  double creation_time = 0;       // as ModelRecord's
  double last_modified_time = 0;  // of the status
  // When it (last) left the queue, and when it ended.
  std::optional<double> start_time, end_time;
};
using JobPtr = std::shared_ptr<const TransformJobRecord>;

// How far a job is. A queued one has zeros; that of an ended one stays as it was at its end.
struct JobProgress {
  bool queued = false;  // waits for others to end
  uint64_t objects_total = 0, objects_done = 0, objects_failed = 0;
  uint64_t records_done = 0, records_failed = 0;
  uint64_t records_total = 0;  // as far as scanned
  bool records_total_exact = false;
  uint64_t bytes_done = 0, bytes_total = 0;
  double seconds = 0;
  double records_per_second = 0;      // over the last minute; of an ended job, over all of it
  std::optional<double> eta_seconds;  // while it can be told
};

struct JobView {
  JobPtr record;
  JobProgress progress;
};

enum class SortBy { kCreationTime, kName, kStatus };

// What List asks for; for models, what they have no member for is left alone.
struct ListQuery {
  std::string name_contains;
  std::optional<JobStatus> status;
  // Creation times t with after <= t and t <= before; likewise of the last change of status.
  std::optional<double> created_after, created_before;
  std::optional<double> modified_after, modified_before;
  SortBy sort_by = SortBy::kCreationTime;
  bool descending = true;
  size_t results_max = 10;
  std::string next_token;  // "": from the beginning; one of another sort is invalid_argument
};

// A page goes on behind the last record of the one before, whatever was created or deleted since.
template <class Record>
struct Page {
  std::vector<Record> records;
  std::string next_token;  // "": that was all
};

// An input object that is done with.
struct ObjectState {
  std::string input, output;  // s3://bucket/key; output "": not written
  uint64_t records = 0, failed_records = 0;
  uint64_t bytes = 0;
  double seconds = 0;
  std::string error;  // "": committed
};

struct ObjectQuery {
  bool only_failed = false;
  size_t results_max = 100;
  std::string next_token;
};

// One log stream of the group /aws/sagemaker/TransformJobs. Times are milliseconds since 1970.
struct LogStream {
  std::string name;  // "job/millrace-...", "job/millrace-.../data-log"
  std::string arn;
  int64_t creation_ms = 0;
  std::optional<int64_t> first_event_ms, last_event_ms;
  uint64_t stored_bytes = 0;
};

struct LogEvent {
  int64_t time_ms = 0;
  std::string message;    // one line, without its end
  uint64_t position = 0;  // in its stream: grows, never changes
};

struct LogQuery {
  std::optional<int64_t> start_ms, end_ms;  // start <= t < end
  // Forward: events at or behind this position. Backward: the last ones before it.
  std::optional<uint64_t> position;
  bool backward = false;  // the newest events that match, still in ascending order
  size_t events_max = 10000;
  size_t bytes_max = 1024 * 1024;  // of messages; at least one event is given
};

struct LogPage {
  std::vector<LogEvent> events;
  // Where a reader goes on, in both directions: an empty page repeats what was asked for.
  uint64_t begin = 0, end = 0;
};

// For monitoring; all but the gauges only grow while the process lives.
struct ServiceCounters {
  uint64_t jobs_created = 0, jobs_completed = 0, jobs_failed = 0, jobs_stopped = 0;
  uint64_t records = 0, record_errors = 0, objects = 0, object_errors = 0;
  uint64_t store_errors = 0;  // writes to the job store that failed
  uint64_t events_sent = 0, events_lost = 0;
  uint64_t model_loads = 0, model_hits = 0;
  // Gauges.
  uint64_t jobs_queued = 0, jobs_running = 0, jobs_stored = 0, models_stored = 0;
  uint64_t models_loaded = 0, model_bytes = 0;
};

class JobService {
 public:
  virtual ~JobService() = default;

  // --- in memory ---

  virtual Result<ModelPtr> describe_model(std::string_view name) const = 0;
  virtual Result<Page<ModelPtr>> list_models(const ListQuery& query) const = 0;
  virtual Result<JobView> describe_transform_job(std::string_view name) const = 0;
  virtual Result<Page<JobPtr>> list_transform_jobs(const ListQuery& query) const = 0;
  virtual Result<std::vector<Tag>> list_tags(std::string_view arn) const = 0;
  virtual ServiceCounters counters() const = 0;
  // Why the service cannot take jobs just now (the job store cannot be written, it is draining).
  virtual Status ready() const = 0;

  // --- these wait for the disk ---

  // `request` is CreateModel's JSON. already_exists; invalid_argument: no handler fits the image, a
  // container wants what this service does not do.
  virtual Result<ModelPtr> create_model(std::string_view request) = 0;
  virtual Status delete_model(std::string_view name) = 0;

  // `request` is CreateTransformJob's JSON. Stored when this returns, and started as soon as there
  // is room. already_exists; not_found: the model, in SageMaker's words; invalid_argument: settings
  // (also those in Environment), or no object under the input's prefix, in SageMaker's words.
  virtual Result<JobView> create_transform_job(std::string_view request) = 0;
  // It is Stopping (or, where it waited, Stopped) when this returns. invalid_argument: it is not
  // InProgress.
  virtual Status stop_transform_job(std::string_view name) = 0;
  // A Failed or Stopped job goes on where it was. invalid_argument: it is neither.
  virtual Status resume_transform_job(std::string_view name) = 0;
  // Forgets a job that ended, with its logs and what it kept for a resume; its name is free again.
  // Outputs stay. invalid_argument: it has not ended.
  virtual Status delete_transform_job(std::string_view name) = 0;
  virtual Result<Page<ObjectState>> list_objects(std::string_view name,
                                                 const ObjectQuery& query) const = 0;

  // The ARN's tags afterwards. not_found: the ARN is none of a job or model that there is;
  // invalid_argument: more than 50 tags.
  virtual Result<std::vector<Tag>> add_tags(std::string_view arn, const std::vector<Tag>& tags) = 0;
  virtual Status delete_tags(std::string_view arn, const std::vector<std::string>& keys) = 0;

  // Streams whose name begins with `prefix`, by name: at most 50 beginning at `after` (exclusive).
  // A job has its streams from its start on.
  virtual std::vector<LogStream> log_streams(std::string_view prefix, std::string_view after = {},
                                             size_t streams_max = 50) const = 0;
  // not_found: there is no such stream. All lines of a job are there before its status is terminal.
  virtual Result<LogPage> read_log(std::string_view stream, const LogQuery& query) const = 0;

  // Takes no more jobs and ends those that run at their next checkpoint; they go on, as InProgress,
  // when a service is opened on the same folder. Returns when all have. The destructor does so too.
  virtual void drain() = 0;
};

inline constexpr std::string_view kTransformJobsLogGroup = "/aws/sagemaker/TransformJobs";

// Opens the folder's store (made, or brought up to this version's schema, or refused if it is newer
// or held by another process) and takes up the jobs that are in it.
Result<std::unique_ptr<JobService>> open_job_service(ServiceOptions options);

}  // namespace millrace::jobs
