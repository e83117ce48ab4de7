// A job from its frozen list of inputs to committed outputs: first everything that can refuse it,
// then the run, then what is left to say and to tidy.
#include <algorithm>
#include <unordered_set>
#include <utility>

#include "base/limits.h"
#include "transform/job_run.h"
#include "transform/refusals.h"
#include "transform/transform_job.h"
#include "transform/work_area.h"

namespace millrace::transform {
namespace {

void fill_in_defaults(TransformJob* job) {
  if (job->part_bytes == 0) job->part_bytes = limits::kDefaultPartBytes;
  job->feeders = std::max(1, job->feeders);
}

// An output that is an input too would be overwritten while, or before, it is read.
Status refuse_outputs_over_inputs(const TransformJob& job, const store::ObjectStore& input,
                                  const store::ObjectStore& output) {
  std::unordered_set<std::string> inputs;
  for (const PlannedObject& object : job.objects) inputs.insert(input.describe(object.input.key));
  for (const PlannedObject& object : job.objects) {
    std::vector<std::string> names = {output.describe(object.output_key)};
    if (job.record_errors.keep_going()) {
      names.push_back(output.describe(errors_key(object.output_key)));
    }
    for (const std::string& name : names) {
      if (!inputs.contains(name)) continue;
      return fail(invalid_argument("the output " + name + " is also an input of the job"));
    }
  }
  return {};
}

// Outputs that this very job committed, or may have, in an earlier run under these settings.
bool is_ours(const JournalState& earlier, const TransformJob& job, const std::string& key) {
  const auto found = earlier.committing.find(key);
  return found != earlier.committing.end() && found->second == job.settings_digest;
}

Error exists_already(const store::ObjectStore& output, const std::string& key) {
  return already_exists("the output " + output.describe(key) +
                        " exists already; nothing was started");
}

std::string common_prefix(const std::vector<std::string_view>& sorted) {
  const std::string_view first = sorted.front();
  const std::string_view last = sorted.back();
  const auto differ = std::mismatch(first.begin(), first.end(), last.begin(), last.end()).first;
  return std::string(first.begin(), differ);
}

Status stat_outputs(const std::vector<std::string_view>& keys, store::ObjectStore& output) {
  for (std::string_view key : keys) {
    const Result<store::ObjectInfo> found = output.stat(key);
    if (found) return fail(exists_already(output, std::string(key)));
    // A key that the store cannot hold fails its own object, later.
    const Code code = found.error().code;
    if (code != Code::kNotFound && code != Code::kBadInput) {
      return fail(Error(found.error()).within("look for existing outputs"));
    }
  }
  return {};
}

Status list_outputs(const std::vector<std::string_view>& keys, store::ObjectStore& output) {
  auto visit = [&](const store::ObjectInfo& found) -> Status {
    if (!std::binary_search(keys.begin(), keys.end(), std::string_view(found.key))) return {};
    return fail(exists_already(output, found.key));
  };
  Status status = output.list(common_prefix(keys), visit);
  // No folder yet, so nothing in it.
  if (status || status.error().code == Code::kNotFound) return {};
  if (status.error().code == Code::kAlreadyExists) return status;
  return fail(std::move(status).error().within("look for existing outputs"));
}

Status refuse_existing_outputs(const TransformJob& job, store::ObjectStore& output,
                               const JournalState& earlier) {
  if (job.overwrite) return {};
  std::vector<std::string> error_files;
  if (job.record_errors.keep_going()) error_files.reserve(job.objects.size());
  std::vector<std::string_view> keys;
  for (const PlannedObject& object : job.objects) {
    if (is_ours(earlier, job, object.output_key)) continue;
    keys.push_back(object.output_key);
    if (job.record_errors.keep_going()) {
      keys.push_back(error_files.emplace_back(errors_key(object.output_key)));
    }
  }
  if (keys.empty()) return {};
  std::sort(keys.begin(), keys.end());
  return keys.size() <= limits::kStatOutputsMax ? stat_outputs(keys, output)
                                                : list_outputs(keys, output);
}

}  // namespace

Result<JobReport> run_transform_job(TransformJob job, store::ObjectStore& input,
                                    store::ObjectStore& output, handler::InferenceHandler& handler,
                                    const std::filesystem::path& work_area,
                                    const ProgressSink& progress, const CancelToken& cancel) {
  fill_in_defaults(&job);
  MR_TRY(refuse_outputs_over_inputs(job, input, output));

  // The job is ours alone, and nothing of an earlier run is left half done.
  MR_ASSIGN(const auto area, WorkArea::open(work_area));
  MR_TRY(area->clean_up(output));
  if (Status free = refuse_existing_outputs(job, output, area->earlier()); !free) {
    if (area->is_new()) MR_TRY(area->remove());
    return fail(std::move(free).error());
  }
  MR_TRY(area->begin(job, input, output));

  // From here on nothing but an object's own failure stands between it and its output.
  Counters counters;
  JobReport report;
  {
    const ProgressTicker ticker(counters, job, progress);
    report = JobRun(job, input, output, handler, *area, counters, cancel).run();
    report.seconds = ticker.seconds();
  }

  // Every output that the report names is committed. The area is kept for the next run, if any.
  if (report.status == JobReport::Status::kCompleted) MR_TRY(area->remove());
  return report;
}

}  // namespace millrace::transform
