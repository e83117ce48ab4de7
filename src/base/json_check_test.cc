// The strict JSON validator: its positions and causes, and its agreement with nlohmann::json.
#include "base/json_check.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <random>

namespace millrace {
namespace {

std::string fault(std::string_view text, size_t depth_max = 10) {
  const auto found = find_json_fault(text, depth_max);
  return found ? std::to_string(found->position) + " " + found->cause : "";
}

TEST(JsonCheck, TakesEveryKindOfDocument) {
  for (const char* text :
       {"0", " -1.5e+3 ", "\"\"", "true", "[]", "{}", "[1,\"a\",null,{\"b\":[]}]", "\"\\ud800\"",
        "\"\xf4\x8f\xbf\xbf\"", "{\"a\":1,\"a\":2}"}) {
    EXPECT_EQ(fault(text), "") << text;
  }
}

TEST(JsonCheck, NamesPlaceAndCause) {
  EXPECT_EQ(fault(""), "0 there is no JSON document, only white space");
  EXPECT_EQ(fault("[1, 2"), "5 the text ends before the JSON document does");
  EXPECT_EQ(fault("{\"a"), "3 the text ends inside a string");
  EXPECT_EQ(fault("{\"a\":01}"), "6 expected ',' or '}' after the value");
  EXPECT_EQ(fault("[-]"), "1 this is not a JSON number");
  EXPECT_EQ(fault("[1 2]"), "3 expected ',' or ']' after the value");
  EXPECT_EQ(fault("{'a':1}"), "1 expected a key in double quotes");
  EXPECT_EQ(fault("{\"a\":1,}"), "7 expected a key in double quotes");
  EXPECT_EQ(fault("[True]"), "1 expected a JSON value");
  EXPECT_EQ(fault("{\"a\"=1}"), "4 expected ':' after the key");
  EXPECT_EQ(fault("\"a\tb\""), "2 control character 0x09 in a string, not escaped");
  EXPECT_EQ(fault("\"\\q\""), "1 unknown escape in a string");
  EXPECT_EQ(fault("\"ab\xc3(\""), "3 invalid UTF-8 (byte 0xC3)");
  EXPECT_EQ(fault("{} x"), "3 there is more after the end of the JSON document");
  EXPECT_EQ(fault("[[[1]]]", 2), "2 nested more than 2 deep");
  EXPECT_EQ(json_fault_error({3, "why"}).message, "invalid JSON at byte 3: why");
}

TEST(JsonCheck, AgreesWithNlohmannOnMutatedDocuments) {
  const std::string seed = R"({"a":[1,-2.5e3,"x\u00e9\n",{"b":null}],"c":{"d":true,"é":""}})";
  std::mt19937 random(1);
  int valid = 0;
  for (int round = 0; round < 50000; ++round) {
    std::string text = seed;
    for (size_t changes = random() % 4; changes > 0; --changes) {
      const size_t at = random() % text.size();
      if (random() % 3 == 0) {
        text.erase(at, 1 + random() % 3);
        if (text.empty()) text = " ";
      } else {
        text[at] = seed[random() % seed.size()];
      }
    }
    ASSERT_EQ(!find_json_fault(text, 100), nlohmann::json::accept(text)) << text;
    valid += nlohmann::json::accept(text) ? 1 : 0;
  }
  EXPECT_GT(valid, 10000);
}

TEST(JsonCheck, DecodesEscapes) {
  const auto decoded = [](std::string_view inside) {
    EXPECT_TRUE(json_escapes_valid(inside)) << inside;
    std::string out;
    append_json_unescaped(inside, &out);
    return out;
  };
  EXPECT_EQ(decoded(R"(a\"\\\/\b\f\n\r\tz)"), "a\"\\/\b\f\n\r\tz");
  EXPECT_EQ(decoded(R"(\u0041\u00e9\u20AC\ud83d\ude00)"), "Aé€😀");
  EXPECT_EQ(decoded(R"(\ud800x\udc00\ud800\u0041)"),
            "\uFFFDx\uFFFD\uFFFD"
            "A");
  EXPECT_FALSE(json_escapes_valid("\\"));
  EXPECT_FALSE(json_escapes_valid("\\u12"));
  EXPECT_FALSE(json_escapes_valid("\\n\\x41"));
}

}  // namespace
}  // namespace millrace
