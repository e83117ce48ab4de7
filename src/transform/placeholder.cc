// A record that is no JSON, or no row below the header, cannot stand beside its error as it is: it
// is quoted.
#include "transform/placeholder.h"

#include "base/json_write.h"
#include "base/limits.h"
#include "record/csv_fields.h"
#include "transform/csv_columns.h"

namespace millrace::transform {

using record::JoinSource;
using record::MediaType;

namespace {

std::string csv_error(const handler::HandlerTraits& traits, char delimiter) {
  std::string row = "ERROR";
  if (!traits.result_columns.empty()) row.append(traits.result_columns.size() - 1, delimiter);
  return row;
}

std::string json_error(std::string_view cause) {
  std::string json = R"({"error":{"code":"bad_input","message":)";
  append_json_string(cause, &json);
  return json + "}}";
}

}  // namespace

Placeholder::Placeholder(const record::DataFormat& format, const handler::HandlerTraits& traits,
                         std::optional<uint32_t> input_columns)
    : format_(format),
      input_columns_(input_columns),
      csv_(csv_error(traits, format.csv.delimiter)) {}

void Placeholder::append(std::string_view content, std::string_view cause, std::string* out) {
  if (reply_media_type(format_) == MediaType::kCsv) {
    if (format_.join_source == JoinSource::kInput) append_joined_csv(content, out);
    out->append(csv_);
  } else if (format_.join_source == JoinSource::kInput) {
    append_joined_json(content, json_error(cause), out);
  } else {
    out->append(json_error(cause));
  }
}

bool Placeholder::can_stand(std::string_view content) const {
  const char delimiter = format_.csv.delimiter;
  if (record::find_unclosed_quote(content, delimiter)) return false;
  return !input_columns_ || record::count_csv_fields(content, delimiter) <= *input_columns_;
}

// The record's columns and a delimiter; as many as the header has where the record has fewer, so
// that the result columns are where they belong.
void Placeholder::append_joined_csv(std::string_view content, std::string* out) const {
  size_t columns = 1;
  if (can_stand(content)) {
    columns = record::count_csv_fields(content, format_.csv.delimiter);
    out->append(content);
  } else {
    *out += '"';
    for (const char c : content.substr(0, limits::kErrorRecordBytesMax)) {
      out->append(c == '"' ? 2 : 1, c);
    }
    *out += '"';
  }
  const size_t wanted = input_columns_.value_or(0);
  if (columns < wanted) out->append(wanted - columns, format_.csv.delimiter);
  *out += format_.csv.delimiter;
}

void Placeholder::append_joined_json(std::string_view content, std::string_view error,
                                     std::string* out) {
  if (joiner_.join(content, error, out)) return;
  out->append("{\"SageMakerInput\":");
  append_json_string(content.substr(0, limits::kErrorRecordBytesMax), out);
  out->append(",\"SageMakerOutput\":").append(error).push_back('}');
}

}  // namespace millrace::transform
