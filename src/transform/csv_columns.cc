// Names meet indexes here; beyond it, columns are numbers.
#include "transform/csv_columns.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include "record/assembler.h"
#include "record/inference_id.h"
#include "record/join.h"
#include "record/record_filter.h"

namespace millrace::transform {
namespace {

using record::JoinSource;
using record::MediaType;

// InputFilter decides what the model sees, so the text column is looked for in that.
Status resolve_sent(const record::CsvHeader& header, const TransformJob& job, Filters* filters,
                    CsvColumns* columns) {
  MR_ASSIGN(filters->input, record::csv_path(job.format.input_filter, &header.names));
  record::CsvHeader sent = header;
  if (!filters->input.is_root()) {
    sent.line.clear();
    MR_TRY(record::RecordFilter("InputFilter", filters->input, MediaType::kCsv,
                                job.format.csv.delimiter)
               .select(header.line, &sent.line));
    MR_ASSIGN(sent.names, record::parse_csv_record(sent.line, job.format.csv.delimiter));
  }
  if (!job.text_column.empty()) {
    MR_ASSIGN(columns->text_column, record::find_csv_column(sent, job.text_column));
  }
  return {};
}

// OutputFilter drops columns from the header as it does from the rows.
Result<std::string> filter_header(const std::string& line, const TransformJob& job,
                                  Filters* filters) {
  if (filters->output.is_root() || reply_media_type(job.format) != MediaType::kCsv) return line;
  if (line.empty()) {  // the model does not name its columns
    MR_TRY(record::check_csv_path(filters->output, false));
    return line;
  }
  MR_ASSIGN(const auto names, record::parse_csv_record(line, job.format.csv.delimiter));
  MR_ASSIGN(filters->output, record::csv_path(filters->output, &names));
  std::string filtered;
  MR_TRY(record::RecordFilter("OutputFilter", filters->output, MediaType::kCsv,
                              job.format.csv.delimiter)
             .select(line, &filtered));
  return filtered;
}

Result<std::string> output_header_line(const record::CsvHeader& header, const TransformJob& job,
                                       const handler::HandlerTraits& traits) {
  if (reply_media_type(job.format) != MediaType::kCsv) return std::string();
  const bool join = job.format.join_source == JoinSource::kInput;
  std::vector<std::string> added = traits.result_columns;
  const std::string& source = job.output_form.source_column;
  if (!source.empty() && !added.empty()) {
    if (std::find(added.begin(), added.end(), source) != added.end()) {
      return fail(bad_input("the results have a column '" + source +
                            "' already: set another --merge-source-column"));
    }
    added.push_back(source);
  }
  if (join && traits.result_columns.empty()) {
    return fail(
        bad_input("the model does not name its result columns, so they cannot be joined to "
                  "CSV with a header"));
  }
  if (join) {
    return record::join_csv_header(
        header, added, job.format.csv,
        "--result-prefix (MILLRACE_RESULT_PREFIX; now '" + job.result_prefix + "')");
  }
  std::string line;
  for (const std::string& name : added) {
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
  const auto filters = std::make_shared<Filters>(job.format);
  MR_TRY(resolve_sent(header, job, filters.get(), &columns));
  MR_ASSIGN(std::string line, output_header_line(header, job, traits));
  MR_ASSIGN(line, filter_header(line, job, filters.get()));
  if (job.generate_inference_id && !line.empty()) {
    for (const char* name : {record::kInferenceIdName, record::kInferenceTimeName}) {
      line.append(1, job.format.csv.delimiter).append(name);
    }
  }
  columns.filters = filters;
  columns.output_header = record::Assembler(job.format.assemble_with, std::move(line)).prologue();
  return columns;
}

CsvColumns columns_without_header(const TransformJob& job) {
  CsvColumns columns;
  columns.filters = std::make_shared<const Filters>(job.format);
  if (record::media_type(job.format.content_type) != MediaType::kCsv) return columns;
  uint32_t index = 0;
  const char* end = job.text_column.data() + job.text_column.size();
  const auto [stop, error] = std::from_chars(job.text_column.data(), end, index);
  const bool given = !job.text_column.empty() && error == std::errc() && stop == end;
  if (given) columns.text_column = index;
  return columns;
}

MediaType reply_media_type(const record::DataFormat& format) {
  if (!format.accept.empty()) return record::media_type(format.accept);
  const MediaType input = record::media_type(format.content_type);
  return input == MediaType::kText ? MediaType::kCsv : input;
}

}  // namespace millrace::transform
