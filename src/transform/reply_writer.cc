// A reply is written whole where that is all it needs, else record by record.
#include "transform/reply_writer.h"

#include <vector>

#include "base/json_check.h"
#include "base/limits.h"
#include "record/decoder.h"
#include "record/reply_records.h"
#include "transform/csv_columns.h"
#include "transform/part.h"

namespace millrace::transform {

using record::AssembleWith;
using record::MediaType;

namespace {

std::string_view content_of(const Request& request, size_t record) {
  const record::RecordSpan span = request.batch.records[record];
  return std::string_view(request.batch.body).substr(span.offset, span.length);
}

}  // namespace

ReplyWriter::ReplyWriter(const TransformJob& job, const handler::HandlerTraits& traits,
                         std::optional<uint32_t> input_columns)
    : format_(job.format),
      rules_(job.record_errors),
      join_(format_.join_source == record::JoinSource::kNone              ? Join::kNone
            : record::media_type(format_.content_type) == MediaType::kCsv ? Join::kCsv
                                                                          : Join::kJson),
      array_(record::writes_json_array(format_)),
      assembler_(format_.assemble_with),
      placeholder_(format_, traits, input_columns) {}

Status ReplyWriter::append(const Request& request, const handler::InvokeReply& reply,
                           std::string* out, std::vector<handler::RecordError>* refused) {
  const size_t count = request.batch.records.size();
  if (reply.records.empty() && join_ == Join::kNone && !array_ && reply.errors.empty()) {
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

// Each record is a piece: its result, or what stands for it.
Status ReplyWriter::append_records(const Request& request, const handler::InvokeReply& reply,
                                   const std::vector<record::RecordSpan>& spans, std::string* out,
                                   std::vector<handler::RecordError>* refused) {
  auto error = reply.errors.begin();
  for (uint32_t i = 0; i < spans.size(); ++i) {
    // The body is only there where it is wanted.
    const std::string_view content = reads_requests() ? content_of(request, i) : "";
    if (request.begins[i]) response_begun_ = false;
    const size_t piece_start = out->size();
    append_separator(out);
    if (error != reply.errors.end() && error->record == i) {
      append_refused(content, error->message, piece_start, out);
      refused->push_back(*error++);
      continue;
    }
    const auto result = std::string_view(reply.body).substr(spans[i].offset, spans[i].length);
    const size_t start = out->size();
    if (Status joined = append_result(content, result, out); !joined) {
      if (!rules_.keep_going() || !is_bad_record(content)) {
        const uint64_t number = request.batch.first_record + i;
        return fail(
            std::move(joined).error().within(record_name(format_, number, request.offsets[i])));
      }
      out->resize(start);
      append_refused(content, joined.error().message, piece_start, out);
      refused->push_back({i, joined.error().message});
      continue;
    }
    end_piece(start, out);
  }
  return {};
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

// Between the records of one response (under AssembleWith Line the newline after each does it), or
// between the elements of the array.
void ReplyWriter::append_separator(std::string* out) const {
  if (array_) {
    if (begun_) out->append(",\n");
  } else if (format_.assemble_with == AssembleWith::kNone && response_begun_) {
    out->push_back('\n');
  }
}

Status ReplyWriter::append_result(std::string_view content, std::string_view result,
                                  std::string* out) {
  if (join_ == Join::kNone) {
    out->append(result);
    return {};
  }
  std::string replaced;
  if (format_.encoding != record::TextEncoding::kUtf8 && content.find('\xFF') != content.npos) {
    replaced = record::with_replacements(content);
    content = replaced;
  }
  if (join_ == Join::kCsv) return record::join_csv(content, result, format_.csv, out);
  return json_joiner_.join(content, result, out);
}

void ReplyWriter::end_piece(size_t start, std::string* out) {
  begun_ = true;
  response_begun_ = true;
  assembler_.end_piece(start, out);
}

void ReplyWriter::append_refused(std::string_view content, std::string_view cause,
                                 size_t piece_start, std::string* out) {
  if (rules_.on == RecordErrorRules::On::kDrop) {
    out->resize(piece_start);
    return;
  }
  const size_t start = out->size();
  placeholder_.append(content, cause, out);
  end_piece(start, out);
}

// A join failed: because of the record, or because of what the model said of it?
bool ReplyWriter::is_bad_record(std::string_view content) const {
  if (join_ == Join::kCsv) return !record::parse_csv_record(content, format_.csv.delimiter);
  return find_json_fault(content, limits::kJsonDepthMax).has_value();
}

}  // namespace millrace::transform
