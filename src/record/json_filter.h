// JsonFilter: evaluates a JsonPath on a JSON document that is in the form in which joins write it:
// compact, keys sorted, known to be valid. So it only needs to find ends, and what it selects is a
// slice of the document: digits and escapes stay as they are.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "record/json_path.h"

namespace millrace::record {

class JsonFilter {
 public:
  // `path` outlives the filter.
  explicit JsonFilter(const JsonPath& path);

  // Appends what the path selects of `document` (JsonJoiner::canonicalize made it): one value where
  // each step is one name or index; an object of these members where the last step is a list of
  // names; otherwise an array of what was found. bad_input where the path asks for what is not
  // there (SageMaker's mode), or where one value was asked for and there is none.
  Status select(std::string_view document, std::string* out);

  // The node list: slices of `document`.
  Status find(std::string_view document, std::vector<std::string_view>* nodes);

 private:
  enum class Shape { kValue, kObject, kArray };

  Status step(std::string_view node, const JsonPathSegment& segment);
  Status step_by(std::string_view node, const JsonPathSelector& selector);
  Status step_by_name(std::string_view node, const JsonPathSelector& selector);
  Status step_by_position(std::string_view node, const JsonPathSelector& selector);
  Status append_members(std::string_view node, std::string* out);
  Status missing(std::string what) const;

  const JsonPath& path_;
  const bool strict_;
  Shape shape_ = Shape::kValue;
  std::vector<std::string> names_;  // Shape::kObject: the last step's, each once, sorted
  std::vector<std::string_view> nodes_, next_, elements_;
  std::vector<size_t> positions_;
};

}  // namespace millrace::record
