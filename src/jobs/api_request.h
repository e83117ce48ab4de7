// A CreateTransformJob request, as the AWS CLI's --cli-input-json and the API take it, turned into
// the settings it states.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "jobs/job_options.h"

namespace millrace::jobs {

struct ApiRequest {
  Variables members;      // by option name: SPLIT_TYPE, INPUT, JOB_NAME, ...
  Variables environment;  // Environment, as given
};

// Parses `json`. Members that only matter on AWS (TransformResources, Tags, ExperimentConfig, ...)
// are accepted without effect; one that would change results and is not supported here, an unknown
// member, or a wrong type is invalid_argument and named.
Result<ApiRequest> parse_api_request(std::string_view json);

}  // namespace millrace::jobs
