// zlib does the work; what it leaves to its caller is here: members that follow each other, and
// what stands where none should.
#include <fmt/format.h>
#include <zlib.h>

#include <algorithm>
#include <limits>

#include "base/check.h"
#include "record/decoder.h"

namespace millrace::record {

namespace {

// zlib: the window of any gzip stream (15 bits), and a gzip header (+ 16) and nothing else.
constexpr int kGzipWindowBits = 15 + 16;
constexpr std::string_view kMagic = "\x1F\x8B";

class GzipDecoder final : public Decoder {
 public:
  GzipDecoder() { MR_CHECK(inflateInit2(&stream_, kGzipWindowBits) == Z_OK); }
  ~GzipDecoder() override { inflateEnd(&stream_); }
  GzipDecoder(const GzipDecoder&) = delete;
  GzipDecoder& operator=(const GzipDecoder&) = delete;

  Result<size_t> decode(std::string_view* in, bool whole, std::span<char> out) override {
    size_t written = 0;
    while (written == 0) {
      if (!in_member_) {
        MR_ASSIGN(const bool begins, next_member(*in, whole));
        if (!begins) return size_t{0};
      }
      MR_ASSIGN(written, inflate_some(in, out));
      if (written == 0 && in_member_ && in->empty()) {
        if (whole) return fail(truncated());
        return size_t{0};
      }
    }
    return written;
  }

 private:
  // False: the stream has ended, or may go on with bytes that are not there yet.
  Result<bool> next_member(std::string_view in, bool whole) {
    if (in.empty()) {
      if (whole && members_ == 0) return fail(bad_input("not gzip data: it is empty"));
      return false;
    }
    if (in.front() != kMagic.front() || (in.size() > 1 && in[1] != kMagic[1])) {
      if (members_ == 0) {
        return fail(bad_input("not gzip data: it does not begin with the bytes 1F 8B"));
      }
      return fail(bad_input(
          fmt::format("bytes that are no gzip data follow the gzip data, at byte {}", taken_)));
    }
    if (members_ > 0) MR_CHECK(inflateReset(&stream_) == Z_OK);
    ++members_;
    in_member_ = true;
    return true;
  }

  Result<size_t> inflate_some(std::string_view* in, std::span<char> out) {
    constexpr size_t kMax = std::numeric_limits<uInt>::max();
    const auto given = static_cast<uInt>(std::min(in->size(), kMax));
    const auto room = static_cast<uInt>(std::min(out.size(), kMax));
    // zlib does not write through next_in, but its type has no const.
    stream_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(in->data()));
    stream_.avail_in = given;
    stream_.next_out = reinterpret_cast<Bytef*>(out.data());
    stream_.avail_out = room;
    const int code = inflate(&stream_, Z_NO_FLUSH);
    const size_t used = given - stream_.avail_in;
    in->remove_prefix(used);
    taken_ += used;
    if (code == Z_STREAM_END) {
      in_member_ = false;
    } else if (code != Z_OK && code != Z_BUF_ERROR) {
      const char* why = stream_.msg != nullptr ? stream_.msg : zError(code);
      return fail(bad_input(fmt::format("damaged gzip data near byte {}: {}", taken_, why)));
    }
    return room - stream_.avail_out;
  }

  Error truncated() const {
    return bad_input(
        fmt::format("the gzip data ends in the middle, after byte {}: it was cut off", taken_));
  }

  z_stream stream_ = {};
  bool in_member_ = false;
  uint64_t members_ = 0;
  uint64_t taken_ = 0;  // bytes of the compressed object
};

}  // namespace

std::unique_ptr<Decoder> make_gzip_decoder() {
  return std::make_unique<GzipDecoder>();
}

}  // namespace millrace::record
