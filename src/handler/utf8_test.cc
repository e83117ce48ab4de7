#include "handler/utf8.h"

#include <gtest/gtest.h>

#include <string>

namespace millrace::handler {
namespace {

std::string repaired(std::string_view text) {
  std::string out;
  replace_invalid_utf8(text, &out);
  return out;
}

// R stands for U+FFFD.
std::string with_marks(const std::string& pattern) {
  std::string out;
  for (const char c : pattern) c == 'R' ? out.append("\xEF\xBF\xBD") : out.append(1, c);
  return out;
}

TEST(Utf8, ReplacesMaximalPartsAsPythonDoes) {
  // Each pair is bytes.decode("utf-8", "replace") of Python 3.
  EXPECT_EQ(repaired("a\xFFz"), with_marks("aRz"));
  EXPECT_EQ(repaired("\xC3"), with_marks("R"));
  EXPECT_EQ(repaired("\xE2\x82z"), with_marks("Rz"));
  EXPECT_EQ(repaired("\xF0\x9F\x98"), with_marks("R"));
  EXPECT_EQ(repaired("\xF0\x80\x80\x41"), with_marks("RRRA"));
  EXPECT_EQ(repaired("\xED\xA0\x80"), with_marks("RRR"));
  EXPECT_EQ(repaired("\xC0\xAF"), with_marks("RR"));
  EXPECT_EQ(repaired("\xE0\x80\xAF"), with_marks("RRR"));
  EXPECT_EQ(repaired("\xF4\x90\x80\x80"), with_marks("RRRR"));
  EXPECT_EQ(repaired("\xF5\x80"), with_marks("RR"));
  EXPECT_EQ(repaired("\x80\x80"), with_marks("RR"));
  EXPECT_EQ(repaired("\xE2\xE2\x82\xAC"), with_marks("R") + "\xE2\x82\xAC");
  EXPECT_EQ(repaired("all ascii, and more than eight"), "all ascii, and more than eight");
}

TEST(Utf8, EveryCodePointIsValidAndComesBack) {
  std::string text;
  for (char32_t c = 0; c <= 0x10FFFF; ++c) {
    if (c >= 0xD800 && c <= 0xDFFF) continue;
    append_utf8(c, &text);
  }
  EXPECT_EQ(valid_utf8_prefix(text), text.size());
  EXPECT_EQ(repaired(text), text);
  size_t at = 0;
  for (char32_t c = 0; c <= 0x10FFFF; ++c) {
    if (c >= 0xD800 && c <= 0xDFFF) continue;
    ASSERT_EQ(next_code_point(text, &at), c);
  }
  EXPECT_EQ(at, text.size());
}

TEST(Utf8, FindsTheFirstInvalidByteBeyondAnyPrefix) {
  for (size_t length = 0; length < 40; ++length) {
    EXPECT_EQ(valid_utf8_prefix(std::string(length, 'x') + "\xFFyy"), length);
    EXPECT_EQ(valid_utf8_prefix(std::string(length, 'x') + "\xC3\xA9"), length + 2);
  }
}

TEST(Utf8, BlankMeansNothingButWhitespace) {
  EXPECT_TRUE(is_blank(""));
  EXPECT_TRUE(is_blank(" \t\r\n\u00A0\u3000\u2028"));
  EXPECT_FALSE(is_blank(" a "));
  EXPECT_FALSE(is_blank("\u200B"));  // zero width, but no whitespace
}

}  // namespace
}  // namespace millrace::handler
