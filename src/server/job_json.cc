#include "server/job_json.h"

#include <fmt/format.h>

#include <cmath>
#include <iterator>
#include <nlohmann/json.hpp>

#include "base/json_write.h"
#include "server/described_request.h"

namespace millrace::server {
namespace {

using nlohmann::json;

// Two digits behind the point: what rates and times are good for.
double rounded(double value) {
  return std::round(value * 100) / 100;
}

}  // namespace

std::string progress_text(const jobs::JobProgress& p) {
  std::string out = fmt::format(
      "{{\"Queued\":{},\"ObjectsTotal\":{},\"ObjectsDone\":{},\"ObjectsFailed\":{},"
      "\"RecordsDone\":{},\"RecordsFailed\":{},\"RecordsTotal\":{},\"RecordsTotalExact\":{},"
      "\"BytesDone\":{},\"BytesTotal\":{},\"Seconds\":{},\"RecordsPerSecond\":{}",
      p.queued, p.objects_total, p.objects_done, p.objects_failed, p.records_done, p.records_failed,
      p.records_total, p.records_total_exact, p.bytes_done, p.bytes_total, rounded(p.seconds),
      rounded(p.records_per_second));
  if (p.eta_seconds) out += fmt::format(",\"EtaSeconds\":{}", rounded(*p.eta_seconds));
  return out + "}";
}

std::string describe_job_text(const jobs::JobView& view) {
  const jobs::TransformJobRecord& record = *view.record;
  std::string out = "{" + described_request(record.request);
  const auto add_text = [&out](std::string_view name, std::string_view value) {
    out.append("\"").append(name).append("\":");
    append_json_string(value, &out);
    out.push_back(',');
  };
  const auto add_time = [&out](std::string_view name, double value) {
    fmt::format_to(std::back_inserter(out), "\"{}\":{},", name, value);
  };
  add_text("TransformJobName", record.name);
  add_text("TransformJobArn", record.arn);
  add_text("TransformJobStatus", jobs::job_status_name(record.status));
  if (!record.failure_reason.empty()) add_text("FailureReason", record.failure_reason);
  add_time("CreationTime", record.creation_time);
  if (record.start_time) add_time("TransformStartTime", *record.start_time);
  if (record.end_time) add_time("TransformEndTime", *record.end_time);
  return out + "\"Millrace\":{\"Progress\":" + progress_text(view.progress) + "}}";
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
