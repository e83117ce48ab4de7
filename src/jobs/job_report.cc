// Written line by line: a job may have a million objects.
#include "jobs/job_report.h"

#include <unistd.h>

#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>
#include <system_error>

#include "transform/refusals.h"

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

// What is replaced: where the path is a link, what it leads to.
fs::path target_of(const fs::path& file) {
  std::error_code error;
  fs::path target = fs::weakly_canonical(fs::absolute(file), error);
  return error ? fs::absolute(file).lexically_normal() : target;
}

// A pipe, a terminal, /dev/null, /dev/stdout: written to, and never replaced by a file.
bool is_stream(const fs::path& file) {
  std::error_code error;
  const fs::file_status status = fs::status(file, error);
  if (fs::exists(status) && !fs::is_regular_file(status)) return true;
  const std::string path = fs::absolute(file).lexically_normal().string();
  return path.starts_with("/dev/") || path.starts_with("/proc/");
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
  if (is_stream(file)) return {};
  const fs::path folder = target_of(file).parent_path();
  if (!fs::is_directory(folder, error)) {
    return fail(cannot_write(file, "there is no folder " + folder.string()));
  }
  if (::access(folder.c_str(), W_OK) != 0) {
    return fail(cannot_write(file, std::generic_category().message(errno)));
  }
  return {};
}

Status check_report_apart(const fs::path& file, const transform::TransformJob& job,
                          const store::ObjectStore& input, const store::ObjectStore& output) {
  const std::string name = target_of(file).string();
  const auto is_it = [&](const std::string& key) {
    return output.describe(key) == name || output.describe(transform::errors_key(key)) == name;
  };
  bool written = job.output_form.merges() && is_it(job.output_form.merge_key);
  for (const transform::PlannedObject& object : job.objects) {
    if (input.describe(object.input.key) == name) {
      return fail(cannot_write(file, "it is an input of the job"));
    }
    written = written || is_it(object.output_key);
  }
  return written ? fail(cannot_write(file, "the job writes an output there")) : Status();
}

Status write_job_report(const fs::path& file, const TransformOutcome& outcome) {
  const bool stream = is_stream(file);
  const fs::path target = stream ? file : target_of(file);
  const fs::path name = stream ? file : unfinished(target);
  std::ofstream out(name, std::ios::binary | (stream ? std::ios::app : std::ios::trunc));
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
  if (out && !stream) fs::rename(name, target, error);
  if (out && !error) return {};
  const std::string why = error ? error.message() : std::generic_category().message(errno);
  if (!stream) fs::remove(name, error);
  return fail(cannot_write(file, why));
}

}  // namespace millrace::jobs
