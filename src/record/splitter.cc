// What all splitters share: a buffer of bytes that no record has taken yet, the size limit, and the
// cut of a framed record into its content. A cutter only says where the next record ends.
#include "record/splitter.h"

#include <fmt/format.h>

#include "base/check.h"
#include "record/cutter.h"

namespace millrace::record {

namespace {

constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
// A buffer that one huge record blew up is given back when it is this large and mostly idle.
constexpr size_t kIdleBufferBytesMax = 4 * 1024 * 1024;

// What of a framed record is content depends on how the record will be read.
struct ContentRule {
  bool strip_line_end = false;
  bool strip_carriage_return = false;
  bool strip_byte_order_mark = false;
  bool strip_frame = false;
  bool send_frame = true;
  bool verify = false;

  std::string_view apply(std::string_view framed, bool starts_object) const {
    std::string_view content = framed;
    if (strip_line_end && content.ends_with('\n')) {
      content.remove_suffix(1);
      if (strip_carriage_return && content.ends_with('\r')) content.remove_suffix(1);
    }
    if (starts_object && strip_byte_order_mark && content.starts_with(kByteOrderMark)) {
      content.remove_prefix(kByteOrderMark.size());
    }
    return content;
  }
};

ContentRule content_rule(const DataFormat& format, Checksums checksums) {
  const MediaType media = media_type(format.content_type);
  ContentRule rule;
  if (is_framed(format.split_type)) {
    rule.strip_frame = true;
    rule.send_frame = format.batch_strategy == BatchStrategy::kMultiRecord;
    rule.verify = checksums == Checksums::kVerify;
    return rule;
  }
  if (format.split_type == SplitType::kJsonArray) return rule;
  rule.strip_line_end = format.split_type == SplitType::kLine;
  rule.strip_carriage_return =
      media == MediaType::kCsv || media == MediaType::kJson || media == MediaType::kJsonLines;
  rule.strip_byte_order_mark = media != MediaType::kOther;
  return rule;
}

class BufferedSplitter final : public Splitter {
 public:
  BufferedSplitter(std::unique_ptr<Cutter> cutter, ContentRule rule, uint64_t start_offset,
                   uint64_t record_bytes_max, BadRecords bad_records)
      : cutter_(std::move(cutter)),
        rule_(rule),
        offset_(start_offset),
        position_(start_offset),
        record_bytes_max_(record_bytes_max),
        bad_records_(bad_records) {
    MR_CHECK(record_bytes_max > 0);
  }

  void feed(std::string_view bytes) override {
    MR_CHECK(!finished_);
    make_room(bytes.size());
    buffer_.append(bytes);
  }

  void finish() override { finished_ = true; }

  uint64_t position() const override { return position_; }

  Result<bool> next(Record* record) override {
    if (failed_) return fail(*failed_);
    if (skipping_ && !skip_rest()) return false;
    for (;;) {
      const std::string_view pending = std::string_view(buffer_).substr(begin_);
      size_t end = cutter_->find_end(pending, finished_);
      if (end == Cutter::kBroken) return stop(bad_input(cutter_->cause(offset_)));
      if (end == Cutter::kNotYet || (end > pending.size() && end <= record_bytes_max_)) {
        if (pending.size() > record_bytes_max_) return too_large(record);
        if (!finished_) return false;
        if (auto status = cutter_->check_end(pending, offset_); !status) {
          return give_bad(std::move(status).error(), pending, record);
        }
        end = pending.size();
      }
      const std::string_view framed = pending.substr(0, end);
      const bool is_record = cutter_->is_record(framed);
      if (is_record && end > record_bytes_max_) return too_large(record);
      if (is_record) {
        *record = make_record(framed);
        position_ = offset_ + end;
      }
      begin_ += end;
      offset_ += end;
      cutter_->taken(end);
      if (is_record) return true;
      if (end == 0) return false;  // the end of the object
    }
  }

 private:
  Record make_record(std::string_view framed) const {
    if (!rule_.strip_frame) return {framed, rule_.apply(framed, offset_ == 0), offset_, {}};
    const std::string_view content = cutter_->unframed(framed);
    const std::string_view problem = rule_.verify ? cutter_->fault(framed) : std::string_view();
    return {rule_.send_frame ? framed : content, content, offset_, problem};
  }

  // Bytes that records have taken go when they are at least half of the buffer, so that each byte
  // is moved at most once on average.
  void make_room(size_t more) {
    const size_t unread = buffer_.size() - begin_;
    if (begin_ == 0 || begin_ < unread) return;
    buffer_.erase(0, begin_);
    begin_ = 0;
    const size_t needed = unread + more;
    if (buffer_.capacity() > kIdleBufferBytesMax && needed < buffer_.capacity() / 4) {
      buffer_.shrink_to_fit();
    }
  }

  Result<bool> too_large(Record* record) {
    return give_bad(
        bad_input(fmt::format("the record at byte {} is larger than {} bytes{}", offset_,
                              record_bytes_max_, cutter_->too_large_hint(offset_))),
        std::string_view(buffer_).substr(begin_, record_bytes_max_), record);
  }

  // The rest of the record goes by at the next call.
  Result<bool> give_bad(Error error, std::string_view held, Record* record) {
    if (bad_records_ == BadRecords::kFail || !cutter_->can_drop()) {
      return stop(std::move(error));
    }
    problem_ = std::move(error.message);
    skipping_ = true;
    *record = {held, rule_.apply(held, offset_ == 0), offset_, problem_};
    return true;
  }

  // False: more bytes are needed to see where the record ends.
  bool skip_rest() {
    const std::string_view pending = std::string_view(buffer_).substr(begin_);
    const size_t end = cutter_->find_end(pending, finished_);
    const bool ended = end != Cutter::kNotYet || finished_;
    size_t bytes = end == Cutter::kNotYet ? pending.size() : end;
    if (ended) {
      cutter_->taken(bytes);
    } else {
      bytes = cutter_->drop(pending);
    }
    begin_ += bytes;
    offset_ += bytes;
    position_ = offset_;
    skipping_ = !ended;
    return ended;
  }

  tl::unexpected<Error> stop(Error error) { return fail(failed_.emplace(std::move(error))); }

  const std::unique_ptr<Cutter> cutter_;
  const ContentRule rule_;
  std::string buffer_;
  size_t begin_ = 0;  // of what no record has taken, in the buffer
  uint64_t offset_;   // of the same in the object
  uint64_t position_;
  const uint64_t record_bytes_max_;
  const BadRecords bad_records_;
  bool finished_ = false;
  bool skipping_ = false;  // `pending` begins inside a record that was given as bad
  std::string problem_;    // of that one
  std::optional<Error> failed_;
};

// SplitType None: the whole object is one record, even an empty one.
class WholeCutter final : public Cutter {
 public:
  size_t find_end(std::string_view, bool) override { return kNotYet; }
  bool is_record(std::string_view) override { return !taken_; }
  void taken(size_t) override { taken_ = true; }
  bool can_drop() const override { return true; }
  size_t drop(std::string_view pending) override { return pending.size(); }

 private:
  bool taken_ = false;
};

// SplitType Line: a record ends at '\n', whatever the bytes mean. An empty line is a record.
class LineCutter final : public Cutter {
 public:
  size_t find_end(std::string_view pending, bool) override {
    const size_t newline = newlines_.find(pending, 0);
    return newline == ByteFinder::kNone ? kNotYet : newline + 1;
  }
  bool is_record(std::string_view framed) override { return !framed.empty(); }
  void taken(size_t bytes) override { newlines_.shift(bytes); }
  bool can_drop() const override { return true; }
  size_t drop(std::string_view pending) override {
    newlines_.shift(pending.size());
    return pending.size();
  }

 private:
  ByteFinder newlines_{'\n'};
};

std::unique_ptr<Cutter> make_cutter(const DataFormat& format, uint64_t start_offset) {
  switch (format.split_type) {
    case SplitType::kNone:
      return std::make_unique<WholeCutter>();
    case SplitType::kRecordIo:
      return make_record_io_cutter();
    case SplitType::kTfRecord:
      return make_tf_record_cutter();
    case SplitType::kJsonArray:
      return make_json_array_cutter();
    case SplitType::kLine:
    case SplitType::kParquet:  // whose rows come as lines
      break;
  }
  if (format.csv.rfc4180 && media_type(format.content_type) == MediaType::kCsv) {
    return make_csv_cutter(format.csv.delimiter, start_offset == 0);
  }
  return std::make_unique<LineCutter>();
}

}  // namespace

std::unique_ptr<Splitter> make_splitter(const DataFormat& format, uint64_t start_offset,
                                        uint64_t record_bytes_max, BadRecords bad_records,
                                        Checksums checksums) {
  return std::make_unique<BufferedSplitter>(make_cutter(format, start_offset),
                                            content_rule(format, checksums), start_offset,
                                            record_bytes_max, bad_records);
}

}  // namespace millrace::record
