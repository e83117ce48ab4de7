// A dry run: what a job would do, said without writing anything. How many objects and records,
// under which settings, what the first predictions are, and how long it takes in each precision.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/cancel.h"
#include "base/result.h"
#include "jobs/backends.h"
#include "jobs/job_settings.h"
#include "transform/transform_job.h"

namespace millrace::jobs {

struct DryRun {
  std::string job_name;
  std::string model_name;
  uint64_t objects = 0;
  uint64_t kept_objects = 0;  // whose outputs are there already (--if-exists skip, update)
  uint64_t bytes = 0;         // of all of them
  uint64_t records = 0;
  bool records_exact = true;  // false: estimated by the bytes, because counting took too long
  std::vector<std::string> skipped;                           // "key: why"
  std::vector<std::pair<std::string, std::string>> settings;  // as they were resolved
  struct Sample {
    std::string object;
    std::string record;
    std::string result;  // as the output would have it; or "error: ..."
  };
  std::vector<Sample> samples;
  struct Expectation {
    std::string precision;  // "": the model is not ours, and has none
    double records_per_s = 0;
    double seconds = 0;       // for all the records that are to be done
    std::string unavailable;  // not empty: why this machine does not have it
  };
  std::vector<Expectation> expected;
};

// What there is when a job is ready to be started; all of it outlives the call.
struct DryRunInput {
  const JobSettings* settings = nullptr;
  std::string model_name;
  const ModelArtifact* artifact = nullptr;
  const LoadedHandler* loaded = nullptr;
  const transform::TransformJob* job = nullptr;
  transform::WorkStorage* work = nullptr;
  std::vector<std::string> skipped;
  CancelToken cancel;
};

// Fails where the job would not be started (outputs in the way). `output` may be null where the job
// has no objects.
Result<DryRun> dry_run(const DryRunInput& input, store::ObjectStore& source,
                       store::ObjectStore* output);

}  // namespace millrace::jobs
