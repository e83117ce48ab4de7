// RecordFilter: InputFilter or OutputFilter at work on one record after the other, CSV or JSON.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "record/csv_filter.h"
#include "record/format.h"
#include "record/join.h"
#include "record/json_filter.h"

namespace millrace::record {

// Owned by one thread.
class RecordFilter {
 public:
  // `member`: "InputFilter" or "OutputFilter", for messages. `media`: CSV (the path then comes from
  // csv_path()), JSON or JSON Lines. REQUIRES: the path is not the root.
  RecordFilter(std::string_view member, JsonPath path, MediaType media, char csv_delimiter);
  RecordFilter(const RecordFilter&) = delete;
  RecordFilter& operator=(const RecordFilter&) = delete;

  // Appends what the filter lets through of `record`: CSV fields as they stand; JSON compact, keys
  // sorted, digits and escapes as they stand. bad_input where the record is not of its type or the
  // path asks for what it does not have; nothing is appended then.
  Status select(std::string_view record, std::string* out);
  // The same for what JsonJoiner has written.
  Status select_joined(std::string_view joined, std::string* out);

 private:
  Status named(Status status, size_t start, std::string* out) const;

  const std::string name_;
  const JsonPath path_;
  std::optional<CsvFilter> csv_;
  JsonFilter json_;
  JsonJoiner joiner_;
  std::string document_;
};

}  // namespace millrace::record
