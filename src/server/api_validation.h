// Checks a request against its shape, as AWS's services do before anything else: wrong types first,
// then every violated constraint at once.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string_view>

#include "server/api_error.h"
#include "server/api_shapes.h"

namespace millrace::server {

// `body` as the object it should be; "" is the empty one. SerializationException for what is no
// JSON object, is nested too deeply, or is no UTF-8.
ApiResult<nlohmann::json> parse_request(std::string_view body);

// What of `request` the shape knows, without nulls: members nobody knows are passed over, as AWS
// does. SerializationException names the first value of a wrong type; ValidationException tells all
// violations: "2 validation errors detected: Value ... at 'transformJobName' failed to satisfy
// constraint: Member must ...; Value ...".
ApiResult<nlohmann::json> check_request(const nlohmann::json& request, const Shape& shape);

}  // namespace millrace::server
