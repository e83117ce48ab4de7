// The job store: models, transform jobs and tags in one SQLite file. A call returns when what it
// wrote is committed and synced, or when nothing of it was written. One connection on a thread of
// its own: calls that wait at one time share one commit, and no reader disturbs it. Whoever asks
// often reads job_index.h instead.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "jobs/job_service.h"

namespace millrace::jobs {

struct StoredModel {
  int64_t id = 0;  // grows with each one stored, and is never used again
  std::string name;
  std::string request;
  int64_t created_ms = 0;
};

struct StoredJob {
  int64_t id = 0;  // likewise
  std::string name;
  std::string request;
  std::string model_request;  // the model as it was when the job was created
  JobStatus status = JobStatus::kInProgress;
  std::string failure_reason;
  int64_t created_ms = 0, modified_ms = 0;
  int64_t started_ms = 0, ended_ms = 0;  // 0: not yet
  JobProgress progress;                  // of an ended job
};

using Tags = std::vector<Tag>;

// A change of a job's state that other programs are to be told of.
struct JobEvent {
  std::string id;    // "": nobody wants events
  std::string json;  // one line, without its end
};

// What a name is compared by: 'Nightly' and 'nightly' are one name.
std::string name_key(std::string_view name);

class JobStore {
 public:
  struct Contents {
    std::vector<StoredModel> models;  // in the order of their ids
    std::vector<StoredJob> jobs;      // likewise; `model_request` only of those that have not ended
    std::map<std::string, Tags> tags;  // by ARN
    std::vector<JobEvent> events;      // not yet told, in their order
  };

  // Opens or makes `file` and reads all of it. A file that a newer version wrote, that another
  // process has open, or that is damaged, is refused with the cause.
  static Result<std::unique_ptr<JobStore>> open(const std::filesystem::path& file,
                                                Contents* contents);
  ~JobStore();
  JobStore(const JobStore&) = delete;
  JobStore& operator=(const JobStore&) = delete;

  // All of these: unavailable where the file cannot be written (a full disk, ...). Thread-safe.

  // The new id. already_exists: the name is taken.
  Result<int64_t> insert_model(const StoredModel& model, std::string_view arn, const Tags& tags);
  // `event` is kept with what it tells of until forget_event.
  Result<int64_t> insert_job(const StoredJob& job, std::string_view arn, const Tags& tags,
                             const JobEvent& event = {});
  Status delete_model(int64_t id, std::string_view arn);
  Status delete_job(int64_t id, std::string_view arn);
  // Everything of `job` that changes in its life: status, reason, times, progress.
  Status update_job(const StoredJob& job, const JobEvent& event = {});
  // The same without waiting; an error is forgotten. For what a restart finds out by itself.
  void note_job(const StoredJob& job);
  // Without waiting; an event that is not forgotten is told once more after a restart.
  void forget_event(const std::string& id);
  Status put_tags(std::string_view arn, const Tags& tags);
  // The model of a stored job, as it was when the job was created.
  Result<std::string> model_request_of(int64_t job);

 private:
  class Impl;
  explicit JobStore(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace millrace::jobs
