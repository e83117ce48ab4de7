// CsvFilter: evaluates a JsonPath on a CSV row, which is an array of fields. Fields are taken as
// they stand, with their quotes.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "record/json_path.h"

namespace millrace::record {

// The path with each name replaced by the index of the column that has it. invalid_argument where
// the path is none for a row: it has several steps, or (`names` is null: no header) a name.
// bad_input where no column or more than one has the name.
Result<JsonPath> csv_path(const JsonPath& path, const std::vector<std::string>* names);

// What of csv_path() can be known before there is an object. `named`: columns have names.
Status check_csv_path(const JsonPath& path, bool named);

class CsvFilter {
 public:
  // `path` comes from csv_path() and outlives the filter.
  CsvFilter(const JsonPath& path, char delimiter) : path_(path), delimiter_(delimiter) {}

  // Appends the selected fields as a row without line end. A row of one empty field is written
  // `""`, because an empty line is no row. bad_input where an index is beyond the row, a range
  // selects nothing, or a quote is not closed.
  Status select(std::string_view row, std::string* out);

 private:
  const JsonPath& path_;
  const char delimiter_;
  std::vector<std::string_view> fields_;
  std::vector<size_t> positions_;
};

}  // namespace millrace::record
