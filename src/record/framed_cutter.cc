// RecordIO and TFRecord: a record's length stands before it, so nothing is searched for.
//
// RecordIO (MXNet's, as SageMaker writes it): uint32 0xCED7230A, uint32 length, data, zeros up to a
// multiple of four. TFRecord: uint64 length, uint32 masked CRC-32C of the length, data, uint32
// masked CRC-32C of the data. All little-endian.
#include <fmt/format.h>

#include <algorithm>
#include <bit>

#include "record/crc32c.h"
#include "record/cutter.h"

namespace millrace::record {

namespace {

static_assert(std::endian::native == std::endian::little);

// Beyond any object; sums of it do not overflow.
constexpr uint64_t kSizeMax = UINT64_C(1) << 60;

template <class T>
T number_at(std::string_view bytes, size_t at) {
  T value;
  std::memcpy(&value, bytes.data() + at, sizeof value);
  return value;
}

class FramedCutter : public Cutter {
 public:
  explicit FramedCutter(size_t header_bytes) : header_bytes_(header_bytes) {}

  size_t find_end(std::string_view pending, bool /*whole*/) final {
    if (pending.size() < header_bytes_) return kNotYet;
    if (end_ == 0) end_ = read_header(pending);
    return end_;
  }

  Status check_end(std::string_view pending, uint64_t offset) final {
    if (pending.empty()) return {};
    if (pending.size() < header_bytes_) {
      return fail(bad_input(fmt::format(
          "the object ends inside the frame at byte {}: {} of the {} bytes of its header are there",
          offset, pending.size(), header_bytes_)));
    }
    return fail(bad_input(
        fmt::format("the object ends inside the frame at byte {}: {} of its {} bytes are there",
                    offset, pending.size(), end_)));
  }

  bool is_record(std::string_view framed) final { return !framed.empty(); }
  void taken(size_t /*bytes*/) final { end_ = 0; }

 protected:
  // The frame's length, or kBroken.
  virtual size_t read_header(std::string_view pending) = 0;

  const size_t header_bytes_;
  size_t end_ = 0;  // of the frame that `pending` begins with; 0: not read yet
};

class RecordIoCutter final : public FramedCutter {
 public:
  RecordIoCutter() : FramedCutter(8) {}

  std::string_view unframed(std::string_view framed) const override {
    return framed.substr(header_bytes_, number_at<uint32_t>(framed, 4));
  }

  std::string cause(uint64_t offset) const override {
    if (magic_ == kMagic) {
      return fmt::format(
          "the RecordIO frame at byte {} is a piece of a record (its length has MXNet's "
          "continuation flag {}); records must be whole",
          offset, length_ >> kLengthBits);
    }
    return fmt::format("no RecordIO frame at byte {}: it begins with {:#010x}, not with {:#010x}",
                       offset, magic_, kMagic);
  }

 private:
  static constexpr uint32_t kMagic = 0xCED7230A;
  // MXNet keeps a flag above: a record that holds the magic number is written in pieces there.
  static constexpr int kLengthBits = 29;

  size_t read_header(std::string_view pending) override {
    magic_ = number_at<uint32_t>(pending, 0);
    length_ = number_at<uint32_t>(pending, 4);
    if (magic_ != kMagic || length_ >> kLengthBits != 0) return kBroken;
    return header_bytes_ + (size_t{length_} + 3) / 4 * 4;
  }

  uint32_t magic_ = 0;
  uint32_t length_ = 0;
};

class TfRecordCutter final : public FramedCutter {
 public:
  TfRecordCutter() : FramedCutter(12) {}

  std::string_view unframed(std::string_view framed) const override {
    return framed.substr(header_bytes_, framed.size() - header_bytes_ - kChecksumBytes);
  }

  std::string_view fault(std::string_view framed) const override {
    const uint32_t stored = number_at<uint32_t>(framed, framed.size() - kChecksumBytes);
    if (masked_crc32c(unframed(framed)) == stored) return {};
    return "the bytes of this TFRecord do not match their checksum (CRC-32C)";
  }

  std::string cause(uint64_t offset) const override {
    return fmt::format(
        "no TFRecord frame at byte {}: the length does not match its checksum (CRC-32C)", offset);
  }

 private:
  static constexpr size_t kChecksumBytes = 4;

  size_t read_header(std::string_view pending) override {
    if (masked_crc32c(pending.substr(0, 8)) != number_at<uint32_t>(pending, 8)) return kBroken;
    const uint64_t length = std::min(number_at<uint64_t>(pending, 0), kSizeMax);
    return header_bytes_ + static_cast<size_t>(length) + kChecksumBytes;
  }
};

}  // namespace

std::unique_ptr<Cutter> make_record_io_cutter() {
  return std::make_unique<RecordIoCutter>();
}

std::unique_ptr<Cutter> make_tf_record_cutter() {
  return std::make_unique<TfRecordCutter>();
}

}  // namespace millrace::record
