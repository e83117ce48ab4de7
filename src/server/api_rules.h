// What the shapes cannot say of a request: members that exclude each other, products, names that
// are reserved. Pure; what needs the store of models or S3 is the job service's.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include "server/api_error.h"

namespace millrace::server {

// Each takes what check_request gave back. ValidationException.
ApiResult<void> check_job_rules(const nlohmann::json& request);
ApiResult<void> check_model_rules(const nlohmann::json& request);
// A list of tags; absent counts as empty.
ApiResult<void> check_tag_rules(const nlohmann::json& request);

}  // namespace millrace::server
