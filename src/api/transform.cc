// run_transform of the C++ library: the job runner behind standard types.
#include "millrace/transform.h"

#include <mutex>

#include "api/convert.h"
#include "jobs/run_transform.h"

namespace millrace {
namespace {

TransformProgress to_progress(const transform::Progress& progress) {
  return {.objects_done = progress.objects_done,
          .objects_failed = progress.objects_failed,
          .objects_total = progress.objects_total,
          .records_done = progress.records_done,
          .records_total = progress.records_total,
          .records_total_exact = progress.records_total_exact,
          .bytes_done = progress.bytes_done,
          .bytes_total = progress.bytes_total,
          .seconds = progress.seconds};
}

TransformStatus to_status(transform::JobReport::Status status) {
  switch (status) {
    case transform::JobReport::Status::kCompleted:
      return TransformStatus::kCompleted;
    case transform::JobReport::Status::kFailed:
      return TransformStatus::kFailed;
    case transform::JobReport::Status::kStopped:
      return TransformStatus::kStopped;
  }
  return TransformStatus::kFailed;
}

TransformSummary to_summary(jobs::TransformOutcome outcome) {
  TransformSummary summary;
  summary.status = to_status(outcome.report.status);
  summary.job_name = std::move(outcome.job_name);
  summary.model_name = std::move(outcome.model_name);
  if (outcome.model) summary.numeric_identity = std::move(outcome.model->numeric_identity);
  for (transform::ObjectReport& object : outcome.report.objects) {
    summary.objects.push_back({.input = std::move(object.input),
                               .output = std::move(object.output),
                               .records = object.records,
                               .error = std::move(object.error)});
  }
  summary.records = outcome.report.records;
  summary.failed_objects = outcome.report.failed_objects;
  summary.failed_records = outcome.report.failed_records;
  const handler::InvokeCounts& counts = outcome.report.counts;
  summary.truncated = counts.truncated;
  summary.duplicates = counts.duplicates;
  summary.cached = counts.cached;
  summary.empty = counts.empty;
  summary.invalid_utf8 = counts.invalid_utf8;
  summary.not_model_language = counts.not_model_language;
  summary.seconds = outcome.report.seconds;
  summary.work_area = outcome.work_area;
  return summary;
}

}  // namespace

Outcome<TransformSummary> run_transform(const TransformRequest& request) {
  jobs::TransformRequest job;
  auto flags = api::option_variables(request.settings, false);
  if (!flags) return api::to_failure(std::move(flags).error());
  job.layers.flags = std::move(*flags);
  job.layers.job_environment = request.environment;
  job.environment = api::process_variables();
  job.shipped_model_folders = api::shipped_model_folders(job.environment);
  job.progress = [&request](const transform::Progress& progress) {
    if (request.on_progress) request.on_progress(to_progress(progress));
  };
  std::mutex noticing;  // the user's function is called by one thread at a time
  job.notice = [&](std::string_view text) {
    const std::lock_guard lock(noticing);
    if (request.on_notice) request.on_notice(text);
  };
  const std::stop_callback stop(request.stop, [&job] { job.cancel.cancel(); });
  auto outcome = jobs::run_transform(job);
  if (!outcome) return api::to_failure(std::move(outcome).error());
  if (outcome->capture_problem) return api::to_failure(std::move(*outcome->capture_problem));
  for (const std::string& notice : outcome->notices) job.notice(notice);
  return to_summary(std::move(*outcome));
}

}  // namespace millrace
