// Read, split, make mini-batches, submit, take replies from the front, join, write.
#include "transform/transform_part.h"

#include <algorithm>
#include <utility>

#include "transform/csv_columns.h"
#include "transform/parquet_object.h"
#include "transform/record_stream.h"
#include "transform/reply_queue.h"
#include "transform/request_stream.h"
#include "transform/stream_part.h"

namespace millrace::transform {
namespace {

Result<RecordStream> open_records(const PartContext& context, const Part& part) {
  const record::DataFormat& format = context.job.format;
  if (!is_parquet(format)) {
    return RecordStream::open(context.input, context.object, part, format, context.cancel,
                              context.job.record_errors.bad_records());
  }
  MR_ASSIGN(auto texts, read_texts(context, part));
  return RecordStream::over(std::move(texts), part, format, context.cancel,
                            context.job.record_errors.bad_records());
}

// The object's first part starts with the CSV header, if there is one; later parts were told.
Result<CsvColumns> take_columns(const PartContext& context, const Part& part,
                                RecordStream& records) {
  // Row groups of Parquet were told nothing: there is nothing to resolve.
  const bool told = part.index > 0 && !is_parquet(context.job.format);
  if (told) return CsvColumns{part.text_column, part.input_columns, "", part.filters};
  CsvColumns columns;
  if (has_csv_header(context.job.format)) {
    MR_ASSIGN(const record::CsvHeader header, records.take_header());
    MR_ASSIGN(columns, resolve_csv_columns(header, context.job, context.handler.traits()));
  } else {
    columns = columns_without_header(context.job);
  }
  if (context.job.format.csv.byte_order_mark) columns.output_header.insert(0, "\xEF\xBB\xBF");
  return columns;
}

// The whole of a part is done when it is: its range may hold more than records.
void count_the_rest(const PartContext& context, const Part& part, uint64_t bytes_of_records) {
  if (part.length > bytes_of_records) {
    context.counters.bytes_done += part.length - bytes_of_records;
  }
}

// Rows of Parquet have no bytes of their own in the object: each gets its share of the row group.
uint64_t bytes_of_rows(const Part& part, uint64_t before, uint64_t rows) {
  const uint64_t all = std::max(part.records.value_or(0), before + rows);
  const auto until = [&](uint64_t row) {
    return static_cast<uint64_t>(static_cast<double>(part.length) * static_cast<double>(row) /
                                 static_cast<double>(all));
  };
  return until(before + rows) - until(before);
}

Status check_records(const Part& part, uint64_t records) {
  if (!part.records || *part.records == records) return {};
  return fail(corruption("the object changed while it was read: the scan found " +
                         std::to_string(*part.records) + " records in the part at byte " +
                         std::to_string(part.offset) + ", now it has " + std::to_string(records)));
}

}  // namespace

Result<PartResult> transform_part(const PartContext& context, const Part& part,
                                  const PartOutput& out) {
  if (is_streamed(context.job, context.handler.traits())) return stream_part(context, part, out);
  MR_ASSIGN(RecordStream records, open_records(context, part));
  MR_ASSIGN(const CsvColumns columns, take_columns(context, part, records));

  // From here on records can be read, and nothing but a record can be wrong.
  records.set_filter(columns.filters->input);
  const bool originals = context.job.format.join_source == record::JoinSource::kInput ||
                         context.job.record_errors.keep_going();
  RequestStream requests(records, context.job.format, context.handler.traits(), originals);
  ReplyQueue replies(context, part, columns, out);
  if (part.index == 0) MR_TRY(replies.begin(columns.output_header));
  uint64_t bytes = 0;
  Status read;
  for (;;) {
    Result<Request> request = requests.next();
    if (!request) read = fail(std::move(request).error());
    if (!request || request->empty()) break;
    if (!part.records) context.counters.records_found += request->offsets.size();
    if (is_parquet(context.job.format)) {
      const uint64_t before = request->batch.first_record - part.first_record;
      request->source_bytes = bytes_of_rows(part, before, request->offsets.size());
    }
    bytes += request->source_bytes;
    MR_TRY(replies.make_room(request->bytes_held()));
    replies.submit(std::move(*request));
    MR_TRY(replies.write_ready());
  }

  // Everything is submitted. What earlier records have to say comes before an error in reading.
  MR_TRY(replies.write_all());
  MR_TRY(read);
  MR_TRY(check_records(part, replies.result().records));
  MR_TRY(replies.end(part.last));
  count_the_rest(context, part, bytes);
  PartResult result = replies.result();
  result.error_bytes = out.errors.bytes();
  return result;
}

}  // namespace millrace::transform
