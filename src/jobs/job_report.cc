// Written line by line: a job may have a million objects.
#include "jobs/job_report.h"

#include <unistd.h>

#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>
#include <system_error>

namespace millrace::jobs {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

// Names of objects may be no UTF-8.
std::string text_of(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

double rounded(double seconds) {
  return std::round(seconds * 1000) / 1000;
}

void add_counts(const handler::InvokeCounts& counts, Json* json) {
  (*json)["truncated"] = counts.truncated;
  (*json)["duplicates"] = counts.duplicates;
  (*json)["cached"] = counts.cached;
  (*json)["empty"] = counts.empty;
  (*json)["invalid_utf8"] = counts.invalid_utf8;
  (*json)["not_model_language"] = counts.not_model_language;
}

Json head_of(const TransformOutcome& outcome) {
  const transform::JobReport& report = outcome.report;
  Json json;
  json["job_name"] = outcome.job_name;
  json["status"] = status_name(report.status);
  json["started"] = report.started;
  json["seconds"] = rounded(report.seconds);
  json["model"] = outcome.model_name;
  if (outcome.model) {
    json["model_digest"] = outcome.model->digest;
    json["precision"] = model::precision_name(outcome.model->precision);
    json["isa"] = outcome.model->isa;
    json["numeric_identity"] = outcome.model->numeric_identity;
  }
  if (!outcome.steps.empty()) json["steps"] = steps_json(outcome.steps);
  json["records"] = report.records;
  json["failed_objects"] = report.failed_objects;
  json["kept_objects"] = report.kept_objects;
  json["failed_records"] = report.failed_records;
  json["resumed_records"] = report.resumed_records;
  add_counts(report.counts, &json);
  return json;
}

Json object_of(const transform::ObjectReport& object) {
  Json json;
  json["input"] = object.input;
  json["output"] = object.output;
  json["state"] = state_name(object.state);
  json["records"] = object.records;
  json["failed_records"] = object.failed_records;
  json["bytes_in"] = object.bytes_in;
  json["bytes_out"] = object.bytes_out;
  json["seconds"] = rounded(object.seconds);
  add_counts(object.counts, &json);
  if (!object.error.empty()) json["error"] = object.error;
  return json;
}

fs::path unfinished(const fs::path& file) {
  fs::path name = file;
  name += ".millrace-tmp";
  return name;
}

Error cannot_write(const fs::path& file, const std::string& why) {
  return invalid_argument("--report: cannot write " + file.string() + ": " + why);
}

}  // namespace

Json steps_json(const std::vector<LoadedStep>& steps) {
  Json all = Json::array();
  for (const LoadedStep& step : steps) {
    Json json = {{"step", step.label}, {"model", step.model_name}};
    if (step.model) {
      json["model_digest"] = step.model->digest;
      json["precision"] = model::precision_name(step.model->precision);
      json["isa"] = step.model->isa;
    }
    all.push_back(std::move(json));
  }
  return all;
}

const char* status_name(transform::JobReport::Status status) {
  switch (status) {
    case transform::JobReport::Status::kCompleted:
      return "Completed";
    case transform::JobReport::Status::kFailed:
      return "Failed";
    case transform::JobReport::Status::kStopped:
      return "Stopped";
  }
  return "Failed";
}

const char* state_name(transform::ObjectState state) {
  switch (state) {
    case transform::ObjectState::kWaiting:
      return "Waiting";
    case transform::ObjectState::kRunning:
      return "Running";
    case transform::ObjectState::kCompleted:
      return "Completed";
    case transform::ObjectState::kKept:
      return "Kept";
    case transform::ObjectState::kFailed:
      return "Failed";
    case transform::ObjectState::kStopped:
      return "Stopped";
  }
  return "Failed";
}

Status check_report_file(const fs::path& file) {
  std::error_code error;
  if (fs::is_directory(file, error)) return fail(cannot_write(file, "it is a folder"));
  const fs::path folder = fs::absolute(file).parent_path();
  if (!fs::is_directory(folder, error)) {
    return fail(cannot_write(file, "there is no folder " + folder.string()));
  }
  if (::access(folder.c_str(), W_OK) != 0) {
    return fail(cannot_write(file, std::generic_category().message(errno)));
  }
  return {};
}

Status write_job_report(const fs::path& file, const TransformOutcome& outcome) {
  const fs::path name = unfinished(file);
  std::ofstream out(name, std::ios::binary | std::ios::trunc);
  std::string head = text_of(head_of(outcome));
  head.pop_back();  // the brace, behind the objects
  out << head << ",\"objects\":[";
  const char* between = "\n";
  for (const transform::ObjectReport& object : outcome.report.objects) {
    out << between << text_of(object_of(object));
    between = ",\n";
  }
  out << "\n]}\n";
  out.close();
  std::error_code error;
  if (out) fs::rename(name, file, error);
  if (out && !error) return {};
  const std::string why = error ? error.message() : std::generic_category().message(errno);
  fs::remove(name, error);
  return fail(cannot_write(file, why));
}

}  // namespace millrace::jobs
