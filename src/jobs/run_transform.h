// A transform job from the user's settings to its report: what `millrace transform` and the C++
// library run, and later the service.
#pragma once

#include <chrono>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/cancel.h"
#include "base/result.h"
#include "jobs/backends.h"
#include "jobs/dry_run.h"
#include "jobs/job_settings.h"
#include "transform/transform_job.h"

namespace millrace::jobs {

struct TransformRequest {
  SettingLayers layers;
  // This process's environment, for the folders of XDG and HOME.
  Variables environment;
  // The millrace program, which --model-command needs; empty: there is none.
  std::filesystem::path program;
  std::vector<std::filesystem::path> shipped_model_folders;
  transform::ProgressSink progress;
  // Told what a user should know and is no error: skipped files, the default model, ... Called by
  // several threads.
  Notice notice;
  // Called once all is known that decides the job, before its first object.
  std::function<void(const transform::TransformJob&)> starting;
  std::function<void(const transform::ObjectReport&)> object_done;  // as TransformJob has it
  CancelToken cancel;

  // For a service. Models that stay loaded; null: none do.
  ModelCache* models = nullptr;
  bool as_api = false;          // as JobSettings has it
  bool keep_work_area = false;  // as TransformJob has it
};

struct TransformOutcome {
  transform::JobReport report;
  std::string job_name;
  std::string model_name;                 // of a pipeline: "clean -> sst2-small"
  std::vector<LoadedStep> steps;          // of a pipeline, in order
  std::optional<model::ModelInfo> model;  // of the native one
  bool precision_by_default = false;      // nobody asked for one
  // When the model began to compute; nullopt where it never did.
  std::optional<std::chrono::steady_clock::time_point> first_inference;
  // What went otherwise than asked, but for what the report says.
  std::vector<std::string> notices;
  // Why the lists of data capture could not be written although the job ran.
  std::optional<Error> capture_problem;
  // Not empty: why --report could not be written although the job ran.
  std::string report_problem;
  std::string work_area;  // still there unless the job is Completed
};

// Runs the job to its end. An error means that nothing was started: wrong settings, a model that
// does not load, no credentials, no bucket, no input, an output in the way.
Result<TransformOutcome> run_transform(const TransformRequest& request);

// What run_transform would do, without writing anything (dry_run.h). What would keep the job from
// being started is an error here too.
Result<DryRun> dry_run_transform(const TransformRequest& request);

// For a job that will not run again: aborts what an earlier run of it had begun to write. No work
// area is success.
Status abandon_transform(const TransformRequest& request);

}  // namespace millrace::jobs
