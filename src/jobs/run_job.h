// One stored job, run to its end: its request and its model become settings, what happens becomes
// log lines, and the outcome a status.
#pragma once

#include <functional>
#include <string>

#include "base/cancel.h"
#include "jobs/job_log.h"
#include "jobs/job_store.h"
#include "jobs/model_cache.h"
#include "jobs/service_options.h"

namespace millrace::jobs {

struct JobEnd {
  // kStopped: `cancel` ended it; whether somebody stopped it or the process drains is the caller's
  // to know.
  JobStatus status = JobStatus::kFailed;
  std::string failure_reason;
  JobProgress progress;
};

struct JobContext {
  const ServiceOptions& options;
  ModelCache& models;
  JobLog& log;
  std::function<void(const JobProgress&)> progress;  // called by one thread at a time
  CancelToken cancel;
};

// Leaves the job's work area in place, whatever the end: what was done is not to be done again when
// the end could not be stored. All log lines but the last are written.
JobEnd run_job(const StoredJob& job, const JobContext& context);

// Folders of one job's own: named by its id, so that a new job of the same name finds nothing of
// it.
std::filesystem::path work_folder_of(const ServiceOptions& options, int64_t job);
std::filesystem::path log_folder_of(const ServiceOptions& options, int64_t job);

}  // namespace millrace::jobs
