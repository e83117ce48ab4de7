// The body is the object's records as a mini-batch would hold them, or all its bytes where it is
// not cut; the reply goes straight into the output.
#include "transform/stream_part.h"

#include <algorithm>
#include <cstring>
#include <memory>
#include <optional>
#include <utility>

#include "base/limits.h"
#include "transform/decoding_reader.h"
#include "transform/record_stream.h"

namespace millrace::transform {
namespace {

// What the handler reads.
class Body {
 public:
  Body(const PartContext& context, const Part& part) : context_(context), part_(part) {}

  // From the beginning (again).
  Status open() {
    rest_ = {};
    records_seen_ = 0;
    bytes_seen_ = 0;
    if (is_cut()) {
      MR_ASSIGN(auto records,
                RecordStream::open(context_.input, context_.object, part_, context_.job.format,
                                   context_.cancel, record::BadRecords::kFail));
      records_.emplace(std::move(records));
      return {};
    }
    MR_ASSIGN(reader_, context_.input.open(context_.object, part_.offset, part_.length));
    decoding_ = nullptr;
    if (!record::is_decoded(context_.job.format)) return {};
    auto decoding = std::make_unique<DecodingReader>(std::move(reader_), context_.job.format);
    decoding_ = decoding.get();
    reader_ = std::move(decoding);
    block_.resize(limits::kReadBlockBytes);
    return {};
  }

  // REQUIRES: open() succeeded and nothing was read. An object that is cut may have no record.
  Result<bool> has_any() {
    if (!is_cut()) return true;
    MR_TRY(fetch_record());
    return !rest_.empty();
  }

  // 0: the end.
  Result<size_t> read(std::span<char> buffer) {
    if (context_.cancel.cancelled()) return fail(cancelled("stopped"));
    return is_cut() ? read_records(buffer) : read_bytes(buffer);
  }

  uint64_t records() const { return records_seen_; }

 private:
  bool is_cut() const { return context_.job.format.split_type != record::SplitType::kNone; }

  Result<size_t> read_records(std::span<char> buffer) {
    size_t filled = 0;
    while (filled < buffer.size()) {
      if (rest_.empty()) {
        if (filled > 0 && !fits_another(buffer.size() - filled)) break;
        MR_TRY(fetch_record());
        if (rest_.empty()) break;
      }
      filled += take(buffer.subspan(filled));
      if (!rest_.empty()) break;  // it is valid until the next one is read
    }
    return filled;
  }

  // None left: rest_ stays empty.
  Status fetch_record() {
    record::Record record;
    MR_ASSIGN(const bool found, records_->next(&record));
    count_source(records_->take_source_bytes(), records_->original_bytes(), found);
    if (!found) return {};
    rest_ = record.framed;
    count_record();
    return {};
  }

  // Records are copied together while there is room for one that is not unusually large.
  static bool fits_another(size_t room) { return room >= 4096; }

  size_t take(std::span<char> buffer) {
    const size_t size = std::min(buffer.size(), rest_.size());
    std::memcpy(buffer.data(), rest_.data(), size);
    rest_.remove_prefix(size);
    return size;
  }

  Result<size_t> read_bytes(std::span<char> buffer) {
    if (decoding_ == nullptr) {
      MR_ASSIGN(const size_t got, reader_->read(buffer));
      count_source(std::nullopt, got, true);
      return got;
    }
    if (rest_.empty()) {
      MR_ASSIGN(const size_t got, reader_->read(block_));
      count_source(decoding_->source_bytes() - bytes_seen_, 0, true);
      rest_ = std::string_view(block_).substr(0, got);
    }
    return take(buffer);
  }

  // What was read a second time is not counted a second time.
  void count_record() {
    if (++records_seen_ <= records_counted_) return;
    ++records_counted_;
    ++context_.counters.records_found;
  }
  void count_source(std::optional<uint64_t> source, uint64_t bytes, bool found) {
    bytes_seen_ += source.value_or(found ? bytes : 0);
    if (bytes_seen_ <= bytes_counted_) return;
    context_.counters.bytes_done += bytes_seen_ - bytes_counted_;
    bytes_counted_ = bytes_seen_;
  }

  const PartContext& context_;
  const Part& part_;
  std::optional<RecordStream> records_;          // of an object that is cut
  std::unique_ptr<store::ObjectReader> reader_;  // of one that is not
  DecodingReader* decoding_ = nullptr;
  std::string block_;
  std::string_view rest_;  // read and not yet given
  uint64_t records_seen_ = 0, records_counted_ = 0;
  uint64_t bytes_seen_ = 0, bytes_counted_ = 0;
};

// The reply's way into the output.
class Reply {
 public:
  Reply(store::ObjectWriter& out, bool ends_in_newline)
      : out_(out), ends_in_newline_(ends_in_newline) {}

  Status append(std::string_view bytes) {
    if (bytes.empty()) return {};
    last_ = bytes.back();
    bytes_ += bytes.size();
    lines_ += static_cast<uint64_t>(std::count(bytes.begin(), bytes.end(), '\n'));
    return out_.append(bytes);
  }
  // AssembleWith Line: as record::Assembler ends a response.
  Status end() {
    const bool ended = bytes_ > 0 && last_ == '\n';
    return ends_in_newline_ && !ended ? append("\n") : Status();
  }
  uint64_t bytes() const { return bytes_; }
  uint64_t lines() const { return lines_; }

 private:
  store::ObjectWriter& out_;
  const bool ends_in_newline_;
  uint64_t bytes_ = 0;
  uint64_t lines_ = 0;
  char last_ = 0;
};

// What progress tells of records meanwhile: a line of the reply for each, as models that answer
// line by line have it. Where they do not, all are done at the end. What was told of a stream that
// fails is taken back.
class DoneRecords {
 public:
  explicit DoneRecords(Counters& counters) : counters_(counters) {}
  ~DoneRecords() { counters_.records_done -= told_; }
  DoneRecords(const DoneRecords&) = delete;
  DoneRecords& operator=(const DoneRecords&) = delete;

  void tell(uint64_t records) {
    if (records <= told_) return;
    counters_.records_done += records - told_;
    told_ = records;
  }
  void keep(uint64_t records) {
    tell(records);
    told_ = 0;
  }

 private:
  Counters& counters_;
  uint64_t told_ = 0;
};

// One of the requests that may be in flight; its bytes are no more than a block.
class Turn {
 public:
  explicit Turn(const PartContext& context)
      : in_flight_(context.in_flight),
        entered_(in_flight_.enter(limits::kReadBlockBytes, context.order, context.cancel)) {}
  ~Turn() {
    if (entered_) in_flight_.leave(limits::kReadBlockBytes);
  }
  Turn(const Turn&) = delete;
  Turn& operator=(const Turn&) = delete;
  bool entered() const { return entered_; }

 private:
  InFlight& in_flight_;
  const bool entered_;
};

std::string object_name(const PartContext& context) {
  constexpr std::string_view kScheme = "s3://";
  std::string name = context.input.describe(context.object.key);
  return name.starts_with(kScheme) ? name.substr(kScheme.size()) : name;
}

}  // namespace

bool is_streamed(const TransformJob& job, const handler::HandlerTraits& traits) {
  using record::SplitType;
  const record::DataFormat& format = job.format;
  const SplitType split = format.split_type;
  const bool is_one_request =
      format.max_payload_bytes == 0 &&
      (split == SplitType::kNone || format.batch_strategy == record::BatchStrategy::kMultiRecord) &&
      split != SplitType::kJsonArray && split != SplitType::kParquet;
  const bool looks_at_results =
      format.join_source == record::JoinSource::kInput || !format.input_filter.is_root() ||
      !format.output_filter.is_root() || has_csv_header(format) || format.csv.byte_order_mark ||
      job.generate_inference_id || !job.output_form.source_column.empty() ||
      job.record_errors.keep_going();
  return traits.streams && is_one_request && !looks_at_results;
}

Result<PartResult> stream_part(const PartContext& context, const Part& part,
                               const PartOutput& out) {
  const Turn turn(context);
  if (!turn.entered()) return fail(cancelled("stopped"));
  Body body(context, part);
  Reply reply(out.results, context.job.format.assemble_with == record::AssembleWith::kLine);
  handler::StreamRequest request;
  request.content_type = context.job.format.content_type;
  request.accept = context.job.format.accept;
  request.object_name = object_name(context);
  request.cancel = context.cancel;
  bool opened = true;
  request.begin = [&]() -> Status {
    if (std::exchange(opened, false)) return {};
    if (reply.bytes() == 0) return body.open();
    return fail(internal_error("the connection was lost in the midst of the reply, of which " +
                               std::to_string(reply.bytes()) +
                               " bytes are written; a stream cannot be taken up again"));
  };
  request.read = [&](std::span<char> buffer) { return body.read(buffer); };
  const bool cut = context.job.format.split_type != record::SplitType::kNone;
  DoneRecords done(context.counters);
  request.write = [&](std::string_view bytes) -> Status {
    MR_TRY(reply.append(bytes));
    if (cut) done.tell(std::min(reply.lines(), body.records()));
    return {};
  };
  MR_TRY(body.open());
  MR_ASSIGN(const bool any, body.has_any());
  if (!any) return PartResult{};  // no request, as ever
  MR_TRY(context.handler.stream(request));
  MR_TRY(reply.end());
  PartResult result;
  result.records = cut ? body.records() : 1;
  result.bytes = reply.bytes();
  if (!cut) ++context.counters.records_found;
  done.keep(result.records);
  return result;
}

}  // namespace millrace::transform
