// The JSON documents that a request may hold, read one by one; and what is wrong with the others.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/limits.h"
#include "handler/record_reader.h"

namespace millrace::handler {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class Reader {
 public:
  explicit Reader(std::string text_column = "", bool replace = false)
      : reader_(std::move(text_column), replace) {}

  // The texts, pairs as "first|second", null as "<null>"; or the error.
  std::vector<std::string> texts(std::string_view document) {
    const Status status = reader_.read(document, &record);
    if (!status) {
      EXPECT_EQ(status.error().code, Code::kBadInput);
      return {"error: " + status.error().message};
    }
    std::vector<std::string> out;
    for (const RowText& row : record.rows) {
      std::string text = row.null ? "<null>" : std::string(row.text);
      if (row.has_pair) text += "|" + std::string(row.pair);
      out.push_back(text);
    }
    return out;
  }
  std::string problem(std::string_view document) {
    const auto out = texts(document);
    return out.empty() ? "accepted" : out[0];
  }

  ParsedRecord record;

 private:
  JsonRecordReader reader_;
};

TEST(JsonRecord, EveryFormOfADocument) {
  Reader reader;
  EXPECT_THAT(reader.texts(R"("a \"b\" \u00e9")"), ElementsAre("a \"b\" é"));
  EXPECT_EQ(reader.record.shape, RecordShape::kText);
  EXPECT_THAT(reader.texts(R"( {"inputs": "a"} )"), ElementsAre("a"));
  EXPECT_EQ(reader.record.shape, RecordShape::kText);
  EXPECT_THAT(reader.texts(R"({"inputs":["a",null,"b"]})"), ElementsAre("a", "<null>", "b"));
  EXPECT_EQ(reader.record.shape, RecordShape::kList);
  EXPECT_THAT(reader.texts(R"({"inputs":[]})"), ElementsAre());
  EXPECT_THAT(reader.texts(R"({"inputs":{"text":"a","text_pair":"b"}})"), ElementsAre("a|b"));
  EXPECT_EQ(reader.record.shape, RecordShape::kPair);
  EXPECT_THAT(reader.texts(R"({"inputs":{"text_pair":null,"text":"a"}})"), ElementsAre("a"));
  EXPECT_THAT(reader.texts(R"({"inputs":[{"text":"a","text_pair":"b"},"c"]})"),
              ElementsAre("a|b", "c"));
  EXPECT_THAT(reader.texts(R"({"inputs":null})"), ElementsAre("<null>"));
  EXPECT_THAT(reader.texts("null"), ElementsAre("<null>"));
}

TEST(JsonRecord, WhatStandsBesideTheTextDoesNotMatterIfItIsJson) {
  Reader reader;
  EXPECT_THAT(reader.texts(R"({"id":123456789012345678901234567890,"x":[1e400,-0.5,{"y":null}],)"
                           R"("inputs":"a","t":true,"f":false})"),
              ElementsAre("a"));
  EXPECT_THAT(reader.texts(R"({"inputs":"first","inputs":"last"})"), ElementsAre("last"));
}

TEST(JsonRecord, WithoutItsTextIsRefusedWithTheMembersThatItHas) {
  Reader reader;
  EXPECT_THAT(reader.problem(R"({"id":1,"rev\u0069ew":"a","meta":{"lang":"en"}})"),
              HasSubstr(R"(of those that it has: "id", "review", "meta")"));
  EXPECT_THAT(reader.problem("{}"), HasSubstr("it has: no members"));
  EXPECT_THAT(reader.problem(R"({"1":1,"2":1,"3":1,"4":1,"5":1,"6":1,"7":1,"8":1,"9":1})"),
              ::testing::EndsWith(R"("7", "8", ...)"));
  const std::string name(100, 'n');
  EXPECT_THAT(reader.problem("{\"" + name + "\":1}"),
              ::testing::EndsWith("has: \"" + name.substr(0, 60) + "...\""));
  Reader nested("review.text");
  EXPECT_THAT(nested.problem(R"({"id":1,"review":{"title":"t","body":"b"}})"),
              HasSubstr(R"(it has "id", "review.title", "review.body")"));
}

TEST(JsonRecord, TextColumnNamesAnyFieldDottedForNestedOnes) {
  Reader flat("review");
  EXPECT_THAT(flat.texts(R"({"stars":5,"review":"good","inputs":"no"})"), ElementsAre("good"));
  EXPECT_THAT(flat.texts(R"("a plain text")"), ElementsAre("a plain text"));
  EXPECT_THAT(flat.problem(R"({"inputs":"a"})"),
              AllOf(HasSubstr("no field \"review\""), HasSubstr("MILLRACE_TEXT_COLUMN")));
  EXPECT_THAT(flat.problem(R"({"review":5})"), HasSubstr("\"review\": is a number"));
  Reader nested("review.body.text");
  EXPECT_THAT(nested.texts(R"({"review":{"id":1,"body":{"lang":"en","text":"deep"}}})"),
              ElementsAre("deep"));
  EXPECT_THAT(nested.texts(R"({"review.body":{"text":"dots in a key"}})"),
              ElementsAre("dots in a key"));
  EXPECT_THAT(nested.problem(R"({"review":{"body":"flat"}})"), HasSubstr("no field"));
}

TEST(JsonRecord, ParametersAreRead) {
  Reader reader;
  reader.texts(R"({"inputs":"a","parameters":{"top_k":2,"function_to_apply":"Sigmoid",)"
               R"("truncation":true,"max_length":16}})");
  EXPECT_EQ(reader.record.parameters.top_k, 2U);
  EXPECT_EQ(reader.record.parameters.function, ScoreFunction::kSigmoid);
  EXPECT_EQ(reader.record.parameters.max_length, 16U);
  reader.texts(R"({"parameters":{"top_k":null,"function_to_apply":null},"inputs":"a"})");
  EXPECT_EQ(reader.record.parameters.top_k, RecordParameters::kAllLabels);
  EXPECT_EQ(reader.record.parameters.function, std::nullopt);
  reader.texts(R"({"inputs":"a","parameters":{"truncation":false,"max_length":16}})");
  EXPECT_EQ(reader.record.parameters.max_length, 0U);
  reader.texts(R"({"inputs":"a","parameters":null})");
  EXPECT_EQ(reader.record.parameters, RecordParameters());
}

TEST(JsonRecord, ParametersThatCannotBeAreNamed) {
  Reader reader;
  const auto problem = [&](const std::string& parameters) {
    return reader.problem(R"({"inputs":"a","parameters":)" + parameters + "}");
  };
  EXPECT_THAT(problem(R"({"temperature":1})"),
              AllOf(HasSubstr("unknown parameter \"temperature\""), HasSubstr("top_k")));
  EXPECT_THAT(problem(R"({"return_all_scores":true})"), HasSubstr("\"return_all_scores\""));
  EXPECT_THAT(problem(R"({"top_k":0})"), HasSubstr("\"top_k\": allowed: an integer"));
  EXPECT_THAT(problem(R"({"top_k":1.5})"), HasSubstr("\"top_k\""));
  EXPECT_THAT(problem(R"({"top_k":"2"})"), HasSubstr("\"top_k\""));
  EXPECT_THAT(problem(R"({"function_to_apply":"relu"})"), HasSubstr("softmax, sigmoid, none"));
  EXPECT_THAT(problem(R"({"function_to_apply":7})"), HasSubstr("softmax, sigmoid, none"));
  EXPECT_THAT(problem(R"({"truncation":"only_first"})"), HasSubstr("longest_first"));
  EXPECT_THAT(problem(R"({"max_length":1})"), HasSubstr("at least 2"));
  EXPECT_THAT(problem("[1]"), HasSubstr("\"parameters\" is a list"));
}

TEST(JsonRecord, MissingOrWrongTextsSaySo) {
  Reader reader;
  EXPECT_THAT(reader.problem(R"({"text":"a"})"), HasSubstr("no \"inputs\""));
  EXPECT_THAT(reader.problem("{}"), HasSubstr("no \"inputs\""));
  EXPECT_THAT(reader.problem(""), HasSubstr("the record is empty"));
  EXPECT_THAT(reader.problem("  \r"), HasSubstr("the record is empty"));
  EXPECT_THAT(reader.problem("5"), HasSubstr("the document is a number"));
  EXPECT_THAT(reader.problem("[\"a\"]"), HasSubstr("the document is a list"));
  EXPECT_THAT(reader.problem("true"), HasSubstr("the document is true or false"));
  EXPECT_THAT(reader.problem(R"({"inputs":7})"), HasSubstr("\"inputs\": is a number"));
  EXPECT_THAT(reader.problem(R"({"inputs":["a",["b"]]})"),
              HasSubstr("element 1 of \"inputs\": is a list"));
  EXPECT_THAT(reader.problem(R"({"inputs":{"text_pair":"b"}})"), HasSubstr("has no \"text\""));
  EXPECT_THAT(reader.problem(R"({"inputs":{"text":"a","more":1}})"), HasSubstr("has \"more\""));
  EXPECT_THAT(reader.problem(R"({"inputs":{"text":["a"]}})"), HasSubstr("\"text\" is a list"));
}

TEST(JsonRecord, WhatIsNotJsonIsRefusedWhereverItStands) {
  Reader reader;
  for (const char* document : {R"({"inputs":"a")",
                               R"({"inputs":"a"]})",
                               R"({"inputs":"a"} x)",
                               R"({"inputs":"a"}{"inputs":"b"})",
                               R"({"inputs":"a" "b":1})",
                               R"({"inputs":"a","b":nope})",
                               R"({"inputs":"a","b":01})",
                               R"({"inputs":"a","b":1.})",
                               R"({"inputs":"a","b":"\x"})",
                               R"({"inputs":"a","b":[1 2]})",
                               R"({"inputs":"a","b":nul})",
                               R"({"inputs":"a","b":tru})",
                               R"({"inputs":"a",})",
                               R"({"inputs":"unclosed})",
                               R"("a" "b")",
                               "{'inputs':'a'}",
                               "inputs",
                               "nullx",
                               "\"a\nb\"",
                               R"({"inputs":"\ud83d"})",
                               R"({inputs:"a"})",
                               "{\"inputs\":\"a\",\"b\":NaN}",
                               R"({"inputs"})",
                               R"({"inputs":"a","b":{"c":}})",
                               "{",
                               "\"",
                               "]"}) {
    EXPECT_THAT(reader.problem(document), HasSubstr("invalid JSON")) << document;
  }
  EXPECT_THAT(reader.texts(R"({"inputs":"still works"})"), ElementsAre("still works"));
}

TEST(JsonRecord, NestingTooDeepIsRefusedAndTheLimitItselfIsNot) {
  const auto nested = [](size_t depth) {
    return R"({"inputs":"a","x":)" + std::string(depth, '[') + std::string(depth, ']') + "}";
  };
  Reader reader;
  EXPECT_THAT(reader.texts(nested(limits::kJsonDepthMax - 1)), ElementsAre("a"));
  EXPECT_THAT(reader.problem(nested(limits::kJsonDepthMax)),
              HasSubstr("nested more than 1024 deep"));
  EXPECT_THAT(reader.problem(nested(100000)), HasSubstr("nested more than 1024 deep"));
  EXPECT_THAT(reader.problem(std::string(100000, '[')), HasSubstr("the document is a list"));
}

TEST(JsonRecord, InvalidUtf8IsAnErrorThatSaysWhere) {
  Reader reader;
  EXPECT_THAT(reader.problem("{\"inputs\":\"a\xFF\"}"),
              AllOf(HasSubstr("invalid JSON at byte 12: "),
                    HasSubstr("--invalid-utf8 replace (MILLRACE_INVALID_UTF8)")));
}

TEST(JsonRecord, InvalidUtf8IsReplacedWhereThatIsAsked) {
  Reader reader("", true);
  EXPECT_THAT(reader.texts("{\"inputs\":\"a\xFFz\"}"), ElementsAre("a\uFFFDz"));
  EXPECT_TRUE(reader.record.invalid_utf8);
  EXPECT_THAT(reader.texts(R"({"inputs":"cut \ud83d!"})"), ElementsAre("cut \uFFFD!"));
  EXPECT_TRUE(reader.record.invalid_utf8);
  EXPECT_THAT(reader.texts(R"({"inputs":"\ude00 \ud83d\ud83d\ude00 \\ud83d"})"),
              ElementsAre("\uFFFD \uFFFD\U0001F600 \\ud83d"));
  EXPECT_THAT(reader.texts(R"({"inputs":"whole \ud83d\ude00"})"), ElementsAre("whole \U0001F600"));
  EXPECT_FALSE(reader.record.invalid_utf8);
  EXPECT_THAT(reader.problem("{\"inputs\":\"a\xFFz\""), HasSubstr("invalid JSON"));
}

}  // namespace
}  // namespace millrace::handler
