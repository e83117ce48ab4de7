// JSONPath: any text is parsed or refused with a position; whatever is parsed is evaluated on any
// JSON document and any CSV row without reading beyond them, and what is selected of JSON is JSON.
// The first line is the path, the rest the record.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/check.h"
#include "base/json_check.h"
#include "base/limits.h"
#include "record/csv_fields.h"
#include "record/csv_filter.h"
#include "record/join.h"
#include "record/json_filter.h"

namespace {

namespace record = millrace::record;

void check_json(const record::JsonPath& path, std::string_view text) {
  static record::JsonJoiner joiner;
  std::string document;
  if (!joiner.canonicalize(text, &document)) return;
  std::string again;
  MR_CHECK(joiner.canonicalize(document, &again).has_value() && again == document);
  std::string selected;
  if (!record::JsonFilter(path).select(document, &selected)) return;
  MR_CHECK(!millrace::find_json_fault(selected, millrace::limits::kJsonDepthMax + 1));
}

void check_csv(const record::JsonPath& path, std::string_view row) {
  const auto resolved = record::csv_path(path, nullptr);
  if (!resolved || resolved->is_root()) return;
  std::string selected;
  const auto status = record::CsvFilter(*resolved, ',').select(row, &selected);
  if (record::find_unclosed_quote(row, ',')) MR_CHECK(!status);
  if (status) MR_CHECK(!record::find_unclosed_quote(selected, ','));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const size_t line = input.find('\n');
  const std::string_view text = input.substr(0, line);
  const std::string_view rest = line == std::string_view::npos ? "" : input.substr(line + 1);
  for (const auto mode : {record::JsonPathMode::kSageMaker, record::JsonPathMode::kExtended}) {
    const auto path = record::parse_json_path(text, mode);
    if (!path) {
      MR_CHECK(path.error().message.starts_with("Invalid JsonPath: "));
      continue;
    }
    check_json(*path, rest);
    check_csv(*path, rest);
  }
  return 0;
}
