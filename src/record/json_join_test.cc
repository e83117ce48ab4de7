// JSON joins: SageMaker's shape, digits and escapes untouched, keys sorted; what is not JSON is
// refused as a strict validator refuses it; compared with nlohmann::json on random documents.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <map>
#include <nlohmann/json.hpp>
#include <random>

#include "base/json_check.h"
#include "base/limits.h"
#include "record/join.h"
#include "record/testing.h"

namespace millrace::record {
namespace {

using testing::HasSubstr;

std::string join(std::string_view record, std::string_view result) {
  static JsonJoiner joiner;  // used again and again, as on the data path
  std::string out = "before";
  const auto status = joiner.join(record, result, &out);
  if (!status) {
    EXPECT_EQ(out, "before") << "nothing is appended for " << record;
    EXPECT_EQ(status.error().code, Code::kBadInput) << status.error().message;
    return "error: " + status.error().message;
  }
  EXPECT_EQ(out.substr(0, 6), "before");
  return out.substr(6);
}

TEST(JsonJoiner, AddsTheReplyToAnObject) {
  EXPECT_EQ(join(R"({"key":1})", R"({"label":1})"), R"({"SageMakerOutput":{"label":1},"key":1})");
  EXPECT_EQ(join("{}", "null"), R"({"SageMakerOutput":null})");
  EXPECT_EQ(join(" {\t\"a\" :\r\n[ 1 , 2 ] }\n", " [ \"x\" ] "),
            R"({"SageMakerOutput":["x"],"a":[1,2]})");
}

TEST(JsonJoiner, WrapsWhatIsNoObject) {
  EXPECT_EQ(join("[1,[2]]", "3"), R"({"SageMakerInput":[1,[2]],"SageMakerOutput":3})");
  EXPECT_EQ(join(" \"text\" ", "{}"), R"({"SageMakerInput":"text","SageMakerOutput":{}})");
  EXPECT_EQ(join("-0.50", "true"), R"({"SageMakerInput":-0.50,"SageMakerOutput":true})");
  EXPECT_EQ(join("null", "false"), R"({"SageMakerInput":null,"SageMakerOutput":false})");
}

TEST(JsonJoiner, ReplacesAnOutputThatTheRecordHas) {
  EXPECT_EQ(join(R"({"SageMakerOutput":{"old":[1]},"a":2})", "7"),
            R"({"SageMakerOutput":7,"a":2})");
  EXPECT_EQ(join(R"({"SageMaker\u004futput":1})", "7"), R"({"SageMakerOutput":7})");
}

TEST(JsonJoiner, SortsKeysBytewiseAfterDecodingAtEveryDepth) {
  EXPECT_EQ(join(R"({"b":{"z":1,"Z":{"q":1,"p":2}},"a":[{"d":1,"c":2}],"é":1,"~":2})",
                 R"([{"score":1,"label":2}])"),
            R"({"SageMakerOutput":[{"label":2,"score":1}],"a":[{"c":2,"d":1}],)"
            R"("b":{"Z":{"p":2,"q":1},"z":1},"~":2,"é":1})");
  EXPECT_EQ(join(R"({"\u0062":1,"a":2,"ab":3,"":4})", "0"),
            R"({"":4,"SageMakerOutput":0,"a":2,"ab":3,"\u0062":1})");
  EXPECT_EQ(join(R"({"\ud83d\ude00":1,"\uffff":2})", "0"),
            "{\"SageMakerOutput\":0,\"\\uffff\":2,\"\\ud83d\\ude00\":1}")
      << "U+1F600 sorts after U+FFFF in UTF-8";
}

TEST(JsonJoiner, LetsTheLastOfEqualKeysWin) {
  EXPECT_EQ(join(R"({"a":1,"b":2,"a":3,"\u0061":4})", "0"),
            R"({"SageMakerOutput":0,"\u0061":4,"b":2})");
  EXPECT_EQ(join(R"({"x":{"k":[1],"k":{"k":2}}})", "0"),
            R"({"SageMakerOutput":0,"x":{"k":{"k":2}}})");
}

TEST(JsonJoiner, KeepsEveryDigitAndEscape) {
  for (const char* value :
       {"1e400", "-0", "-0.0", "123456789012345678901234567890", "1.10", "1E+2", "0.1e-999",
        "3.14159265358979323846264338327950288", R"("\u003c\/\"\\\b\f\n\r\t")", R"("\ud83d\ude00")",
        R"("\ud800")", R"("\u0000")", "\"\xf0\x9f\x98\x80\"", R"("<&>")"}) {
    EXPECT_EQ(join("{\"a\":" + std::string(value) + "}", value),
              "{\"SageMakerOutput\":" + std::string(value) + ",\"a\":" + value + "}");
    EXPECT_EQ(join("[" + std::string(value) + " ]", "0"),
              "{\"SageMakerInput\":[" + std::string(value) + "],\"SageMakerOutput\":0}");
  }
}

TEST(JsonJoiner, SaysWhereAndWhyARecordIsNotJson) {
  EXPECT_EQ(join("{\"a\" 1}", "0"),
            "error: join the record: invalid JSON at byte 5: expected ':' after the key");
  EXPECT_EQ(join("{}", "[1,]"),
            "error: join the model's reply: invalid JSON at byte 3: expected a JSON value");
  EXPECT_EQ(join("{\"a\":1} {}", "0"),
            "error: join the record: invalid JSON at byte 8: there is more after the end of the "
            "JSON document");
  EXPECT_EQ(join("{\"a\":\"\xff\"}", "0"),
            "error: join the record: invalid JSON at byte 6: invalid UTF-8 (byte 0xFF)");
  EXPECT_EQ(join("", "0"),
            "error: join the record: invalid JSON at byte 0: there is no JSON "
            "document, only white space");
}

// Each of these fools a reader that skips what it does not need.
TEST(JsonJoiner, RefusesAlmostJson) {
  for (const std::string_view text :
       std::initializer_list<std::string_view>{R"({"a":"b":1})",
                                               R"({"a":"b":1,"c":2})",
                                               R"(["a":1])",
                                               R"({"a":1 2})",
                                               R"([1 2])",
                                               "[1,,2]",
                                               R"({"a":1,})",
                                               R"({,})",
                                               R"({"a":})",
                                               R"({"a"})",
                                               "[01]",
                                               "[1.]",
                                               "[.5]",
                                               "[-]",
                                               "[+1]",
                                               "[1e]",
                                               "[tru]",
                                               "[truee]",
                                               "[nul]",
                                               "[NaN]",
                                               "[Infinity]",
                                               R"(["\x41"])",
                                               R"(["\u12g4"])",
                                               R"({"\x":1})",
                                               R"(["a"b])",
                                               R"(["a" "b"])",
                                               "[1]]",
                                               "[[1]",
                                               "{\"a\":{\"b\":1}",
                                               "[1}",
                                               "{\"a\":1]",
                                               "[\"\t\"]",
                                               "[\"\n\"]",
                                               "{'a':1}",
                                               "{a:1}",
                                               "[1]x",
                                               std::string_view("[1]\0x", 5),
                                               "\"a",
                                               "\"",
                                               "-",
                                               "01",
                                               "nul",
                                               "truex",
                                               "\"a\" 1",
                                               "{\"a\":\x0c 1}",
                                               "/* */1",
                                               "\xEF\xBB\xBF{}",
                                               "[\"\xc0\x80\"]",
                                               "[\"\xed\xa0\x80\"]",
                                               "{\"\xff\":1}",
                                               "]",
                                               "}",
                                               ",",
                                               ":",
                                               "{\"a\":1}}",
                                               "[1]1"}) {
    EXPECT_THAT(join(text, "0"), HasSubstr("error: join the record: invalid JSON")) << text;
    EXPECT_THAT(join("{}", text), HasSubstr("error: join the model's reply: invalid JSON")) << text;
  }
}

TEST(JsonJoiner, RefusesDeepNestingWithoutRecursingIntoIt) {
  const auto nested = [](size_t depth, std::string_view open, std::string_view close) {
    std::string text;
    for (size_t i = 0; i < depth; ++i) text += open;
    text += "1";
    for (size_t i = 0; i < depth; ++i) text += close;
    return text;
  };
  for (const size_t depth : {limits::kJsonDepthMax + 1, size_t{100'000}, size_t{1'000'000}}) {
    EXPECT_THAT(join(nested(depth, "[", "]"), "0"), HasSubstr("nested more than 1024 deep"));
    EXPECT_THAT(join(nested(depth, "{\"a\":", "}"), "0"), HasSubstr("nested more than 1024 deep"));
    EXPECT_THAT(join("0", nested(depth, "[", "]")), HasSubstr("nested more than 1024 deep"));
    EXPECT_THAT(join(std::string(depth, '['), "0"), HasSubstr("nested more than 1024 deep"));
  }
  const std::string deepest = nested(limits::kJsonDepthMax, "[", "]");
  EXPECT_EQ(join(deepest, "0"), "{\"SageMakerInput\":" + deepest + ",\"SageMakerOutput\":0}");
  const std::string objects = nested(limits::kJsonDepthMax, "{\"a\":", "}");
  EXPECT_EQ(join(objects, "0"), "{\"SageMakerOutput\":0," + objects.substr(1));
}

TEST(JsonJoiner, TakesLargeRecordsAndGoesOnWithSmallOnes) {
  std::string large = "{\"b\":\"" + std::string(20'000'000, 'x') + "\",\"a\":1}";
  const std::string joined = join(large, "0");
  EXPECT_EQ(joined.size(), large.size() + std::string_view(R"(,"SageMakerOutput":0)").size());
  EXPECT_TRUE(joined.starts_with(R"({"SageMakerOutput":0,"a":1,"b":"xxx)"));
  EXPECT_EQ(join("{\"a\":1}", "0"), R"({"SageMakerOutput":0,"a":1})");
}

// A random document as text, and as nlohmann's value (whose objects are sorted bytewise).
class RandomJson {
 public:
  explicit RandomJson(std::mt19937& random) : random_(random) {}

  std::string value(int depth) {
    const size_t kind = random_() % (depth > 4 ? 4 : 6);
    if (kind == 4) return array(depth);
    if (kind == 5) return object(depth);
    if (kind == 3) return pick({"true", "false", "null"});
    if (kind == 2) return string();
    return pick({"0", "-0", "12", "-7.25", "1e5", "2E-3", "0.001", "18446744073709551615"});
  }

  std::string object(int depth) {
    std::string text = "{" + space();
    const size_t count = random_() % 5;
    for (size_t i = 0; i < count; ++i) {
      if (i > 0) text += "," + space();
      text += string() + space() + ":" + space() + value(depth + 1) + space();
    }
    return text + "}";
  }

 private:
  std::string array(int depth) {
    std::string text = "[" + space();
    const size_t count = random_() % 5;
    for (size_t i = 0; i < count; ++i) {
      if (i > 0) text += space() + "," + space();
      text += value(depth + 1);
    }
    return text + space() + "]";
  }

  std::string string() {
    std::string text = "\"";
    const size_t count = random_() % 4;
    for (size_t i = 0; i < count; ++i) {
      text += pick({"a", "b", "Z", "\\u0061", "\\n", "\\\"", "\\\\", "é", "\\u00e9", "中", "😀",
                    "\\ud83d\\ude00", "/", "\\/", ":", "{", "]", ","});
    }
    return text + "\"";
  }

  std::string space() { return random_() % 4 == 0 ? pick({" ", "\t", "\r\n", "  "}) : ""; }

  std::string pick(std::vector<const char*> choices) { return choices[random_() % choices.size()]; }

  std::mt19937& random_;
};

// What the joiner writes, the slow and obvious way: of valid JSON.
class SlowCanonical {
 public:
  explicit SlowCanonical(std::string_view text) : text_(text) {}

  std::string value() {
    const char c = next();
    if (c == '{') return object();
    if (c == '[') return array();
    const size_t begin = at_;
    if (c == '"') {
      string();
    } else {
      while (at_ < text_.size() && !std::strchr(",]} \t\r\n", text_[at_])) ++at_;
    }
    return std::string(text_.substr(begin, at_ - begin));
  }

 private:
  char next() {
    while (std::strchr(" \t\r\n", text_[at_])) ++at_;
    return text_[at_];
  }

  std::string_view string() {
    const size_t begin = ++at_;
    while (text_[at_] != '"') at_ += text_[at_] == '\\' ? 2 : 1;
    return text_.substr(begin, at_++ - begin);
  }

  std::string array() {
    std::string out;
    for (++at_; next() != ']'; at_ += next() == ',' ? 1 : 0) {
      if (!out.empty()) out += ',';
      out += value();
    }
    ++at_;
    return "[" + out + "]";
  }

  std::string object() {
    std::map<std::string, std::string> members;  // by decoded key; the last one stays
    for (++at_; next() != '}'; at_ += next() == ',' ? 1 : 0) {
      const std::string_view key = string();
      std::string decoded;
      append_json_unescaped(key, &decoded);
      next();
      ++at_;  // the colon
      members[decoded] = "\"" + std::string(key) + "\":" + value();
    }
    ++at_;
    std::string out;
    for (const auto& [key, member] : members) out += (out.empty() ? "" : ",") + member;
    return "{" + out + "}";
  }

  std::string_view text_;
  size_t at_ = 0;
};

TEST(JsonJoiner, WritesTheBytesOfASlowTwin) {
  std::mt19937 random(19);
  RandomJson make(random);
  JsonJoiner joiner;
  std::string out = "kept ";
  for (int round = 0; round < 20000; ++round) {
    const std::string document = round % 2 == 0 ? make.object(0) : make.value(0);
    const size_t before = out.size();
    ASSERT_TRUE(joiner.canonicalize(document, &out)) << document;
    ASSERT_EQ(out.substr(before), SlowCanonical(document).value()) << document;
  }
  EXPECT_TRUE(out.starts_with("kept "));
}

// Keys that share their first eight bytes, end within them or hold zeros.
TEST(JsonJoiner, SortsKeysThatBeginAlike) {
  std::mt19937 random(23);
  const std::vector<std::string> names = {
      "",         "a", "ab",      "abcdefg",      "abcdefgh", "abcdefghi", "abcdefghij", "\\u0000",
      "a\\u0000", "é", "\\u00e9", "zzzzzzzzzzzz", "abcdefgi", "ABCDEFGH",  "abcdefgh\\n"};
  JsonJoiner joiner;
  for (int round = 0; round < 2000; ++round) {
    std::string document = "{";
    for (int i = 0; i < 6; ++i) {
      const std::string& name = names[random() % names.size()];
      document += (i > 0 ? ",\"" : "\"") + name + "\":" + std::to_string(i);
    }
    document += "}";
    std::string out;
    ASSERT_TRUE(joiner.canonicalize(document, &out)) << document;
    ASSERT_EQ(out, SlowCanonical(document).value()) << document;
  }
}

TEST(JsonJoiner, MeansWhatNlohmannMeans) {
  std::mt19937 random(13);
  RandomJson make(random);
  for (int round = 0; round < 5000; ++round) {
    const std::string record = random() % 4 == 0 ? make.value(0) : make.object(0);
    const std::string result = make.value(0);
    const std::string joined = join(record, result);
    auto expected = nlohmann::json::parse(record);
    if (!expected.is_object()) expected = {{"SageMakerInput", expected}};
    expected["SageMakerOutput"] = nlohmann::json::parse(result);
    const auto reparsed = nlohmann::ordered_json::parse(joined);
    ASSERT_EQ(nlohmann::json::parse(joined), expected) << record << "\n" << joined;
    // ordered_json keeps the order of the text: equal dumps mean sorted keys at every depth.
    ASSERT_EQ(reparsed.dump(), expected.dump()) << record;
    ASSERT_EQ(join(joined, result), joined) << "joining again changes nothing";
  }
}

TEST(JsonJoiner, AcceptsExactlyWhatTheStrictValidatorDoes) {
  std::mt19937 random(17);
  RandomJson make(random);
  int refused = 0;
  constexpr std::string_view kStrange = "{}[],:\"\\0-e1nt \t\n\x80\xc3\x01";
  for (int round = 0; round < 20000; ++round) {
    std::string text = make.object(0);
    for (size_t flips = random() % 3; flips > 0; --flips) {
      const size_t at = random() % text.size();
      if (random() % 2 == 0) {
        text.erase(at, 1);
        if (text.empty()) text = " ";
      } else {
        text[at] = kStrange[random() % kStrange.size()];
      }
    }
    const bool valid = !find_json_fault(text, limits::kJsonDepthMax);
    ASSERT_EQ(!join(text, "0").starts_with("error"), valid) << text;
    ASSERT_EQ(!join("0", text).starts_with("error"), valid) << text;
    refused += valid ? 0 : 1;
  }
  EXPECT_GT(refused, 5000);
}

}  // namespace
}  // namespace millrace::record
