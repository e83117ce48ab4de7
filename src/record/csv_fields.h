// CsvFields: the fields of one CSV record as views, without allocation once warm. Quotes as
// Python's csv reads them: one that opens a field quotes it, a doubled one inside is a quote, text
// after the closing one belongs to the field as it stands, and a quote elsewhere is a character
// like any other.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace millrace::record {

class CsvFields {
 public:
  // `record` without its line end must outlive the fields. bad_input on a quote that is not closed.
  // An empty record has one empty field.
  Status parse(std::string_view record, char delimiter);

  size_t size() const { return fields_.size(); }
  // REQUIRES: index < size(). Valid until the next parse().
  std::string_view operator[](size_t index) const { return fields_[index]; }

 private:
  std::vector<std::string_view> fields_;
  std::string unquoted_;  // fields that are not a slice of the record
};

// The fields of one CSV record as they stand, quotes included. bad_input as for CsvFields.
Status csv_field_slices(std::string_view record, char delimiter,
                        std::vector<std::string_view>* fields);

// Byte where a quote opens that is never closed; nothing where the record is well-formed.
std::optional<size_t> find_unclosed_quote(std::string_view record, char delimiter);

// The error for it, which tells the cure.
Error unclosed_quote_error(size_t at);

// How many fields a record has; one whose quote is not closed reaches to the record's end.
size_t count_csv_fields(std::string_view record, char delimiter);

}  // namespace millrace::record
