#include "cli/dry_run_view.h"

#include <fmt/format.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "cli/cli.h"
#include "cli/console.h"
#include "cli/progress_view.h"

namespace millrace::cli {
namespace {

using Json = nlohmann::ordered_json;

double rounded(double x) {
  return std::round(x * 100) / 100;
}

Json expected_json(const jobs::DryRun::Expectation& expectation) {
  Json json;
  if (!expectation.precision.empty()) json["precision"] = expectation.precision;
  if (!expectation.unavailable.empty()) {
    json["unavailable"] = expectation.unavailable;
    return json;
  }
  json["records_per_s"] = rounded(expectation.records_per_s);
  json["seconds"] = rounded(expectation.seconds);
  return json;
}

void say_expected(const jobs::DryRun::Expectation& expectation) {
  const std::string name = expectation.precision.empty() ? "the model" : expectation.precision;
  if (!expectation.unavailable.empty()) {
    say(fmt::format("expected time: {} is not available: {}", name, expectation.unavailable));
    return;
  }
  say(fmt::format("expected time: {} takes {} ({:.0f} records/s)", name,
                  render_duration(expectation.seconds), expectation.records_per_s));
}

void say_all(const jobs::DryRun& found) {
  say(fmt::format("dry run: {} objects ({} of them kept), {} bytes, {}{} records to do",
                  found.objects, found.kept_objects, found.bytes,
                  found.records_exact ? "" : "about ", found.records));
  for (const auto& [name, value] : found.settings) {
    if (!value.empty()) say(fmt::format("  {} = {}", name, value));
  }
  for (const auto& sample : found.samples) {
    say(fmt::format("sample: {}\n      -> {}", sample.record, sample.result));
  }
  for (const auto& expectation : found.expected) say_expected(expectation);
}

}  // namespace

std::string dry_run_line(const jobs::DryRun& found) {
  Json json;
  json["status"] = "DryRun";
  json["objects"] = found.objects;
  json["kept_objects"] = found.kept_objects;
  json["bytes"] = found.bytes;
  json["records"] = found.records;
  json["records_exact"] = found.records_exact;
  json["skipped"] = found.skipped;
  json["settings"] = Json::object();
  for (const auto& [name, value] : found.settings) json["settings"][name] = value;
  json["samples"] = Json::array();
  for (const auto& sample : found.samples) {
    json["samples"].push_back(
        {{"object", sample.object}, {"record", sample.record}, {"result", sample.result}});
  }
  json["expected"] = Json::array();
  for (const auto& expectation : found.expected) {
    json["expected"].push_back(expected_json(expectation));
  }
  json["model"] = found.model_name;
  json["job_name"] = found.job_name;
  return json.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
}

int show_dry_run(const jobs::TransformRequest& request) {
  const auto found = jobs::dry_run_transform(request);
  if (!found) {
    say(found.error().message);
    return request.cancel.cancelled() ? kExitInterrupted : kExitNotStarted;
  }
  say_all(*found);
  put(dry_run_line(*found));
  return kExitOk;
}

}  // namespace millrace::cli
