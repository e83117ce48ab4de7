// A transform job from C++: what `millrace transform` does, with the same settings, over objects in
// files or S3. Outputs appear whole or not at all; after a crash the same job goes on.
//
//   millrace::TransformRequest request;
//   request.settings = {{"input", "reviews.csv"}, {"output", "labelled/"}, {"text-column",
//   "text"}}; auto summary = millrace::run_transform(request);
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "millrace/export.h"
#include "millrace/outcome.h"

namespace millrace {

// What is known at one moment of a job.
struct TransformProgress {
  std::uint64_t objects_done = 0;
  std::uint64_t objects_failed = 0;
  std::uint64_t objects_total = 0;
  std::uint64_t records_done = 0;
  std::uint64_t records_total = 0;  // as far as the inputs are scanned
  bool records_total_exact = false;
  std::uint64_t bytes_done = 0;  // of input
  std::uint64_t bytes_total = 0;
  double seconds = 0;
};

struct TransformRequest {
  // The flags of `millrace transform` without dashes in front: "input" and "output" at least;
  // "model", "split-type", "join-source", ... A switch has the value "true".
  std::map<std::string, std::string> settings;
  // The job's Environment: MILLRACE_* settings as boto3 users write them. Weaker than `settings`.
  // Settings in this process's own environment are not read (S3 credentials are).
  std::map<std::string, std::string> environment = {};
  // Called a few times a second, from another thread.
  std::function<void(const TransformProgress&)> on_progress = {};
  // Told what a user should know and is no error: skipped files, the default model, ...
  std::function<void(std::string_view)> on_notice = {};
  // Stops the job cleanly when requested.
  std::stop_token stop = {};
};

struct TransformedObject {
  std::string input;
  std::string output;  // empty: not written
  std::uint64_t records = 0;
  std::string error;  // empty: its output is committed
};

enum class TransformStatus { kCompleted, kFailed, kStopped };

struct TransformSummary {
  TransformStatus status = TransformStatus::kCompleted;
  std::string job_name;
  std::string model_name;
  std::string numeric_identity;
  std::vector<TransformedObject> objects;
  std::uint64_t records = 0;
  std::uint64_t failed_objects = 0;
  std::uint64_t failed_records = 0;
  std::uint64_t truncated = 0;
  std::uint64_t duplicates = 0;
  std::uint64_t cached = 0;  // answered from the setting "result-cache"
  std::uint64_t empty = 0;
  std::uint64_t invalid_utf8 = 0;
  std::uint64_t not_model_language = 0;
  double seconds = 0;
  std::string work_area;  // kept unless the job is completed: the same request goes on there
};

// Runs the job to its end. A Failure means that nothing was started; an object that fails is in the
// summary, and the others' outputs are there.
MILLRACE_API Outcome<TransformSummary> run_transform(const TransformRequest& request);

}  // namespace millrace
