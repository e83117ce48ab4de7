// The head of an object becomes a small object in memory, which goes the way of all objects.
#include "transform/preview.h"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <utility>

#include "base/limits.h"
#include "record/format.h"
#include "transform/decoding_reader.h"
#include "transform/parquet_object.h"
#include "transform/record_stream.h"
#include "transform/transform_part.h"

namespace millrace::transform {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

class TextReader final : public store::ObjectReader {
 public:
  explicit TextReader(std::string_view text) : rest_(text) {}
  Result<size_t> read(std::span<char> buffer) override {
    const size_t count = std::min(buffer.size(), rest_.size());
    std::memcpy(buffer.data(), rest_.data(), count);
    rest_.remove_prefix(count);
    return count;
  }

 private:
  std::string_view rest_;
};

// The one object that lies in memory.
class HeadStore final : public store::ObjectStore {
 public:
  HeadStore(std::string_view bytes, std::string name) : bytes_(bytes), name_(std::move(name)) {}

  Result<std::unique_ptr<store::ObjectReader>> open(const store::ObjectInfo&, uint64_t offset,
                                                    uint64_t length) override {
    return std::make_unique<TextReader>(bytes_.substr(offset, length));
  }
  std::string describe(std::string_view) const override { return name_; }

  Status list(std::string_view, const std::function<Status(const store::ObjectInfo&)>&) override {
    return fail(read_only());
  }
  Result<store::ObjectInfo> stat(std::string_view) override { return fail(read_only()); }
  Result<std::unique_ptr<store::ObjectWriter>> create(std::string_view,
                                                      const store::WriteOptions&) override {
    return fail(read_only());
  }
  Status abort_upload(std::string_view, std::string_view) override { return {}; }
  Status remove(std::string_view) override { return fail(read_only()); }

 private:
  static Error read_only() { return internal_error("a preview only reads"); }

  const std::string_view bytes_;
  const std::string name_;
};

class TextWriter final : public store::ObjectWriter {
 public:
  Status append(std::string_view bytes) override {
    text_ += bytes;
    return {};
  }
  Status commit() override { return {}; }
  std::string take() { return std::move(text_); }

 private:
  std::string text_;
};

Part whole_part(uint64_t length) {
  Part part;
  part.length = length;
  part.last = true;
  return part;
}

Result<RecordStream> open_stream(const TransformJob& job, store::ObjectStore& store,
                                 const store::ObjectInfo& object, const CancelToken& cancel) {
  MR_ASSIGN(RecordStream stream,
            RecordStream::open(store, object, whole_part(object.size), job.format, cancel,
                               record::BadRecords::kGive, record::Checksums::kIgnore));
  if (has_csv_header(job.format)) MR_TRY(stream.take_header());
  return stream;
}

// --- counting ---

class Count {
 public:
  Count(const TransformJob& job, store::ObjectStore& input, const handler::HandlerTraits& traits,
        double seconds, const CancelToken& cancel)
      : job_(job), input_(input), traits_(traits), seconds_(seconds), cancel_(cancel) {}

  RecordCount run() {
    uint64_t bytes = 0;
    for (const PlannedObject& object : job_.objects) bytes += object.input.size;
    for (const PlannedObject& object : job_.objects) {
      if (!object.input.problem.empty()) continue;
      if (is_over()) break;
      (void)count(object.input);  // what cannot be read fails when the job runs
    }
    RecordCount found{records_, !over_};
    if (over_ && bytes_ > 0) {
      const double share = static_cast<double>(bytes) / static_cast<double>(bytes_);
      found.records = static_cast<uint64_t>(static_cast<double>(records_) * std::max(1.0, share));
    }
    return found;
  }

 private:
  bool is_over() {
    return over_ = over_ || seconds_since(start_) > seconds_ || cancel_.cancelled();
  }

  Status count(const store::ObjectInfo& object) {
    if (is_parquet(job_.format)) {
      scan_parquet(input_, job_, object, traits_, [&](const Part& part) {
        records_ += part.records.value_or(0);
        return true;
      });
      bytes_ += object.size;
    } else if (job_.format.split_type == record::SplitType::kNone) {
      ++records_;
      bytes_ += object.size;
    } else {
      return read(object);
    }
    return {};
  }

  Status read(const store::ObjectInfo& object) {
    constexpr uint64_t kRecordsBetweenLooks = 1024;
    MR_ASSIGN(RecordStream stream, open_stream(job_, input_, object, cancel_));
    record::Record record;
    uint64_t seen = 0;
    Result<bool> found = true;
    while ((found = stream.next(&record)) && *found) {
      ++records_;
      if (++seen % kRecordsBetweenLooks == 0 && is_over()) break;
    }
    const std::optional<uint64_t> source = stream.take_source_bytes();
    bytes_ += over_ ? source.value_or(stream.position()) : object.size;
    return {};
  }

  const TransformJob& job_;
  store::ObjectStore& input_;
  const handler::HandlerTraits& traits_;
  const double seconds_;
  const CancelToken& cancel_;
  const Clock::time_point start_ = Clock::now();
  bool over_ = false;
  uint64_t records_ = 0;
  uint64_t bytes_ = 0;  // of objects as they are stored, as far as they were read
};

// --- the head ---

// The object's bytes as they are cut into records.
Result<std::unique_ptr<store::ObjectReader>> open_plain(const PartContext& context) {
  const record::DataFormat& format = context.job.format;
  if (is_parquet(format)) {
    Part first;
    scan_parquet(context.input, context.job, context.object, context.handler.traits(),
                 [&](const Part& part) {
                   if (part.index == 0) first = part;
                   return part.index == 0;
                 });
    return read_texts(context, first);
  }
  MR_ASSIGN(auto reader, context.input.open(context.object, 0, context.object.size));
  if (!record::is_decoded(format)) return reader;
  return std::make_unique<DecodingReader>(std::move(reader), format);
}

// Up to `bytes_max`; false: there is more.
Result<bool> read_up_to(store::ObjectReader& reader, size_t bytes_max, std::string* text) {
  std::string block(limits::kReadBlockBytes, '\0');
  while (text->size() <= bytes_max) {
    MR_ASSIGN(const size_t got, reader.read(block));
    if (got == 0) return true;
    text->append(block, 0, got);
  }
  return false;
}

TransformJob stored_plainly(TransformJob job) {
  job.objects.clear();
  job.format.compression_type = record::CompressionType::kNone;
  job.format.encoding = record::TextEncoding::kUtf8;
  job.format.csv.byte_order_mark = false;
  if (is_parquet(job.format)) job.format.split_type = record::SplitType::kLine;
  return job;
}

// Without what stands between the elements of a JSON array at either end.
std::string without(const std::string& text, const char* between) {
  const size_t begin = text.find_first_not_of(between);
  if (begin == text.npos) return "";
  return text.substr(begin, text.find_last_not_of(" \t\r\n,") - begin + 1);
}

}  // namespace

RecordCount count_records(const TransformJob& job, store::ObjectStore& input,
                          const handler::HandlerTraits& traits, double seconds,
                          const CancelToken& cancel) {
  return Count(job, input, traits, seconds, cancel).run();
}

Head Head::read(const TransformJob& job, store::ObjectStore& input,
                handler::InferenceHandler& handler, const CancelToken& cancel) {
  for (const PlannedObject& object : job.objects) {
    Head head;
    if (!object.input.problem.empty()) continue;
    if (head.take(job, input, object.input, handler, cancel)) return head;
  }
  return {};
}

bool Head::take(const TransformJob& job, store::ObjectStore& input, const store::ObjectInfo& object,
                handler::InferenceHandler& handler, const CancelToken& cancel) {
  InFlight in_flight(limits::kInFlightBytesMax, 0);
  Counters counters;
  const auto reader = open_plain({job, object, input, handler, in_flight, counters, cancel});
  if (!reader) return false;
  const bool is_one_record = job.format.split_type == record::SplitType::kNone;
  const size_t bytes_max = is_one_record ? limits::kPayloadBytesMax : limits::kPreviewBytesMax;
  const auto whole = read_up_to(**reader, bytes_max, &bytes_);
  if (!whole || (is_one_record && !*whole)) return false;
  whole_ = *whole;
  info_ = object;
  object_ = input.describe(object.key);
  job_ = stored_plainly(job);
  find_records(cancel);
  return !empty();
}

// A record that the head cuts off is none.
void Head::find_records(const CancelToken& cancel) {
  HeadStore store(bytes_, object_);
  info_.size = bytes_.size();
  Result<RecordStream> stream = open_stream(job_, store, info_, cancel);
  if (!stream) return;
  begin_ = stream->position();
  record::Record record;
  Result<bool> found = true;
  while (ends_.size() < limits::kPreviewRecordsMax && (found = stream->next(&record)) && *found) {
    ends_.push_back(stream->position());
  }
  const bool cut_off = !whole_ && !ends_.empty() && ends_.back() >= bytes_.size();
  if (cut_off) ends_.pop_back();
}

std::string Head::record(size_t index) const {
  const uint64_t begin = index == 0 ? begin_ : ends_[index - 1];
  std::string text = bytes_.substr(begin, ends_[index] - begin);
  if (job_.format.split_type == record::SplitType::kJsonArray) {
    text = without(text, index == 0 ? " \t\r\n,[" : " \t\r\n,");
  }
  while (text.ends_with('\n') || text.ends_with('\r')) text.pop_back();
  return text;
}

std::string Head::cut(size_t first, size_t count) const {
  const uint64_t begin = first == 0 ? begin_ : ends_[first - 1];
  std::string text = bytes_.substr(begin, ends_[first + count - 1] - begin);
  if (job_.format.split_type != record::SplitType::kJsonArray) {
    return bytes_.substr(0, begin_) + text;
  }
  return (first == 0 ? "" : "[") + without(text, " \t\r\n,") + "]";
}

Result<std::string> Head::transform(const TransformJob& job, const std::string& bytes,
                                    handler::InferenceHandler& handler,
                                    const CancelToken& cancel) const {
  HeadStore store(bytes, object_);
  store::ObjectInfo object = info_;
  object.size = bytes.size();
  const uint32_t requests =
      handler.traits().reads_records_alone ? 0 : std::max(1U, job.max_concurrent_transforms);
  InFlight in_flight(limits::kInFlightBytesMax, requests);
  Counters counters;
  TextWriter results;
  ErrorsFile errors([] { return std::make_unique<TextWriter>(); });
  Refusals refusals(job.record_errors);
  const PartContext context = {job, object, store, handler, in_flight, counters, cancel};
  MR_TRY(transform_part(context, whole_part(object.size), {results, errors, refusals}));
  return results.take();
}

Result<std::string> Head::result(size_t index, handler::InferenceHandler& handler,
                                 const CancelToken& cancel) const {
  MR_ASSIGN(std::string text, transform(job_, cut(index, 1), handler, cancel));
  const bool headed = has_csv_header(job_.format) && text.find('\n') != text.npos &&
                      record::media_type(job_.format.accept) != record::MediaType::kJsonLines;
  if (headed) text.erase(0, text.find('\n') + 1);
  while (text.ends_with('\n') || text.ends_with('\r')) text.pop_back();
  return text;
}

Result<double> Head::seconds(size_t count, handler::InferenceHandler& handler,
                             const CancelToken& cancel) const {
  TransformJob lenient = job_;
  lenient.record_errors = {};
  lenient.record_errors.on = RecordErrorRules::On::kRecord;
  const std::string bytes = cut(0, count);
  const Clock::time_point start = Clock::now();
  MR_TRY(transform(lenient, bytes, handler, cancel));
  return seconds_since(start);
}

Result<Rate> measure_rate(const Head& head, handler::InferenceHandler& handler, double seconds,
                          const CancelToken& cancel) {
  constexpr size_t kFirst = 16;
  const Clock::time_point start = Clock::now();
  size_t count = std::min(kFirst, head.size());
  for (;;) {
    MR_ASSIGN(const double took, head.seconds(count, handler, cancel));
    const double left = seconds - seconds_since(start);
    const double each = std::max(took, 1e-6) / static_cast<double>(count);
    // What is left of the time, but not so much more that a slow first step misleads.
    const double fit = std::min(left / each, static_cast<double>(count) * 16);
    const size_t next = std::min(head.size(), static_cast<size_t>(std::max(0.0, fit)));
    if (next <= count) {
      return Rate{1 / each, static_cast<double>(head.bytes(count)) / std::max(took, 1e-6)};
    }
    count = next;
  }
}

}  // namespace millrace::transform
