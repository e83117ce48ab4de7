// From a job's counters to what a person asks: how fast over the last minute, and how long still.
#pragma once

#include <deque>

#include "jobs/job_service.h"
#include "transform/transform_job.h"

namespace millrace::jobs {

// Used by one thread.
class ProgressMeter {
 public:
  JobProgress update(const transform::Progress& now);

 private:
  struct Sample {
    double seconds;
    uint64_t records, bytes;
  };
  std::deque<Sample> samples_;  // one a second, of the last minute
};

}  // namespace millrace::jobs
