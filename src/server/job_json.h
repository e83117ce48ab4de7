// Models and jobs as the API shows them.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "jobs/job_service.h"

namespace millrace::server {

// DescribeTransformJob's reply, as text: the request as it was given, what SageMaker fills in, and
// our own member Millrace, which its clients pass over.
std::string describe_job_text(const jobs::JobView& view);
nlohmann::json job_summary_json(const jobs::TransformJobRecord& job);
nlohmann::json describe_model_json(const jobs::ModelRecord& model);
nlohmann::json model_summary_json(const jobs::ModelRecord& model);
std::string progress_text(const jobs::JobProgress& progress);

}  // namespace millrace::server
