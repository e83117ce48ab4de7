// A reply is written whole where that is all it needs, else record by record.
#include "transform/reply_writer.h"

#include <algorithm>
#include <vector>

#include "base/json_check.h"
#include "base/limits.h"
#include "record/csv_fields.h"
#include "record/cutter.h"
#include "record/decoder.h"
#include "record/reply_records.h"
#include "transform/csv_columns.h"
#include "transform/part.h"

namespace millrace::transform {

using record::AssembleWith;
using record::MediaType;

namespace {

// As it stands in a CSV row, or as a JSON string.
std::string source_value(const TransformJob& job, std::string_view input_key) {
  std::string value;
  if (job.output_form.source_column.empty()) return value;
  if (reply_media_type(job.format) == MediaType::kCsv) {
    record::append_csv_field(input_key, job.format.csv.delimiter, &value);
  } else {
    record::append_json_string(input_key, &value);
  }
  return value;
}

}  // namespace

ReplyWriter::ReplyWriter(const TransformJob& job, const handler::HandlerTraits& traits,
                         const CsvColumns& columns, const std::string& object,
                         std::string_view input_key)
    : format_(job.format),
      csv_(reply_media_type(format_) == MediaType::kCsv),
      input_columns_(columns.input_columns),
      rules_(job.record_errors),
      join_(format_.join_source == record::JoinSource::kNone              ? Join::kNone
            : record::media_type(format_.content_type) == MediaType::kCsv ? Join::kCsv
                                                                          : Join::kJson),
      // The rows of Parquet get theirs when they are written.
      source_column_(is_parquet(format_) ? "" : job.output_form.source_column),
      source_(source_value(job, input_key)),
      counts_records_(is_parquet(format_) || !source_column_.empty()),
      array_(record::writes_json_array(format_)),
      assembler_(format_.assemble_with),
      placeholder_(format_, traits, columns.input_columns) {
  const MediaType media = reply_media_type(format_);
  const record::JsonPath& filter = columns.filters->output;
  if (!filter.is_root()) filter_.emplace("OutputFilter", filter, media, format_.csv.delimiter);
  if (job.generate_inference_id) {
    tagger_.emplace(job.name, job.started, object, media, format_.csv.delimiter);
  }
}

Status ReplyWriter::append(const Request& request, const handler::InvokeReply& reply,
                           std::string* out, std::vector<handler::RecordError>* refused) {
  const size_t count = request.batch.records.size();
  const bool bare = join_ == Join::kNone && !array_ && !counts_records_ && !filter_ && !tagger_;
  if (reply.records.empty() && bare && reply.errors.empty()) {
    assembler_.append(reply.body, out);
    return {};
  }
  std::vector<record::RecordSpan> counted;
  if (reply.records.empty()) {
    auto spans = count_records(request, reply);
    if (!spans) {
      return fail(std::move(spans).error().within(
          record_name(format_, request.batch.first_record, request.batch.offset)));
    }
    counted = std::move(*spans);
  }
  const auto& spans = reply.records.empty() ? counted : reply.records;
  if (spans.size() != count) {
    return fail(internal_error("the handler answered " + std::to_string(spans.size()) + " of " +
                               std::to_string(count) + " records"));
  }
  return append_records(request, reply, spans, out, refused);
}

Result<std::vector<record::RecordSpan>> ReplyWriter::count_records(
    const Request& request, const handler::InvokeReply& reply) const {
  const size_t count = request.batch.records.size();
  const bool sent_array = format_.split_type == record::SplitType::kJsonArray &&
                          format_.batch_strategy == record::BatchStrategy::kMultiRecord;
  const MediaType media = reply_media_type(format_);
  if (sent_array && media == MediaType::kJson) return record::reply_elements(reply.body, count);
  return record::reply_records(reply.body, media, format_.csv.delimiter, count);
}

// Each record is a piece: its result, or what stands for it.
Status ReplyWriter::append_records(const Request& request, const handler::InvokeReply& reply,
                                   const std::vector<record::RecordSpan>& spans, std::string* out,
                                   std::vector<handler::RecordError>* refused) {
  auto error = reply.errors.begin();
  for (uint32_t i = 0; i < spans.size(); ++i) {
    const uint64_t number = request.batch.first_record + i;
    // The body is only there where it is wanted.
    const std::string_view content = reads_requests() ? request.original(i) : "";
    if (request.begins[i]) response_begun_ = false;
    if (error != reply.errors.end() && error->record == i) {
      MR_TRY(append_refused(number, content, error->message, out));
      refused->push_back(*error++);
      continue;
    }
    const auto result = std::string_view(reply.body).substr(spans[i].offset, spans[i].length);
    const size_t piece_start = out->size();
    append_separator(out);
    const size_t start = out->size();
    Status piece = append_piece(number, content, result, out);
    if (piece) {
      end_piece(start, out);
      continue;
    }
    if (!rules_.keep_going() || !is_bad_record(content)) {
      return fail(
          std::move(piece).error().within(record_name(format_, number, request.offsets[i])));
    }
    out->resize(piece_start);
    MR_TRY(append_refused(number, content, piece.error().message, out));
    refused->push_back({i, piece.error().message});
  }
  return {};
}

// Between the records of one response (under AssembleWith Line the newline after each does it), or
// between the elements of the array.
void ReplyWriter::append_separator(std::string* out) const {
  if (array_) {
    if (begun_) out->append(",\n");
  } else if (format_.assemble_with == AssembleWith::kNone && response_begun_) {
    out->push_back('\n');
  }
}

void ReplyWriter::end_piece(size_t start, std::string* out) {
  begun_ = true;
  response_begun_ = true;
  assembler_.end_piece(start, out);
}

Status ReplyWriter::append_piece(uint64_t number, std::string_view content, std::string_view result,
                                 std::string* out) {
  std::string replaced;
  if (format_.encoding != record::TextEncoding::kUtf8 && content.find('\xFF') != content.npos) {
    replaced = record::with_replacements(content);
    content = replaced;
  }
  const bool looks_at_rows = filter_ || tagger_ || !source_column_.empty();
  if (csv_ && join_ == Join::kNone && looks_at_rows && result.find('\n') != result.npos) {
    return append_rows(number, result, out);
  }
  const size_t start = out->size();
  MR_TRY(append_result(content, result, out));
  return complete(number, start, out);
}

// A record of several texts has a row of CSV for each of them.
Status ReplyWriter::append_rows(uint64_t number, std::string_view rows, std::string* out) {
  const auto cutter = record::make_csv_cutter(format_.csv.delimiter, false);
  for (bool first = true; !rows.empty(); first = false) {
    const size_t end = std::min(cutter->find_end(rows, true), rows.size());  // it may be kNotYet
    std::string_view row = rows.substr(0, end);
    if (row.ends_with('\n')) row.remove_suffix(1);
    if (!first) out->push_back('\n');
    const size_t start = out->size();
    MR_TRY(append_result("", row, out));
    MR_TRY(complete(number, start, out));
    cutter->taken(end);
    rows.remove_prefix(end);
  }
  return {};
}

Status ReplyWriter::append_result(std::string_view content, std::string_view result,
                                  std::string* out) {
  if (join_ == Join::kNone) {
    if (filter_) return filter_->select(result, out);
    out->append(result);
    return {};
  }
  std::string* const joined = filter_ ? &joined_ : out;
  joined_.clear();
  MR_TRY(join_ == Join::kCsv ? join_row(content, result, joined)
                             : json_joiner_.join(content, result, joined));
  return filter_ ? filter_->select_joined(joined_, out) : Status();
}

// Results stand below their names, whatever the length of the row: a shorter one gets the fields
// that it lacks. Of a longer one nobody knows which field is one too many.
Status ReplyWriter::join_row(std::string_view content, std::string_view result,
                             std::string* out) const {
  const size_t wanted = input_columns_.value_or(0);
  const size_t columns =
      wanted > 0 ? record::count_csv_fields(content, format_.csv.delimiter) : wanted;
  if (columns == wanted) return record::join_csv(content, result, format_.csv, out);
  if (columns > wanted) {
    return fail(bad_input("the row has " + std::to_string(columns) + " fields and the header " +
                          std::to_string(wanted) +
                          ": joined results would not stand below their names"));
  }
  std::string whole(content);
  whole.append(wanted - columns, format_.csv.delimiter);
  return record::join_csv(whole, result, format_.csv, out);
}

Status ReplyWriter::complete(uint64_t number, size_t start, std::string* out) {
  if (tagger_) {
    untagged_.assign(*out, start);
    out->resize(start);
    MR_TRY(tagger_->append(number, untagged_, out));
  }
  return source_column_.empty() ? Status() : add_source(start, out);
}

Status ReplyWriter::add_source(size_t start, std::string* out) {
  if (reply_media_type(format_) == MediaType::kCsv) {
    out->push_back(format_.csv.delimiter);
    out->append(source_);
    return {};
  }
  const std::string bare = out->substr(start);
  out->resize(start);
  return json_joiner_.add_attribute(bare, source_column_, source_, out);
}

// OutputFilter keeps of a placeholder what it keeps of a result, so that columns stay in line; what
// it cannot find in one is no error: then the placeholder stands as it is.
Status ReplyWriter::append_refused(uint64_t number, std::string_view content,
                                   std::string_view cause, std::string* out) {
  if (rules_.on == RecordErrorRules::On::kDrop) return {};
  append_separator(out);
  const size_t start = out->size();
  std::string placeholder;
  placeholder_.append(content, cause, &placeholder);
  const bool whole = !filter_ || !(join_ == Join::kNone ? filter_->select(placeholder, out)
                                                        : filter_->select_joined(placeholder, out));
  if (whole) out->replace(start, out->npos, placeholder);
  MR_TRY(complete(number, start, out));
  end_piece(start, out);
  return {};
}

// A join failed: because of the record, or because of what the model said of it?
bool ReplyWriter::is_bad_record(std::string_view content) const {
  if (join_ == Join::kNone) return false;
  if (join_ == Join::kCsv) return !placeholder_.can_stand(content);
  return find_json_fault(content, limits::kJsonDepthMax).has_value();
}

}  // namespace millrace::transform
