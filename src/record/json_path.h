// JsonPath: InputFilter and OutputFilter as values. Two languages: SageMaker's subset, and RFC 9535
// without filters, functions and descendants. Evaluation is in json_filter.h and csv_filter.h.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace millrace::record {

enum class JsonPathMode {
  kSageMaker,  // the end of a slice is included; what is missing is an error
  kExtended,   // RFC 9535; a selector among several that finds nothing selects nothing
};

struct JsonPathSelector {
  enum class Kind { kName, kIndex, kSlice, kWildcard } kind = Kind::kWildcard;
  std::string name;  // decoded
  int64_t index = 0;
  std::optional<int64_t> start, end;
  int64_t step = 1;
  bool end_included = false;
};

// One step down: the selectors of a bracket, or the one after a dot.
using JsonPathSegment = std::vector<JsonPathSelector>;

struct JsonPath {
  std::string text = "$";  // as given
  JsonPathMode mode = JsonPathMode::kSageMaker;
  std::vector<JsonPathSegment> segments;

  bool is_root() const { return segments.empty(); }
};

// invalid_argument: "Invalid JsonPath: TEXT: at byte N: cause" (byte counted from 0), or
// SageMaker's own words where it has some. "" is the default, "$".
Result<JsonPath> parse_json_path(std::string_view text, JsonPathMode mode);

// What CreateTransformJob refuses before it reads a path: more than 63 characters, or one that
// stands in no path for records of `content_type`. `member` is "InputFilter" or "OutputFilter".
// invalid_argument in SageMaker's words.
Status check_sagemaker_path(std::string_view member, std::string_view text,
                            std::string_view content_type);

// Appends the positions that an index or a slice selects of `size` elements, in its order.
// REQUIRES: kind is kIndex or kSlice.
void select_positions(const JsonPathSelector& selector, size_t size, std::vector<size_t>* out);

}  // namespace millrace::record
