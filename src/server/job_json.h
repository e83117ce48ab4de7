// Models and jobs as the API shows them.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include "jobs/job_service.h"

namespace millrace::server {

// DescribeTransformJob's reply: the request as it was given, what SageMaker fills in, and our own
// member Millrace, which its clients pass over.
nlohmann::json describe_job_json(const jobs::JobView& view);
nlohmann::json job_summary_json(const jobs::TransformJobRecord& job);
nlohmann::json describe_model_json(const jobs::ModelRecord& model);
nlohmann::json model_summary_json(const jobs::ModelRecord& model);
nlohmann::json progress_json(const jobs::JobProgress& progress);

}  // namespace millrace::server
