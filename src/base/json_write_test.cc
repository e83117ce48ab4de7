// JSON strings as RFC 8259 has them, whatever the bytes; base64 as RFC 4648's examples.
#include "base/json_write.h"

#include <gtest/gtest.h>

#include "base/digest.h"

namespace millrace {
namespace {

std::string json_string(std::string_view text) {
  std::string out;
  append_json_string(text, &out);
  return out;
}

TEST(JsonString, EscapesWhatMustBeAndNothingElse) {
  EXPECT_EQ(json_string("a\"b\\c/\n\r\t\x01\x1f\x7f"),
            "\"a\\\"b\\\\c/\\n\\r\\t\\u0001\\u001f\x7f\"");
  EXPECT_EQ(json_string("Tiếng Việt 👍"), "\"Tiếng Việt 👍\"");
  EXPECT_EQ(json_string(std::string_view("\0", 1)), "\"\\u0000\"");
  EXPECT_EQ(json_string(""), "\"\"");
}

TEST(JsonString, ReplacesBytesThatAreNoUtf8) {
  EXPECT_EQ(json_string("caf\xe9!"), "\"caf\xEF\xBF\xBD!\"");
  EXPECT_EQ(json_string("\xf0\x9f\x91"), "\"\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\"");
}

TEST(Base64, GivesTheExamplesOfRfc4648) {
  EXPECT_EQ(base64(""), "");
  EXPECT_EQ(base64("f"), "Zg==");
  EXPECT_EQ(base64("fo"), "Zm8=");
  EXPECT_EQ(base64("foo"), "Zm9v");
  EXPECT_EQ(base64("foobar"), "Zm9vYmFy");
  EXPECT_EQ(base64("\xff\xfe\xfd"), "//79");
}

}  // namespace
}  // namespace millrace
