// A job from its frozen list of inputs to committed outputs: first everything that can refuse it,
// then the run, then what is left to say and to tidy.
#include <algorithm>
#include <unordered_set>
#include <utility>

#include "base/limits.h"
#include "transform/existing_outputs.h"
#include "transform/job_run.h"
#include "transform/parquet_object.h"
#include "transform/refusals.h"
#include "transform/transform_job.h"
#include "transform/work_area.h"

namespace millrace::transform {
namespace {

void fill_in_defaults(TransformJob* job) {
  if (job->part_bytes == 0) job->part_bytes = limits::kDefaultPartBytes;
  job->feeders = std::max(1, job->feeders);
}

std::vector<std::string> output_keys(const TransformJob& job) {
  if (job.output_form.merges()) return {job.output_form.merge_key};
  std::vector<std::string> keys;
  for (const PlannedObject& object : job.objects) keys.push_back(object.output_key);
  return keys;
}

// What is written where this output is: under record error rules its errors file too.
std::vector<std::string> keys_with(const TransformJob& job, const std::string& output_key) {
  if (!job.record_errors.keep_going()) return {output_key};
  return {output_key, errors_key(output_key)};
}

// An output that is an input too would be overwritten while, or before, it is read.
Status refuse_outputs_over_inputs(const TransformJob& job, const store::ObjectStore& input,
                                  const store::ObjectStore& output) {
  std::unordered_set<std::string> inputs;
  for (const PlannedObject& object : job.objects) inputs.insert(input.describe(object.input.key));
  for (const std::string& key : output_keys(job)) {
    for (const std::string& written : keys_with(job, key)) {
      const std::string name = output.describe(written);
      if (!inputs.contains(name)) continue;
      return fail(invalid_argument("the output " + name + " is also an input of the job"));
    }
  }
  return {};
}

}  // namespace

Result<JobReport> run_transform_job(TransformJob job, store::ObjectStore& input,
                                    store::ObjectStore& output, handler::InferenceHandler& handler,
                                    std::unique_ptr<WorkStorage> work, const ProgressSink& progress,
                                    const CancelToken& cancel) {
  fill_in_defaults(&job);
  MR_TRY(refuse_outputs_over_inputs(job, input, output));
  if (is_parquet(job.format)) MR_TRY(check_first_parquet(job, input, handler.traits()));

  // The job is ours alone, and nothing of an earlier run is left half done.
  MR_ASSIGN(const auto area, WorkArea::open(std::move(work)));
  const CancelToken run_cancel = cancel.child();
  area->watch_lock(run_cancel);
  MR_TRY(area->clean_up(output));
  const std::string& identity = handler.traits().identity;
  if (Status free = settle_existing_outputs(&job, output, area->earlier(), identity); !free) {
    if (area->is_new()) MR_TRY(area->remove());
    return fail(std::move(free).error());
  }
  MR_TRY(area->begin(job, input, output));

  job.started = area->started();

  // From here on nothing but an object's own failure stands between it and its output.
  Counters counters;
  ObjectStates states(job.objects.size());
  JobReport report;
  {
    const ProgressTicker ticker(counters, states, job, progress);
    MR_ASSIGN(report,
              JobRun(job, input, output, handler, *area, counters, states, run_cancel).run());
    report.seconds = ticker.seconds();
    report.started = job.started;
  }

  if (area->was_lost()) {
    return fail(unavailable("another process has taken over the job's work area " +
                            area->describe() + ": it goes on there"));
  }

  // Every output that the report names is committed. The area is kept for the next run, if any.
  const bool completed = report.status == JobReport::Status::kCompleted;
  if (completed && !job.keep_work_area) MR_TRY(area->remove());
  return report;
}

}  // namespace millrace::transform
