// Compressed streams read back whole, and are the same bytes however the input was cut.
#include "record/compressor.h"

#include <gtest/gtest.h>
#include <zlib.h>
#include <zstd.h>

#include <random>

#include "base/limits.h"

namespace millrace::record {
namespace {

std::string compress(Compression compression, std::string_view text, size_t piece) {
  auto compressor = make_compressor(compression);
  EXPECT_TRUE(compressor);
  std::string out;
  for (size_t at = 0; at < text.size(); at += piece) {
    EXPECT_TRUE((*compressor)->add(text.substr(at, piece), &out));
  }
  EXPECT_TRUE((*compressor)->finish(&out));
  return out;
}

std::string gunzip(const std::string& bytes, size_t size) {
  z_stream stream = {};
  EXPECT_EQ(inflateInit2(&stream, 15 + 16), Z_OK);
  std::string text(size + 1, '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
  stream.avail_in = static_cast<uInt>(bytes.size());
  stream.next_out = reinterpret_cast<Bytef*>(text.data());
  stream.avail_out = static_cast<uInt>(text.size());
  EXPECT_EQ(inflate(&stream, Z_FINISH), Z_STREAM_END);
  EXPECT_EQ(stream.avail_in, 0U) << "one member and nothing after it";
  text.resize(stream.total_out);
  inflateEnd(&stream);
  return text;
}

std::string unzstd(const std::string& bytes, size_t size) {
  std::string text(size + 1, '\0');
  const size_t got = ZSTD_decompress(text.data(), text.size(), bytes.data(), bytes.size());
  EXPECT_EQ(ZSTD_isError(got), 0U);
  text.resize(got);
  return text;
}

// Words in random order: compressible, and longer than some blocks.
std::string some_text(size_t size) {
  std::minstd_rand random(3);
  std::string text;
  while (text.size() < size) text += std::to_string(random() % 5000) + (random() % 9 ? " " : "\n");
  text.resize(size);
  return text;
}

TEST(Compressor, StreamsReadBackWholeAtEveryBlockEdge) {
  constexpr size_t kBlock = limits::kCompressBlockBytes;
  for (const size_t size : {size_t{0}, size_t{1}, kBlock - 1, kBlock, kBlock + 1, 3 * kBlock + 7}) {
    const std::string text = some_text(size);
    EXPECT_EQ(gunzip(compress(Compression::kGzip, text, 1000), size), text) << size;
    EXPECT_EQ(unzstd(compress(Compression::kZstd, text, 1000), size), text) << size;
  }
}

TEST(Compressor, BytesDoNotDependOnThePiecesThatCame) {
  const std::string text = some_text(2 * limits::kCompressBlockBytes + 12345);
  for (const Compression compression : {Compression::kGzip, Compression::kZstd}) {
    const std::string whole = compress(compression, text, text.size());
    EXPECT_LT(whole.size(), text.size() / 2);
    for (const size_t piece : {size_t{1}, size_t{777}, limits::kCompressBlockBytes}) {
      EXPECT_EQ(compress(compression, text, piece), whole) << piece;
    }
  }
}

TEST(Compressor, AGzipHeaderTellsNeitherTimeNorNameNorSystem) {
  const std::string bytes = compress(Compression::kGzip, "text", 4);
  EXPECT_EQ(bytes.substr(0, 10), std::string("\x1f\x8b\x08\0\0\0\0\0\0\xff", 10));
}

TEST(Compressor, KnowsTheWordsThatUsersWrite) {
  EXPECT_EQ(parse_compression("gzip"), Compression::kGzip);
  EXPECT_EQ(parse_compression("zstd"), Compression::kZstd);
  EXPECT_EQ(parse_compression("none"), Compression::kNone);
  EXPECT_EQ(parse_compression("Gzip"), std::nullopt);
  EXPECT_EQ(compression_suffix(Compression::kGzip), ".gz");
  EXPECT_EQ(compression_suffix(Compression::kZstd), ".zst");
  EXPECT_EQ(compression_suffix(Compression::kNone), "");
}

}  // namespace
}  // namespace millrace::record
