// SplitType JsonArray: elements of every kind, in blocks of every size, and what is no array.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "record/testing.h"

namespace millrace::record {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

DataFormat array_format() {
  DataFormat format;
  format.content_type = "application/json";
  format.split_type = SplitType::kJsonArray;
  return format;
}

TEST(JsonArraySplitter, CutsElementsOfEveryKind) {
  const std::string object =
      " [ {\"a\":[1,\"]\"]} ,\n\"x,\\\"]\\\\\", 12 ,-1.5e3,true,null,[[],{}],\"\"\t]\r\n ";
  for (size_t block : {1U, 2U, 5U, 4096U}) {
    const Split split = split_all(array_format(), object, block);
    EXPECT_EQ(split.error, "");
    EXPECT_THAT(split.framed, ElementsAre("{\"a\":[1,\"]\"]}", "\"x,\\\"]\\\\\"", "12", "-1.5e3",
                                          "true", "null", "[[],{}]", "\"\""));
    EXPECT_EQ(split.content, split.framed);
    for (size_t i = 0; i < split.framed.size(); ++i) {
      EXPECT_EQ(object.substr(split.offsets[i], split.framed[i].size()), split.framed[i]);
    }
  }
}

TEST(JsonArraySplitter, TakesAnEmptyArrayAndAByteOrderMark) {
  for (size_t block : {1U, 4096U}) {
    for (const char* object : {"[]", " [\n] ", "\xEF\xBB\xBF[]\n"}) {
      const Split split = split_all(array_format(), object, block);
      EXPECT_THAT(split.framed, IsEmpty()) << object;
      EXPECT_EQ(split.error, "") << object;
    }
  }
}

struct BadCase {
  const char* object;
  const char* error;
};

TEST(JsonArraySplitter, SaysWhereAnObjectIsNoArray) {
  const BadCase cases[] = {
      {"", "the object is no JSON array: it has no '['"},
      {"  ", "the object is no JSON array: it has no '['"},
      {" {\"a\":1}", "at byte 1: expected '[': the object is no JSON array"},
      {"\xEF\xBB\xBF\xEF\xBB\xBF[]", "at byte 3: expected '[': the object is no JSON array"},
      {"[,1]", "at byte 1: expected an element of the JSON array"},
      {"[1,]", "at byte 3: expected an element of the JSON array"},
      {"[1 2]", "at byte 3: expected ',' or ']' behind an element of the JSON array"},
      {"[{} {}]", "at byte 4: expected ',' or ']' behind an element of the JSON array"},
      {"[1] 2", "at byte 4: the object goes on behind its JSON array"},
      {"[1]]", "at byte 3: the object goes on behind its JSON array"},
      {"[1", "the object ends inside its JSON array, in what begins at byte 1"},
      {"[1,", "the object ends inside its JSON array, in what begins at byte 3"},
      {"[{\"a\":\"]}", "the object ends inside its JSON array, in what begins at byte 1"},
  };
  for (const BadCase& c : cases) {
    for (size_t block : {1U, 4096U}) {
      EXPECT_EQ(split_all(array_format(), c.object, block).error, c.error) << c.object;
    }
  }
}

TEST(JsonArraySplitter, BoundsAnElementAndNotWhatStandsBetween) {
  const std::string object = "[" + std::string(5000, ' ') + "\"0123456789\"," +
                             std::string(5000, '\n') + "\"0123456789x\"]";
  const Split split = split_all(array_format(), object, 100, 0, 12);
  EXPECT_THAT(split.framed, ElementsAre("\"0123456789\""));
  EXPECT_THAT(split.error, HasSubstr("larger than 12 bytes"));
}

// nlohmann-json reads the same arrays whole.
TEST(JsonArraySplitter, AgreesWithAParserOnRandomArrays) {
  std::mt19937 random(7);
  const char* pieces[] = {
      "[",     "]",        "{",    "}",      ",",  ":",  "\"a\"",   "1",     " ",   "\"\\\"\"",
      "\"]\"", "\"\\\\\"", "null", "\"b\":", "\n", "[]", "{\"k\":", "\"{\"", "-2.5"};
  size_t arrays = 0;
  for (int round = 0; round < 60000; ++round) {
    std::string object = "[";
    for (size_t i = random() % 9; i > 0; --i) object += pieces[random() % std::size(pieces)];
    object += "]";
    const auto whole = nlohmann::json::parse(object, nullptr, false);
    if (!whole.is_array()) continue;
    ++arrays;
    const Split split = split_all(array_format(), object, 1 + random() % 4);
    ASSERT_EQ(split.error, "") << object;
    ASSERT_EQ(split.framed.size(), whole.size()) << object;
    for (size_t i = 0; i < whole.size(); ++i) {
      ASSERT_EQ(nlohmann::json::parse(split.framed[i], nullptr, false), whole[i]) << object;
    }
  }
  EXPECT_GT(arrays, 1000U);
}

}  // namespace
}  // namespace millrace::record
