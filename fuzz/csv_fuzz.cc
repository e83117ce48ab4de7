// CSV: the fields of any record, quoted again, are read as the same fields; the quick check and the
// parser agree on what is unclosed; what the rfc4180 splitter cuts is always a whole record;
// joining keeps the record's bytes and appends the result's fields.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/check.h"
#include "record/csv_fields.h"
#include "record/join.h"
#include "record/splitter.h"

namespace {

namespace record = millrace::record;

void check_record(std::string_view text, char delimiter) {
  const auto fields = record::parse_csv_record(text, delimiter);
  MR_CHECK(fields.has_value() == !record::find_unclosed_quote(text, delimiter));
  std::string joined;
  MR_CHECK(record::join_csv(text, "x", {.delimiter = delimiter}, &joined).has_value() ==
           fields.has_value());
  if (!fields) return;
  MR_CHECK(!fields->empty());
  std::string quoted;
  for (const std::string& field : *fields) {
    if (&field != fields->data()) quoted += delimiter;
    record::append_csv_field(field, delimiter, &quoted);
  }
  MR_CHECK(record::parse_csv_record(quoted, delimiter).value() == *fields);
  MR_CHECK(joined.starts_with(text));
  const auto more = record::parse_csv_record(joined, delimiter).value();
  MR_CHECK(more.size() == fields->size() + 1 && more.back() == "x");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 1) return 0;
  const char delimiter = ",;\t|"[data[0] & 3];
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  check_record(text, delimiter);

  record::DataFormat format;
  format.content_type = "text/csv";
  format.split_type = record::SplitType::kLine;
  format.csv = {.rfc4180 = true, .delimiter = delimiter};
  const auto splitter = record::make_splitter(format, 0, size + 1);
  splitter->feed(text);
  splitter->finish();
  record::Record found;
  for (;;) {
    const auto next = splitter->next(&found);
    if (!next || !*next) break;
    MR_CHECK(!record::find_unclosed_quote(found.content, delimiter));
    check_record(found.content, delimiter);
  }
  return 0;
}
