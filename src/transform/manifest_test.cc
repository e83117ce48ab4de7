// Manifests, and what people write instead.
#include "transform/manifest.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace millrace::transform {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

TEST(Manifest, HasAPrefixAndKeys) {
  const auto manifest =
      parse_manifest("\xEF\xBB\xBF[{\"prefix\": \"s3://b/x/\"},\n \"a\", \"s/\\u1ea1.csv\"]\n");
  ASSERT_TRUE(manifest) << manifest.error().message;
  EXPECT_EQ(manifest->prefix, "s3://b/x/");
  EXPECT_THAT(manifest->keys, ElementsAre("a", "s/\xE1\xBA\xA1.csv"));
}

TEST(Manifest, MayListNothing) {
  const auto manifest = parse_manifest(R"([{"prefix":"s3://b/"}])");
  ASSERT_TRUE(manifest);
  EXPECT_THAT(manifest->keys, IsEmpty());
}

TEST(Manifest, SaysWhatIsWrongInTheWordsOfWhoWroteIt) {
  struct Case {
    const char* text;
    const char* message;
  };
  const Case cases[] = {
      {"[{'prefix': 's3://b/'}, 'a']", "single quotes, as Python prints them"},
      {"[{\"prefix\": \"s3://b/\"}, 'a']", "(byte 24)"},
      {"", "invalid JSON at byte 0"},
      {"[{\"prefix\":\"s3://b/\"},\"a\"", "invalid JSON at byte"},
      {"{\"prefix\":\"s3://b/\"}", "it is no list"},
      {"[]", "its first element is not {\"prefix\":\"...\"}"},
      {"[\"a\",\"b\"]", "its first element is not"},
      {"[{\"prefix\":1}]", "its first element is not"},
      {"[{\"prefix\":\"p\",\"x\":1}]", "its first element is not"},
      {"[{\"prefix\":\"p\"},\"a\",{\"source-ref\":\"x\"}]", "element 3 is no string"},
  };
  for (const Case& c : cases) {
    const auto manifest = parse_manifest(c.text);
    ASSERT_FALSE(manifest) << c.text;
    EXPECT_EQ(manifest.error().code, Code::kInvalidArgument);
    EXPECT_THAT(manifest.error().message, HasSubstr(c.message));
    EXPECT_THAT(manifest.error().message, HasSubstr("a manifest is a JSON list"));
  }
}

}  // namespace
}  // namespace millrace::transform
