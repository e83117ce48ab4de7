#include "server/job_json.h"

#include <cmath>
#include <nlohmann/json.hpp>

namespace millrace::server {
namespace {

using nlohmann::json;

// What SageMaker shows of an absent member. MaxConcurrentTransforms, MaxPayloadInMB, BatchStrategy
// and ModelClientConfig stay absent there.
void add_defaults(json* job) {
  json& processing = (*job)["DataProcessing"];
  if (processing.is_null()) processing = json::object();
  for (const auto& [name, value] :
       {std::pair{"InputFilter", "$"}, {"OutputFilter", "$"}, {"JoinSource", "None"}}) {
    if (!processing.contains(name)) processing[name] = value;
  }
  json& input = (*job)["TransformInput"];
  for (const char* const name : {"CompressionType", "SplitType"}) {
    if (!input.contains(name)) input[name] = "None";
  }
  json& output = (*job)["TransformOutput"];
  if (!output.contains("AssembleWith")) output["AssembleWith"] = "None";
  if (!output.contains("KmsKeyId")) output["KmsKeyId"] = "";
  if (!job->contains("Environment")) (*job)["Environment"] = json::object();
}

// Two digits behind the point: what rates and times are good for.
double rounded(double value) {
  return std::round(value * 100) / 100;
}

}  // namespace

json progress_json(const jobs::JobProgress& progress) {
  json out = {{"Queued", progress.queued},
              {"ObjectsTotal", progress.objects_total},
              {"ObjectsDone", progress.objects_done},
              {"ObjectsFailed", progress.objects_failed},
              {"RecordsDone", progress.records_done},
              {"RecordsFailed", progress.records_failed},
              {"RecordsTotal", progress.records_total},
              {"RecordsTotalExact", progress.records_total_exact},
              {"BytesDone", progress.bytes_done},
              {"BytesTotal", progress.bytes_total},
              {"Seconds", rounded(progress.seconds)},
              {"RecordsPerSecond", rounded(progress.records_per_second)}};
  if (progress.eta_seconds) out["EtaSeconds"] = rounded(*progress.eta_seconds);
  return out;
}

json describe_job_json(const jobs::JobView& view) {
  const jobs::TransformJobRecord& record = *view.record;
  json job = json::parse(record.request, nullptr, false);
  if (!job.is_object()) job = json::object();
  job.erase("Tags");
  add_defaults(&job);
  job["TransformJobName"] = record.name;
  job["TransformJobArn"] = record.arn;
  job["TransformJobStatus"] = jobs::job_status_name(record.status);
  job["CreationTime"] = record.creation_time;
  if (!record.failure_reason.empty()) job["FailureReason"] = record.failure_reason;
  if (record.start_time) job["TransformStartTime"] = *record.start_time;
  if (record.end_time) job["TransformEndTime"] = *record.end_time;
  job["Millrace"] = {{"Progress", progress_json(view.progress)}};
  return job;
}

json job_summary_json(const jobs::TransformJobRecord& job) {
  json out = {{"TransformJobName", job.name},
              {"TransformJobArn", job.arn},
              {"CreationTime", job.creation_time},
              {"LastModifiedTime", job.last_modified_time},
              {"TransformJobStatus", jobs::job_status_name(job.status)}};
  if (job.end_time) out["TransformEndTime"] = *job.end_time;
  if (!job.failure_reason.empty()) out["FailureReason"] = job.failure_reason;
  return out;
}

json describe_model_json(const jobs::ModelRecord& model) {
  json out = json::parse(model.request, nullptr, false);
  if (!out.is_object()) out = json::object();
  out.erase("Tags");
  out["ModelName"] = model.name;
  out["ModelArn"] = model.arn;
  out["CreationTime"] = model.creation_time;
  if (!out.contains("EnableNetworkIsolation")) out["EnableNetworkIsolation"] = false;
  return out;
}

json model_summary_json(const jobs::ModelRecord& model) {
  return {
      {"ModelName", model.name}, {"ModelArn", model.arn}, {"CreationTime", model.creation_time}};
}

}  // namespace millrace::server
