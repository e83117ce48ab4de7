// nlohmann-json reads it; what people get wrong is told in their words.
#include "transform/manifest.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "base/json_check.h"
#include "base/limits.h"

namespace millrace::transform {
namespace {

using nlohmann::json;

constexpr std::string_view kForm =
    R"(a manifest is a JSON list, [{"prefix":"s3://bucket/folder/"},"key","key"])";

Error wrong(std::string_view what) {
  return invalid_argument(fmt::format("{}; {}", what, kForm));
}

// A list of strings that Python printed instead of wrote as JSON.
bool is_python(std::string_view text, size_t position) {
  return position < text.size() && text[position] == '\'';
}

}  // namespace

Result<Manifest> parse_manifest(std::string_view text) {
  constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
  if (text.starts_with(kByteOrderMark)) text.remove_prefix(kByteOrderMark.size());
  if (const auto fault = find_json_fault(text, limits::kJsonDepthMax)) {
    if (is_python(text, fault->position)) {
      return fail(
          wrong(fmt::format("strings are in single quotes, as Python prints them and JSON "
                            "does not know them (byte {})",
                            fault->position)));
    }
    return fail(wrong(json_fault_error(*fault).message));
  }
  const json list = json::parse(text, nullptr, false);
  if (!list.is_array()) return fail(wrong("it is no list"));
  const bool has_prefix = !list.empty() && list[0].is_object() && list[0].size() == 1 &&
                          list[0].contains("prefix") && list[0]["prefix"].is_string();
  if (!has_prefix) return fail(wrong("its first element is not {\"prefix\":\"...\"}"));
  Manifest manifest;
  manifest.prefix = list[0]["prefix"].get<std::string>();
  manifest.keys.reserve(list.size() - 1);
  for (size_t i = 1; i < list.size(); ++i) {
    if (!list[i].is_string()) return fail(wrong(fmt::format("element {} is no string", i + 1)));
    manifest.keys.push_back(list[i].get<std::string>());
  }
  return manifest;
}

}  // namespace millrace::transform
