// gzip by zlib, zstd by libzstd. Neither promises that its output is the same however its input was
// cut, so both get whole blocks only. A gzip header could name a file, a time and a system: here it
// says nothing.
#include "record/compressor.h"

#include <zlib.h>
#include <zstd.h>

#include <array>
#include <cstdint>

#include "base/limits.h"

namespace millrace::record {
namespace {

constexpr size_t kOutputBlockBytes = 64 * 1024;
// zlib's own default, and zstd's: the knee of both curves.
constexpr int kGzipLevel = 6;
constexpr int kZstdLevel = 3;

// Gathers blocks; what is done with one is the library's.
class BlockCompressor : public Compressor {
 public:
  Status add(std::string_view bytes, std::string* out) final {
    while (!bytes.empty()) {
      const size_t room = limits::kCompressBlockBytes - block_.size();
      const std::string_view piece = bytes.substr(0, room);
      block_.append(piece);
      bytes.remove_prefix(piece.size());
      if (block_.size() == limits::kCompressBlockBytes) MR_TRY(give_block(false, out));
    }
    return {};
  }

  Status finish(std::string* out) final { return give_block(true, out); }

 protected:
  virtual Status compress(std::string_view block, bool last, std::string* out) = 0;

  std::array<char, kOutputBlockBytes> ready_;

 private:
  Status give_block(bool last, std::string* out) {
    Status status = compress(block_, last, out);
    block_.clear();
    return status;
  }

  std::string block_;
};

class GzipCompressor final : public BlockCompressor {
 public:
  GzipCompressor() {
    constexpr int kGzipWindowBits = 15 + 16;
    constexpr int kMemoryLevel = 8;
    started_ = deflateInit2(&stream_, kGzipLevel, Z_DEFLATED, kGzipWindowBits, kMemoryLevel,
                            Z_DEFAULT_STRATEGY) == Z_OK;
    header_.os = 255;  // unknown
    started_ = started_ && deflateSetHeader(&stream_, &header_) == Z_OK;
  }
  ~GzipCompressor() override { deflateEnd(&stream_); }

  bool started() const { return started_; }

 protected:
  Status compress(std::string_view block, bool last, std::string* out) override {
    // zlib reads through a pointer that is not const; it does not write.
    stream_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(block.data()));
    stream_.avail_in = static_cast<uInt>(block.size());
    for (;;) {
      stream_.next_out = reinterpret_cast<Bytef*>(ready_.data());
      stream_.avail_out = static_cast<uInt>(ready_.size());
      const int code = deflate(&stream_, last ? Z_FINISH : Z_NO_FLUSH);
      if (code == Z_STREAM_ERROR) return fail(internal_error("compress the output: zlib refused"));
      out->append(ready_.data(), ready_.size() - stream_.avail_out);
      if (last ? code == Z_STREAM_END : stream_.avail_out > 0) return {};
    }
  }

 private:
  z_stream stream_ = {};
  gz_header header_ = {};
  bool started_ = false;
};

class ZstdCompressor final : public BlockCompressor {
 public:
  ZstdCompressor() : stream_(ZSTD_createCStream()) {
    started_ =
        stream_ != nullptr &&
        ZSTD_isError(ZSTD_CCtx_setParameter(stream_, ZSTD_c_compressionLevel, kZstdLevel)) == 0 &&
        ZSTD_isError(ZSTD_CCtx_setParameter(stream_, ZSTD_c_checksumFlag, 1)) == 0;
  }
  ~ZstdCompressor() override { ZSTD_freeCStream(stream_); }

  bool started() const { return started_; }

 protected:
  Status compress(std::string_view block, bool last, std::string* out) override {
    ZSTD_inBuffer in = {block.data(), block.size(), 0};
    for (;;) {
      ZSTD_outBuffer ready = {ready_.data(), ready_.size(), 0};
      const size_t left =
          ZSTD_compressStream2(stream_, &ready, &in, last ? ZSTD_e_end : ZSTD_e_continue);
      if (ZSTD_isError(left) != 0) {
        return fail(
            internal_error(std::string("compress the output: zstd: ") + ZSTD_getErrorName(left)));
      }
      out->append(ready_.data(), ready.pos);
      if (last ? left == 0 : in.pos == in.size) return {};
    }
  }

 private:
  ZSTD_CStream* stream_;
  bool started_ = false;
};

template <class Kind>
Result<std::unique_ptr<Compressor>> start() {
  auto compressor = std::make_unique<Kind>();
  if (!compressor->started()) return fail(internal_error("compress the output: no memory"));
  return compressor;
}

}  // namespace

std::optional<Compression> parse_compression(std::string_view text) {
  if (text == "none") return Compression::kNone;
  if (text == "gzip") return Compression::kGzip;
  if (text == "zstd") return Compression::kZstd;
  return std::nullopt;
}

std::string_view compression_suffix(Compression compression) {
  if (compression == Compression::kGzip) return ".gz";
  return compression == Compression::kZstd ? ".zst" : "";
}

std::string_view compression_media_type(Compression compression) {
  if (compression == Compression::kGzip) return "application/gzip";
  return compression == Compression::kZstd ? "application/zstd" : "";
}

Result<std::unique_ptr<Compressor>> make_compressor(Compression compression) {
  return compression == Compression::kGzip ? start<GzipCompressor>() : start<ZstdCompressor>();
}

}  // namespace millrace::record
