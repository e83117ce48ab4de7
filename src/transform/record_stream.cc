// Reads blocks, feeds the splitter, and tells where in the object an error stands.
#include "transform/record_stream.h"

#include <algorithm>
#include <utility>

#include "base/limits.h"
#include "record/decoder.h"

namespace millrace::transform {

Result<RecordStream> RecordStream::open(store::ObjectStore& store, const store::ObjectInfo& object,
                                        const Part& part, const record::DataFormat& format,
                                        const CancelToken& cancel, record::BadRecords bad_records,
                                        record::Checksums checksums) {
  MR_ASSIGN(auto reader, store.open(object, part.offset, part.length));
  if (!record::is_decoded(format)) {
    return RecordStream(std::move(reader), part, format, cancel, bad_records, checksums);
  }
  auto decoding = std::make_unique<DecodingReader>(std::move(reader), format);
  DecodingReader* const seen = decoding.get();
  RecordStream stream(std::move(decoding), part, format, cancel, bad_records, checksums);
  stream.decoding_ = seen;
  stream.block_.resize(limits::kReadBlockBytes);
  return stream;
}

RecordStream RecordStream::over(std::unique_ptr<store::ObjectReader> lines, const Part& part,
                                const record::DataFormat& format, const CancelToken& cancel,
                                record::BadRecords bad_records) {
  return RecordStream(std::move(lines), part, format, cancel, bad_records, {});
}

RecordStream::RecordStream(std::unique_ptr<store::ObjectReader> reader, const Part& part,
                           const record::DataFormat& format, CancelToken cancel,
                           record::BadRecords bad_records, record::Checksums checksums)
    : reader_(std::move(reader)),
      format_(&format),
      cancel_(std::move(cancel)),
      bad_records_(bad_records),
      checksums_(checksums),
      // One byte more than the range, so that the read which ends a small object is not full and
      // the block need not be larger than the object.
      block_(std::min<uint64_t>(limits::kReadBlockBytes, part.length + 1), '\0'),
      next_record_(part.first_record) {
  start_at(part.offset);
}

void RecordStream::start_at(uint64_t offset) {
  // A record larger than the payload is refused in next(), which can say so.
  const uint64_t record_bytes_max = std::max(limits::kPayloadBytesMax, format_->max_payload_bytes);
  record::DataFormat cut = *format_;
  if (is_parquet(cut)) cut.split_type = record::SplitType::kLine;  // see over()
  splitter_ = record::make_splitter(cut, offset, record_bytes_max, bad_records_, checksums_);
}

Result<record::CsvHeader> RecordStream::take_header() {
  std::string head;  // what was read to find the header: mostly more than it
  auto read = [&](std::span<char> buffer) -> Result<size_t> {
    MR_ASSIGN(const size_t got, reader_->read(buffer));
    head.append(buffer.data(), got);
    return got;
  };
  // The header is a record even where the rest of the object is one request.
  record::DataFormat split = *format_;
  split.split_type = record::SplitType::kLine;
  MR_ASSIGN(record::CsvHeader header, record::read_csv_header(read, split));
  if (format_->encoding != record::TextEncoding::kUtf8) {
    header.line = record::with_replacements(header.line);
  }
  start_at(header.end);
  splitter_->feed(std::string_view(head).substr(header.end));
  return header;
}

void RecordStream::set_filter(const record::JsonPath& path) {
  if (path.is_root()) return;
  filter_ = std::make_unique<record::RecordFilter>(
      "InputFilter", path, record::media_type(format_->content_type), format_->csv.delimiter);
}

Result<bool> RecordStream::next(record::Record* record) {
  for (;;) {
    Result<bool> found = splitter_->next(record);
    if (!found) return fail(at_next_record(std::move(found).error()));
    if (*found) break;
    if (finished_) return false;
    MR_TRY(read_more());
  }
  original_ = record->content;
  original_bytes_ = record->framed.size();
  if (filter_ && record->problem.empty()) filter(record);
  refuse_if_too_large(record);
  if (!record->problem.empty() && bad_records_ == record::BadRecords::kFail) {
    return fail(bad_input(record_name(*format_, next_record_, record->offset) + ": " +
                          std::string(record->problem)));
  }
  ++next_record_;
  return true;
}

std::optional<uint64_t> RecordStream::take_source_bytes() {
  if (decoding_ == nullptr) return std::nullopt;
  return decoding_->source_bytes() - std::exchange(source_bytes_, decoding_->source_bytes());
}

// What is sent is framed as the record was, by one newline: '\r' is a part of the line end.
void RecordStream::filter(record::Record* record) {
  filtered_.clear();
  std::string_view content = record->content;
  std::string replaced;
  if (format_->encoding != record::TextEncoding::kUtf8 && content.find('\xFF') != content.npos) {
    replaced = record::with_replacements(content);
    content = replaced;
  }
  if (Status status = filter_->select(content, &filtered_); !status) {
    problem_ = std::move(status).error().message;
    record->problem = problem_;
    return;
  }
  const size_t size = filtered_.size();
  const bool framed = format_->split_type != record::SplitType::kNone;
  if (framed && record->framed.ends_with('\n')) filtered_.push_back('\n');
  record->framed = filtered_;
  record->content = record->framed.substr(0, size);
}

void RecordStream::refuse_if_too_large(record::Record* record) {
  const uint64_t size = record->framed.size();
  if (!record->problem.empty() || format_->max_payload_bytes == 0) return;
  if (size <= format_->max_payload_bytes) return;
  problem_ = "it has " + std::to_string(size) + " bytes, more than the " +
             std::to_string(format_->max_payload_bytes) + " that MaxPayloadInMB allows";
  record->problem = problem_;
}

Status RecordStream::read_more() {
  if (cancel_.cancelled()) return fail(cancelled("stopped"));
  MR_ASSIGN(const size_t got, reader_->read(block_));
  if (got > 0) {
    splitter_->feed(std::string_view(block_).substr(0, got));
  } else {
    splitter_->finish();
    finished_ = true;
  }
  return {};
}

Error RecordStream::at_next_record(Error error) const {
  return std::move(error).within(record_name(*format_, next_record_, position()));
}

}  // namespace millrace::transform
