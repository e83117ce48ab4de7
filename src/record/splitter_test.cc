// Splitters: what a record is, for each SplitType and media type, whatever blocks the bytes come
// in.
#include "record/splitter.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "record/testing.h"

namespace millrace::record {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

DataFormat line_format(std::string content_type) {
  DataFormat format;
  format.content_type = std::move(content_type);
  format.split_type = SplitType::kLine;
  return format;
}

TEST(NoneSplitter, TakesTheWholeObjectAsOneRecord) {
  DataFormat format;
  format.content_type = "application/json";
  const Split split = split_all(format, "{\"a\":\n1}\n");
  EXPECT_THAT(split.framed, ElementsAre("{\"a\":\n1}\n"));
  EXPECT_THAT(split.content, ElementsAre("{\"a\":\n1}\n"));
}

TEST(NoneSplitter, TakesAnEmptyObjectAsOneEmptyRecord) {
  EXPECT_THAT(split_all(DataFormat{}, "").framed, ElementsAre(""));
}

TEST(NoneSplitter, RefusesAnObjectLargerThanTheLimitBeforeItsEnd) {
  const auto splitter = make_splitter(DataFormat{}, 0, 10);
  Record record;
  splitter->feed("0123456789");
  EXPECT_FALSE(splitter->next(&record).value());
  splitter->feed("0");
  const auto refused = splitter->next(&record);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::kBadInput);
  EXPECT_EQ(refused.error().message, "the record at byte 0 is larger than 10 bytes");
}

TEST(LineSplitter, CutsAtNewlinesOnly) {
  const Split split =
      split_all(line_format("text/plain"), "a\nb\r\n\x0b\x0c\xe2\x80\xa8\rc\n\nlast");
  EXPECT_THAT(split.framed, ElementsAre("a\n", "b\r\n", "\x0b\x0c\xe2\x80\xa8\rc\n", "\n", "last"));
  EXPECT_THAT(split.content, ElementsAre("a", "b\r", "\x0b\x0c\xe2\x80\xa8\rc", "", "last"));
  EXPECT_THAT(split.offsets, ElementsAre(0, 2, 5, 13, 14));
}

TEST(LineSplitter, MakesNoRecordOfNothing) {
  EXPECT_THAT(split_all(line_format("text/plain"), "").framed, IsEmpty());
  EXPECT_THAT(split_all(line_format("text/plain"), "a\n").framed, ElementsAre("a\n"));
}

TEST(LineSplitter, TakesTheCarriageReturnOffOnlyWhereItIsPartOfTheLineEnd) {
  for (const char* type :
       {"text/csv", "application/json", "application/jsonlines; charset=utf-8"}) {
    EXPECT_THAT(split_all(line_format(type), "1\r\n2\r").content, ElementsAre("1", "2\r")) << type;
  }
  for (const char* type : {"text/plain", "application/octet-stream", ""}) {
    EXPECT_THAT(split_all(line_format(type), "1\r\n2\r").content, ElementsAre("1\r", "2\r"))
        << type;
  }
}

TEST(LineSplitter, DropsTheByteOrderMarkFromTheFirstRecordsContentOnly) {
  const Split split = split_all(line_format("text/csv"), "\xEF\xBB\xBFid\n\xEF\xBB\xBFid\n");
  EXPECT_THAT(split.content, ElementsAre("id", "\xEF\xBB\xBFid"));
  EXPECT_THAT(split.framed, ElementsAre("\xEF\xBB\xBFid\n", "\xEF\xBB\xBFid\n"));
  EXPECT_THAT(split_all(line_format("text/csv"), "\xEF\xBB\xBFid\n", 1, 700).content,
              ElementsAre("\xEF\xBB\xBFid"))
      << "a part that starts inside the object";
}

TEST(LineSplitter, RefusesALineOverTheLimitWithoutHoldingIt) {
  const auto splitter = make_splitter(line_format("text/plain"), 100, 8);
  Record record;
  splitter->feed("1234567\n12345678\n");
  ASSERT_TRUE(splitter->next(&record).value());
  EXPECT_EQ(splitter->position(), 108U);
  const auto refused = splitter->next(&record);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().message, "the record at byte 108 is larger than 8 bytes");
  EXPECT_FALSE(splitter->next(&record)) << "it stays refused";
}

TEST(LineSplitter, GivesPositionsThatPartsCanStartAt) {
  const std::string object = "one\n\nthree\nfour";
  const auto splitter = make_splitter(line_format("text/plain"), 0, 1000);
  splitter->feed(object);
  splitter->finish();
  Record record;
  ASSERT_TRUE(splitter->next(&record).value());
  ASSERT_TRUE(splitter->next(&record).value());
  ASSERT_EQ(splitter->position(), 5U);
  const Split rest = split_all(line_format("text/plain"), object.substr(5), 1, 5);
  EXPECT_THAT(rest.framed, ElementsAre("three\n", "four"));
  EXPECT_THAT(rest.offsets, ElementsAre(5, 11));
}

TEST(LineSplitter, AgreesWithAByteByByteReadingInAnyBlocks) {
  std::mt19937 random(7);
  for (int round = 0; round < 300; ++round) {
    const std::string object = random_bytes(random, "ab\n\n\r,\"", 60);
    std::vector<std::string> expected;
    std::string line;
    for (const char c : object) {
      line += c;
      if (c == '\n') expected.push_back(std::exchange(line, {}));
    }
    if (!line.empty()) expected.push_back(line);
    for (const size_t block : {1U, 2U, 3U, 7U, 1000U}) {
      ASSERT_EQ(split_all(line_format("text/plain"), object, block).framed, expected) << object;
    }
  }
}

TEST(Splitter, KeepsRecordsOfManyBlocksWhole) {
  const std::string large(3'000'000, 'x');
  const Split split = split_all(line_format("text/plain"), large + "\nshort\n" + large, 65536);
  EXPECT_THAT(split.content, ElementsAre(large, "short", large));
}

}  // namespace
}  // namespace millrace::record
