// What the data path tells on the way is written as it comes; nothing of it is kept in memory.
#include "jobs/run_job.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/clock.h"
#include "base/limits.h"
#include "jobs/failure_reason.h"
#include "jobs/job_request.h"
#include "jobs/run_transform.h"
#include "jobs/without_effect.h"

namespace millrace::jobs {
namespace {

// As backends.cc marks what a model's process prints.
constexpr std::string_view kModelLine = "model: ";

std::string_view strategy_word(record::BatchStrategy strategy) {
  return strategy == record::BatchStrategy::kSingleRecord ? "SINGLE_RECORD" : "MULTI_RECORD";
}

// Of the two requests, what was sent and is not used here.
std::string unused_members(const StoredJob& job) {
  std::string out;
  for (const std::string& request : {job.request, job.model_request}) {
    const auto json = nlohmann::json::parse(request, nullptr, false);
    const std::string members = members_without_effect(json);
    if (!out.empty() && !members.empty()) out += ", ";
    out += members;
  }
  return out;
}

void log_parameters(const StoredJob& stored, const transform::TransformJob& job, JobLog& log) {
  log.data(fmt::format("MaxConcurrentTransforms={}, MaxPayloadInMB={}, BatchStrategy={}",
                       job.max_concurrent_transforms, job.format.max_payload_bytes / limits::kMiB,
                       strategy_word(job.format.batch_strategy)));
  const std::string unused = unused_members(stored);
  if (unused.empty()) return;
  log.data("[millrace] accepted without effect: " + unused +
           "; the job runs on this machine with this server's credentials");
}

void log_notice(std::string_view text, JobLog& log) {
  if (text.starts_with(kModelLine)) {
    log.model(text.substr(kModelLine.size()));
  } else {
    log.data(fmt::format("[millrace] {}", text));
  }
}

void log_object(const transform::ObjectReport& object, JobLog& log) {
  ObjectState state;
  state.input = object.input;
  state.output = object.output;
  state.records = object.records;
  state.failed_records = object.failed_records;
  state.bytes = object.bytes_in;
  state.seconds = object.seconds;
  state.error = object.error;
  log.object(state);
  if (!object.error.empty()) {
    log.data(object_error_lines(object));
  } else if (object.failed_records > 0) {
    log.data(
        fmt::format("[millrace] {}: {} of {} records refused; {}.errors.jsonl has each with its "
                    "cause",
                    object.input, object.failed_records, object.records, object.output));
  }
}

// What a user of an idle service waits for: from CreateTransformJob to the model's first record.
std::string first_inference_text(const StoredJob& job, const TransformOutcome& outcome) {
  if (!outcome.first_inference) return "";
  const auto ago = std::chrono::steady_clock::now() - *outcome.first_inference;
  const auto when = real_clock().now() - std::chrono::duration_cast<WallTime::duration>(ago);
  const int64_t waited = std::max<int64_t>(0, milliseconds(when) - job.created_ms);
  return fmt::format("; first inference {:.3f} s after creation",
                     static_cast<double>(waited) / 1000);
}

JobEnd end_of(const StoredJob& job, const TransformOutcome& outcome, JobLog& log) {
  const transform::JobReport& report = outcome.report;
  JobEnd end;
  using Status = transform::JobReport::Status;
  if (report.status == Status::kCompleted) end.status = JobStatus::kCompleted;
  if (report.status == Status::kStopped) end.status = JobStatus::kStopped;
  if (end.status == JobStatus::kFailed) end.failure_reason = failure_reason(report);
  for (const std::string& notice : outcome.notices) log_notice(notice, log);
  log.data(fmt::format("[millrace] {}: {} objects, {} failed; {} records, {} failed; {:.3f} s{}",
                       job_status_name(end.status), report.objects.size(), report.failed_objects,
                       report.records, report.failed_records, report.seconds,
                       first_inference_text(job, outcome)),
           LogFile::Kind::kLast);
  return end;
}

JobEnd end_of(const Error& error, const CancelToken& cancel, JobLog& log) {
  JobEnd end;
  if (cancel.cancelled()) {
    end.status = JobStatus::kStopped;
    log.data("[millrace] Stopped before any object was begun", LogFile::Kind::kLast);
    return end;
  }
  end.failure_reason = failure_reason(error);
  log.data(error.message, LogFile::Kind::kLast);
  return end;
}

Result<TransformRequest> request_of(const StoredJob& job, const JobContext& context) {
  MR_ASSIGN(ModelRecord model, parse_model(job.model_request, context.options));
  TransformRequest request;
  MR_ASSIGN(request.layers, job_layers(job.request, model, context.options));
  request.layers.flags["WORK_DIR"] = work_folder_of(context.options, job.id).string();
  request.environment = context.options.environment;
  request.environment["XDG_CACHE_HOME"] = (context.options.folder / "cache").string();
  request.program = context.options.program;
  request.shipped_model_folders = context.options.shipped_model_folders;
  request.models = &context.models;
  request.as_api = true;
  request.keep_work_area = true;
  request.cancel = context.cancel;
  return request;
}

// It was stopped before this process began with it; an earlier one may have.
JobEnd end_abandoned(TransformRequest request, JobLog& log) {
  request.cancel = CancelToken();
  if (const Status done = abandon_transform(request); !done) {
    log.data("[millrace] could not tidy up: " + done.error().message, LogFile::Kind::kLast);
  }
  JobEnd end;
  end.status = JobStatus::kStopped;
  log.data("[millrace] Stopped", LogFile::Kind::kLast);
  return end;
}

JobProgress job_progress(const transform::Progress& now) {
  JobProgress out;
  out.objects_total = now.objects_total;
  out.objects_done = now.objects_done;
  out.objects_failed = now.objects_failed;
  out.records_done = now.records_done;
  out.records_failed = now.records_failed;
  out.records_total = now.records_total;
  out.records_total_exact = now.records_total_exact;
  out.bytes_done = now.bytes_done;
  out.bytes_total = now.bytes_total;
  out.seconds = now.seconds;
  out.records_per_second = now.records_per_s;
  out.eta_seconds = now.eta_seconds();
  return out;
}

// Over all of the job, as its record keeps it.
void settle(const transform::JobReport* report, JobEnd* end) {
  JobProgress& p = end->progress;
  p.eta_seconds.reset();
  p.queued = false;
  if (report == nullptr) return;
  p.seconds = report->seconds;
  if (p.seconds <= 0) return;
  const uint64_t earlier = std::min(p.records_done, report->resumed_records);
  p.records_per_second = static_cast<double>(p.records_done - earlier) / p.seconds;
}

}  // namespace

std::filesystem::path work_folder_of(const ServiceOptions& options, int64_t job) {
  return options.folder / "work" / std::to_string(job);
}

std::filesystem::path log_folder_of(const ServiceOptions& options, int64_t job) {
  return options.folder / "logs" / std::to_string(job);
}

JobEnd run_job(const StoredJob& job, const JobContext& context) {
  JobLog& log = context.log;
  Result<TransformRequest> request = request_of(job, context);
  if (!request) return end_of(request.error(), CancelToken(), log);
  JobProgress latest;
  request->progress = [&](const transform::Progress& now) {
    latest = job_progress(now);
    context.progress(latest);
  };
  request->notice = [&](std::string_view text) { log_notice(text, log); };
  request->starting = [&](const transform::TransformJob& run) { log_parameters(job, run, log); };
  request->object_done = [&](const transform::ObjectReport& object) { log_object(object, log); };
  if (context.cancel.cancelled()) return end_abandoned(std::move(*request), log);
  const Result<TransformOutcome> outcome = run_transform(*request);
  const Error* failure = outcome ? nullptr : &outcome.error();
  if (outcome && outcome->capture_problem &&
      outcome->report.status == transform::JobReport::Status::kCompleted) {
    failure = &*outcome->capture_problem;
  }
  JobEnd end =
      failure == nullptr ? end_of(job, *outcome, log) : end_of(*failure, context.cancel, log);
  end.progress = latest;
  settle(outcome ? &outcome->report : nullptr, &end);
  return end;
}

}  // namespace millrace::jobs
