// JoinSource=Input: puts each record and its result together.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "record/format.h"

namespace millrace::record {

// CSV: input columns, then output columns. `record` keeps its bytes (quoting included; a final line
// end is not part of it), `result` is one CSV row. Appends without a line end. bad_input where
// either is not CSV (unbalanced quote), with the cause.
Status join_csv(std::string_view record, std::string_view result, const CsvOptions& csv,
                std::string* out);

// JSON: an object gets the attribute SageMakerOutput (replaced if it has one); anything else
// becomes
// {"SageMakerInput":...,"SageMakerOutput":...}. Compact, keys sorted bytewise, numbers and strings
// digit for digit. bad_input where either is not one JSON document.
class JsonJoiner {
 public:
  JsonJoiner();
  ~JsonJoiner();
  Status join(std::string_view record, std::string_view result, std::string* out);
  // Gives an object the attribute `name` (replaced if it has one) of value `json`, in the same
  // form. bad_input where `object` is none.
  Status add_attribute(std::string_view object, std::string_view name, std::string_view json,
                       std::string* out);
  // Appends one document in the form of joins: compact, keys sorted, the last of equal ones only.
  Status canonicalize(std::string_view document, std::string* out);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;  // buffers, reused; one per thread
};

// `text` as JSON writes it, in quotes. Bytes that are not UTF-8 stay as they are.
void append_json_string(std::string_view text, std::string* out);

// The fields of one CSV record, unquoted. bad_input on an unbalanced quote.
Result<std::vector<std::string>> parse_csv_record(std::string_view record, char delimiter);
// Quotes `field` where RFC 4180 needs it.
void append_csv_field(std::string_view field, char delimiter, std::string* out);

}  // namespace millrace::record
