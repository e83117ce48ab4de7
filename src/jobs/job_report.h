// The report of a job for machines: what became of it and of each object, as JSON.
#pragma once

#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <vector>

#include "base/result.h"
#include "jobs/run_transform.h"

namespace millrace::jobs {

// "Completed", "Failed", "Stopped".
const char* status_name(transform::JobReport::Status status);
// "Waiting", "Running", "Completed", "Kept", "Failed", "Stopped".
const char* state_name(transform::ObjectState state);

// A list that names each step of a pipeline, its model and, of the native one, what identifies it.
nlohmann::ordered_json steps_json(const std::vector<LoadedStep>& steps);

// The report can be written there: said before a job of hours starts.
Status check_report_file(const std::filesystem::path& file);

// Refuses a path that is an input or an output of the job: the report would replace it.
Status check_report_apart(const std::filesystem::path& file, const transform::TransformJob& job,
                          const store::ObjectStore& input, const store::ObjectStore& output);

// One JSON object; "objects" has a line for each. The file is replaced as a whole; a pipe, a
// terminal or a device (/dev/stdout) is written to.
Status write_job_report(const std::filesystem::path& file, const TransformOutcome& outcome);

}  // namespace millrace::jobs
