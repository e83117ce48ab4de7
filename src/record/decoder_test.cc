// Decoders: gzip and encodings, in pieces of every size, whole and damaged.
#include "record/decoder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <zlib.h>

#include <algorithm>
#include <random>

namespace millrace::record {
namespace {

using testing::HasSubstr;

struct Decoded {
  std::string bytes;
  std::string error;
};

Decoded decode_all(Decoder& decoder, std::string_view object, size_t in_block = 4096,
                   size_t out_block = 64) {
  Decoded decoded;
  std::string out(out_block, '\0');
  for (bool whole = false; !whole;) {
    const std::string piece(object.substr(0, in_block));
    object.remove_prefix(piece.size());
    whole = piece.empty();
    std::string_view in = piece;
    for (;;) {
      const auto written = decoder.decode(&in, whole, out);
      if (!written) {
        decoded.error = written.error().message;
        EXPECT_EQ(written.error().code, Code::kBadInput);
        return decoded;
      }
      if (*written == 0) break;
      decoded.bytes.append(out, 0, *written);
    }
    EXPECT_TRUE(in.empty());
  }
  return decoded;
}

// --- gzip ---

std::string gzip(std::string_view bytes) {
  z_stream stream = {};
  EXPECT_EQ(deflateInit2(&stream, 6, Z_DEFLATED, 31, 8, Z_DEFAULT_STRATEGY), Z_OK);
  std::string out(deflateBound(&stream, bytes.size()) + 64, '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
  stream.avail_in = static_cast<uInt>(bytes.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  EXPECT_EQ(deflate(&stream, Z_FINISH), Z_STREAM_END);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

Decoded gunzip(std::string_view object, size_t in_block = 4096) {
  return decode_all(*make_gzip_decoder(), object, in_block);
}

std::string lines(size_t count) {
  std::string text;
  for (size_t i = 0; i < count; ++i) text += "line " + std::to_string(i * i) + "\n";
  return text;
}

TEST(GzipDecoder, ReadsOneMemberAndSeveralInPiecesOfEverySize) {
  const std::string text = lines(300);
  const std::string members = gzip(text) + gzip("") + gzip("end") + gzip("");
  for (size_t block : {1U, 2U, 7U, 4096U}) {
    EXPECT_EQ(gunzip(gzip(text), block).bytes, text);
    const Decoded decoded = gunzip(members, block);
    EXPECT_EQ(decoded.bytes, text + "end");
    EXPECT_EQ(decoded.error, "");
  }
}

TEST(GzipDecoder, TellsWhatIsNoGzipData) {
  EXPECT_THAT(gunzip("id,text\n").error, HasSubstr("not gzip data"));
  EXPECT_THAT(gunzip("").error, HasSubstr("not gzip data: it is empty"));
  EXPECT_THAT(gunzip("\x1Fx").error, HasSubstr("not gzip data"));
}

TEST(GzipDecoder, TellsBytesBehindTheLastMember) {
  const std::string member = gzip("text");
  const Decoded decoded = gunzip(member + "garbage", 3);
  EXPECT_EQ(decoded.bytes, "text");
  EXPECT_EQ(decoded.error, "bytes that are no gzip data follow the gzip data, at byte " +
                               std::to_string(member.size()));
}

TEST(GzipDecoder, TellsAStreamThatIsCutOffWhereverItIs) {
  const std::string whole = gzip(lines(50)) + gzip("second");
  const size_t first = gzip(lines(50)).size();
  for (size_t size = 1; size < whole.size(); ++size) {
    const Decoded decoded = gunzip(whole.substr(0, size));
    if (size == first) {
      EXPECT_EQ(decoded.error, "");
    } else {
      EXPECT_THAT(decoded.error, HasSubstr("it was cut off")) << size;
    }
  }
}

TEST(GzipDecoder, TellsDamage) {
  std::string damaged = gzip(lines(50));
  damaged[damaged.size() - 6] ^= 1;  // the checksum
  EXPECT_THAT(gunzip(damaged).error, HasSubstr("incorrect data check"));
}

// --- encodings ---

std::string text_of(TextEncoding encoding, std::string_view object, size_t in_block = 4096) {
  const Decoded decoded = decode_all(*make_text_decoder(encoding), object, in_block, 16);
  EXPECT_EQ(decoded.error, "");
  return decoded.bytes;
}

TEST(TextDecoder, ReadsCodePage1252) {
  EXPECT_EQ(text_of(TextEncoding::kCp1252, "caf\xE9 \x80 \x93ok\x94"),
            "caf\u00E9 \u20AC \u201Cok\u201D");
  EXPECT_EQ(text_of(TextEncoding::kCp1252, "a\x81z"), "a\xFFz");  // stands for nothing
}

TEST(TextDecoder, ComposesTheMarksOfCodePage1258WhateverThePieces) {
  // "Tieng Viet rat de thuong" with its marks, as Windows writes it.
  const std::string object = "Ti\xEA\xECng Vi\xEA\xF2t r\xE2\xECt d\xEA\xDE th\xFD\xF5ng \xF0\xFE";
  const std::string text = "Ti\u1EBFng Vi\u1EC7t r\u1EA5t d\u1EC5 th\u01B0\u01A1ng \u0111\u20AB";
  for (size_t block : {1U, 2U, 3U, 4096U}) {
    EXPECT_EQ(text_of(TextEncoding::kCp1258, object, block), text);
  }
  EXPECT_EQ(text_of(TextEncoding::kCp1258, "a\xCC"), "\u00E0");
  EXPECT_EQ(text_of(TextEncoding::kCp1258, "x\xCC"), "x\u0300");  // no letter of its own
  EXPECT_EQ(text_of(TextEncoding::kCp1258, "\xCC"), "\u0300");
}

std::string utf16(std::u16string_view text, bool little) {
  std::string bytes;
  for (const char16_t unit : text) {
    const auto low = static_cast<char>(unit), high = static_cast<char>(unit >> 8);
    bytes += little ? std::string{low, high} : std::string{high, low};
  }
  return bytes;
}

TEST(TextDecoder, ReadsUtf16ByItsByteOrderMark) {
  const std::u16string text = u"\uFEFFab\u1EC7\U0001F600\n\uFEFF";
  for (const bool little : {true, false}) {
    for (size_t block : {1U, 2U, 3U, 4096U}) {
      EXPECT_EQ(text_of(TextEncoding::kUtf16, utf16(text, little), block),
                "ab\u1EC7\U0001F600\n\uFEFF");
    }
  }
  EXPECT_EQ(text_of(TextEncoding::kUtf16, ""), "");
}

TEST(TextDecoder, ReadsUtf16InAStatedOrderWithAndWithoutMark) {
  for (size_t block : {1U, 4096U}) {
    EXPECT_EQ(text_of(TextEncoding::kUtf16Le, utf16(u"ab", true), block), "ab");
    EXPECT_EQ(text_of(TextEncoding::kUtf16Le, utf16(u"\uFEFFab", true), block), "ab");
    EXPECT_EQ(text_of(TextEncoding::kUtf16Be, utf16(u"a", false), block), "a");
  }
}

TEST(TextDecoder, RefusesUtf16ThatDoesNotSayItsOrder) {
  EXPECT_THAT(decode_all(*make_text_decoder(TextEncoding::kUtf16), "a\0b\0").error,
              HasSubstr("byte order mark"));
}

TEST(TextDecoder, MarksWhatMeansNothingInUtf16) {
  const std::u16string text = {u'a', 0xD83D, u'b', 0xDE00, u'c', 0xD83D};
  for (size_t block : {1U, 2U, 5U, 4096U}) {
    EXPECT_EQ(text_of(TextEncoding::kUtf16Le, utf16(text, true), block),
              "a\xFF"
              "b\xFF"
              "c\xFF");
    EXPECT_EQ(text_of(TextEncoding::kUtf16Le, utf16(u"ab", true) + "x", block), "ab\xFF");
  }
}

// Every text in every piece size as in one piece; the tables themselves are checked above.
TEST(TextDecoder, GivesTheSameWhateverThePieces) {
  std::mt19937 random(3);
  for (int round = 0; round < 2000; ++round) {
    std::string object(random() % 60, '\0');
    for (char& c : object)
      c = static_cast<char>(random() % 3 == 0 ? random() : 'a' + random() % 26);
    for (const auto encoding : {TextEncoding::kCp1252, TextEncoding::kCp1258,
                                TextEncoding::kUtf16Le, TextEncoding::kUtf16Be}) {
      const std::string whole = text_of(encoding, object);
      ASSERT_EQ(text_of(encoding, object, 1 + random() % 9), whole);
    }
  }
}

TEST(TextDecoder, ReplacesWhatMeansNothingForOutputs) {
  EXPECT_EQ(with_replacements("a\xFF\xC3\xA9"), "a\uFFFD\u00E9");
}

}  // namespace
}  // namespace millrace::record
