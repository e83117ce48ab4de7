// A reply is written whole where that is all it needs, else record by record.
#include "transform/reply_writer.h"

#include <vector>

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

ReplyWriter::ReplyWriter(const TransformJob& job, const record::JsonPath& filter,
                         const std::string& object, std::string_view input_key)
    : format_(job.format),
      join_(format_.join_source == record::JoinSource::kNone              ? Join::kNone
            : record::media_type(format_.content_type) == MediaType::kCsv ? Join::kCsv
                                                                          : Join::kJson),
      // The rows of Parquet get theirs when they are written.
      source_column_(is_parquet(format_) ? "" : job.output_form.source_column),
      source_(source_value(job, input_key)),
      counts_records_(is_parquet(format_) || !source_column_.empty()),
      array_(record::writes_json_array(format_)),
      assembler_(format_.assemble_with) {
  const MediaType media = reply_media_type(format_);
  if (!filter.is_root()) filter_.emplace("OutputFilter", filter, media, format_.csv.delimiter);
  if (job.generate_inference_id) {
    tagger_.emplace(job.name, job.started, object, media, format_.csv.delimiter);
  }
}

Status ReplyWriter::append(const Request& request, const handler::InvokeReply& reply,
                           std::string* out) {
  const size_t count = request.batch.records.size();
  const bool bare = join_ == Join::kNone && !array_ && !counts_records_ && !filter_ && !tagger_;
  if (reply.records.empty() && bare) {
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
  for (size_t i = 0; i < count; ++i) {
    const auto result = std::string_view(reply.body).substr(spans[i].offset, spans[i].length);
    MR_TRY(append_record(request, i, result, out));
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

Status ReplyWriter::append_record(const Request& request, size_t record, std::string_view result,
                                  std::string* out) {
  // Between the records of one response. Under AssembleWith Line the newline after each does it.
  if (array_) {
    if (begun_) out->append(",\n");
    begun_ = true;
  } else if (format_.assemble_with == AssembleWith::kNone && !request.begins[record]) {
    out->push_back('\n');
  }
  const size_t start = out->size();
  std::string_view content = reads_requests() ? request.original(record) : "";
  std::string replaced;
  if (format_.encoding != record::TextEncoding::kUtf8 && content.find('\xFF') != content.npos) {
    replaced = record::with_replacements(content);
    content = replaced;
  }
  Status joined = append_tagged(request.batch.first_record + record, content, result, out);
  if (joined && !source_column_.empty()) joined = add_source(start, out);
  if (!joined) {
    const uint64_t number = request.batch.first_record + record;
    return fail(
        std::move(joined).error().within(record_name(format_, number, request.offsets[record])));
  }
  assembler_.end_piece(start, out);
  return {};
}

Status ReplyWriter::add_source(size_t start, std::string* out) {
  if (reply_media_type(format_) == MediaType::kCsv) {
    out->push_back(format_.csv.delimiter);
    out->append(source_);
    return {};
  }
  const std::string record = out->substr(start);
  out->resize(start);
  return json_joiner_.add_attribute(record, source_column_, source_, out);
}

Status ReplyWriter::append_tagged(uint64_t number, std::string_view record, std::string_view result,
                                  std::string* out) {
  if (!tagger_) return append_result(record, result, out);
  untagged_.clear();
  MR_TRY(append_result(record, result, &untagged_));
  return tagger_->append(number, untagged_, out);
}

Status ReplyWriter::append_result(std::string_view record, std::string_view result,
                                  std::string* out) {
  if (join_ == Join::kNone) {
    if (filter_) return filter_->select(result, out);
    out->append(result);
    return {};
  }
  std::string* const joined = filter_ ? &joined_ : out;
  joined_.clear();
  MR_TRY(join_ == Join::kCsv ? record::join_csv(record, result, format_.csv, joined)
                             : json_joiner_.join(record, result, joined));
  return filter_ ? filter_->select_joined(joined_, out) : Status();
}

}  // namespace millrace::transform
