// Names meet indexes here; beyond it, columns are numbers.
#include "transform/csv_columns.h"

#include <charconv>

#include "record/assembler.h"
#include "record/join.h"

namespace millrace::transform {
namespace {

using record::JoinSource;
using record::MediaType;

Result<std::string> output_header_line(const record::CsvHeader& header, const TransformJob& job,
                                       const handler::HandlerTraits& traits) {
  if (reply_media_type(job.format) != MediaType::kCsv) return std::string();
  const bool join = job.format.join_source == JoinSource::kInput;
  if (join && traits.result_columns.empty()) {
    return fail(
        bad_input("the model does not name its result columns, so they cannot be joined to "
                  "CSV with a header"));
  }
  if (join) {
    return record::join_csv_header(header, traits.result_columns, job.format.csv,
                                   "MILLRACE_RESULT_PREFIX (now '" + job.result_prefix + "')");
  }
  std::string line;
  for (const std::string& name : traits.result_columns) {
    if (!line.empty()) line += job.format.csv.delimiter;
    record::append_csv_field(name, job.format.csv.delimiter, &line);
  }
  return line;
}

}  // namespace

Result<CsvColumns> resolve_csv_columns(const record::CsvHeader& header, const TransformJob& job,
                                       const handler::HandlerTraits& traits) {
  CsvColumns columns;
  columns.input_columns = static_cast<uint32_t>(header.names.size());
  if (!job.text_column.empty()) {
    MR_ASSIGN(columns.text_column, record::find_csv_column(header, job.text_column));
  }
  MR_ASSIGN(std::string line, output_header_line(header, job, traits));
  columns.output_header = record::Assembler(job.format.assemble_with, std::move(line)).prologue();
  return columns;
}

std::optional<uint32_t> text_column_without_header(const TransformJob& job) {
  if (record::media_type(job.format.content_type) != MediaType::kCsv) return std::nullopt;
  uint32_t index = 0;
  const char* end = job.text_column.data() + job.text_column.size();
  const auto [stop, error] = std::from_chars(job.text_column.data(), end, index);
  if (job.text_column.empty() || error != std::errc() || stop != end) return std::nullopt;
  return index;
}

MediaType reply_media_type(const record::DataFormat& format) {
  if (!format.accept.empty()) return record::media_type(format.accept);
  const MediaType input = record::media_type(format.content_type);
  return input == MediaType::kText ? MediaType::kCsv : input;
}

}  // namespace millrace::transform
