// Placeholders: what stands in an output where a record could not be answered, so that results stay
// aligned with records: an error object in JSON; in CSV "ERROR" in the first result column and
// nothing in the others. Under a join it stands where the result would.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "handler/inference_handler.h"
#include "record/format.h"
#include "record/join.h"

namespace millrace::transform {

class Placeholder {
 public:
  // `format` outlives it. `input_columns`: how many columns a CSV header names; unknown: nullopt.
  Placeholder(const record::DataFormat& format, const handler::HandlerTraits& traits,
              std::optional<uint32_t> input_columns);

  // Whether the CSV row `content` can stand before its results: it is CSV, and has no more fields
  // than the header names.
  bool can_stand(std::string_view content) const;

  // Appends it, without a line end, for the record `content` that was refused for `cause`.
  void append(std::string_view content, std::string_view cause, std::string* out);

 private:
  void append_joined_csv(std::string_view content, std::string* out) const;
  void append_joined_json(std::string_view content, std::string_view error, std::string* out);

  const record::DataFormat& format_;
  const std::optional<uint32_t> input_columns_;
  std::string csv_;  // "ERROR,,"
  record::JsonJoiner joiner_;
};

}  // namespace millrace::transform
