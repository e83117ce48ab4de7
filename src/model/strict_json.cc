// The one place where the JSON of a model folder is parsed and where the library's exceptions end.
#include "model/strict_json.h"

#include <fmt/format.h>

#include <set>
#include <string>
#include <vector>

#include "base/limits.h"

namespace millrace::model {

Result<nlohmann::json> parse_strict_json(std::string_view text, std::string_view name) {
  using nlohmann::json;
  std::vector<std::set<std::string>> keys;  // of each object that is open
  std::string problem;
  const auto watch = [&](int depth, json::parse_event_t event, json& parsed) {
    if (depth > limits::kModelJsonDepthMax) problem = "nested too deep";
    if (!problem.empty()) return false;
    switch (event) {
      case json::parse_event_t::object_start:
        keys.emplace_back();
        break;
      case json::parse_event_t::object_end:
        keys.pop_back();
        break;
      case json::parse_event_t::key:
        if (!keys.back().insert(parsed.get<std::string>()).second) {
          problem = "the key " + parsed.dump() + " stands there twice";
          return false;
        }
        break;
      default:
        break;
    }
    return true;
  };
  try {
    json document = json::parse(text.begin(), text.end(), watch);
    if (problem.empty()) return document;
  } catch (const json::exception& error) {
    if (problem.empty()) problem = fmt::format("not valid JSON: {}", error.what());
  }
  return fail(invalid_argument(fmt::format("{}: {}", name, problem)));
}

}  // namespace millrace::model
