// Decoders: whatever the bytes and the pieces in which they come, the same result, and text
// decoders write UTF-8 with 0xFF where the input means nothing. The first two bytes choose decoder
// and pieces.
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/check.h"
#include "record/decoder.h"

namespace {

namespace record = millrace::record;
using record::TextEncoding;

std::unique_ptr<record::Decoder> make(uint8_t choice) {
  constexpr TextEncoding kEncodings[] = {TextEncoding::kUtf16, TextEncoding::kUtf16Le,
                                         TextEncoding::kUtf16Be, TextEncoding::kCp1252,
                                         TextEncoding::kCp1258};
  const size_t kind = choice % 6;
  return kind == 5 ? record::make_gzip_decoder() : record::make_text_decoder(kEncodings[kind]);
}

struct Decoded {
  std::string bytes;
  bool failed = false;
};

// A bomb ends here: the fuzzer's memory is not what is tested.
constexpr size_t kOutputBytesMax = 1 << 20;

Decoded decode(uint8_t choice, std::string_view object, size_t in_block, size_t out_block) {
  const auto decoder = make(choice);
  Decoded decoded;
  std::string out(out_block, '\0');
  for (bool whole = false; !whole;) {
    const std::string piece(object.substr(0, in_block));
    object.remove_prefix(piece.size());
    whole = piece.empty();
    std::string_view in = piece;
    for (;;) {
      const auto written = decoder->decode(&in, whole, out);
      decoded.failed = !written;
      if (!written || decoded.bytes.size() > kOutputBytesMax) return decoded;
      if (*written == 0) break;
      MR_CHECK(*written <= out.size());
      decoded.bytes.append(out, 0, *written);
    }
    MR_CHECK(in.empty());
  }
  return decoded;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 2) return 0;
  const std::string_view object(reinterpret_cast<const char*>(data) + 2, size - 2);
  const Decoded whole = decode(data[0], object, object.size() + 1, 4096);
  const Decoded pieces =
      decode(data[0], object, 1 + data[1] % 16, record::kDecodeBytesMin + data[1] / 16);
  if (whole.bytes.size() > kOutputBytesMax) return 0;
  MR_CHECK(whole.failed == pieces.failed);
  // What a damaged stream gives before the damage is found may differ.
  if (!whole.failed) MR_CHECK(whole.bytes == pieces.bytes);
  return 0;
}
