// JSON of a model folder, read strictly: duplicate keys, excess depth and anything after the
// document are errors, because two readers of such a file would see two different models.
#pragma once

#include <nlohmann/json.hpp>
#include <string_view>

#include "base/result.h"

namespace millrace::model {

// `name` is the file's, for the error (invalid_argument).
Result<nlohmann::json> parse_strict_json(std::string_view text, std::string_view name);

}  // namespace millrace::model
