#include "record/csv_filter.h"

#include <fmt/format.h>

#include <algorithm>

#include "record/csv_fields.h"

namespace millrace::record {
namespace {

using Kind = JsonPathSelector::Kind;

Error no_csv_path(const JsonPath& path, std::string_view cause) {
  return invalid_argument(fmt::format("Invalid JsonPath: {}: {}", path.text, cause));
}

Result<int64_t> column_of(const JsonPath& path, const std::string& name,
                          const std::vector<std::string>& names) {
  const auto found = std::find(names.begin(), names.end(), name);
  if (found == names.end()) {
    return fail(bad_input(fmt::format("{}: no column has the name '{}'", path.text, name)));
  }
  if (std::find(found + 1, names.end(), name) != names.end()) {
    return fail(bad_input(
        fmt::format("{}: more than one column has the name '{}': give indexes", path.text, name)));
  }
  return found - names.begin();
}

}  // namespace

Status check_csv_path(const JsonPath& path, bool named) {
  if (path.is_root()) return {};
  if (path.segments.size() > 1) {
    return fail(no_csv_path(path, "a CSV row has columns and nothing below them"));
  }
  const JsonPathSegment& selectors = path.segments.front();
  const bool asks_names = std::any_of(selectors.begin(), selectors.end(),
                                      [](const auto& s) { return s.kind == Kind::kName; });
  if (asks_names && !named) {
    return fail(no_csv_path(path,
                            "CSV columns are selected by index, as in $[0,2]; by name only "
                            "with --json-path extended and --csv-header"));
  }
  return {};
}

Result<JsonPath> csv_path(const JsonPath& path, const std::vector<std::string>* names) {
  MR_TRY(check_csv_path(path, names != nullptr));
  JsonPath resolved = path;
  if (path.is_root()) return resolved;
  for (JsonPathSelector& selector : resolved.segments.front()) {
    if (selector.kind != Kind::kName) continue;
    MR_ASSIGN(selector.index, column_of(path, selector.name, *names));
    selector.kind = Kind::kIndex;
  }
  return resolved;
}

Status CsvFilter::select(std::string_view row, std::string* out) {
  MR_TRY(csv_field_slices(row, delimiter_, &fields_));
  positions_.clear();
  for (const JsonPathSelector& selector : path_.segments.front()) {
    const size_t before = positions_.size();
    if (selector.kind == Kind::kWildcard) {
      for (size_t i = 0; i < fields_.size(); ++i) positions_.push_back(i);
      continue;
    }
    select_positions(selector, fields_.size(), &positions_);
    if (selector.kind == Kind::kIndex && positions_.size() == before) {
      return fail(bad_input(
          fmt::format("there is no column {}: the row has {}", selector.index, fields_.size())));
    }
  }
  if (positions_.empty()) {
    return fail(bad_input(fmt::format("selects no column: the row has {}", fields_.size())));
  }
  if (positions_.size() == 1 && fields_[positions_.front()].empty()) {
    out->append("\"\"");
    return {};
  }
  for (size_t i = 0; i < positions_.size(); ++i) {
    if (i > 0) out->push_back(delimiter_);
    out->append(fields_[positions_[i]]);
  }
  return {};
}

}  // namespace millrace::record
