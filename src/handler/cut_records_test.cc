#include "handler/cut_records.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace millrace::handler {
namespace {

using record::MediaType;
using ::testing::ElementsAre;

std::vector<std::string> cut(MediaType media, const std::string& text) {
  std::vector<record::RecordSpan> spans;
  cut_records(media, ',', text, &spans);
  std::vector<std::string> out;
  for (const auto& span : spans) out.push_back(text.substr(span.offset, span.length));
  return out;
}

TEST(CutRecords, LinesWithoutARecordBehindTheLastLineEnd) {
  EXPECT_THAT(cut(MediaType::kText, "a\n\nb\r\n"), ElementsAre("a", "", "b\r"));
  EXPECT_THAT(cut(MediaType::kJsonLines, "1\r\n2"), ElementsAre("1", "2"));
  EXPECT_THAT(cut(MediaType::kText, ""), ElementsAre(""));
}

TEST(CutRecords, CsvRowsKeepLineEndsInsideQuotesAndSkipBlankLines) {
  EXPECT_THAT(cut(MediaType::kCsv, "a\r\n\n\"b\nc\",2\nd"), ElementsAre("a", "\"b\nc\",2", "d"));
  EXPECT_THAT(cut(MediaType::kCsv, "a\n\"open\nrest"), ElementsAre("a", "\"open\nrest"));
}

TEST(CutRecords, JsonDocumentsEndWhereTheirBracketsDo) {
  EXPECT_THAT(cut(MediaType::kJson, "{\n \"inputs\": \"}\\\"\\n{\"\n}\n\n\"b\"\n[1,\n2]\n"),
              ElementsAre("{\n \"inputs\": \"}\\\"\\n{\"\n}", "\"b\"", "[1,\n2]"));
  EXPECT_THAT(cut(MediaType::kJson, "{} x\n{}"), ElementsAre("{} x", "{}"));
  EXPECT_THAT(cut(MediaType::kJson, "\n \n"), ElementsAre("\n \n"));
  EXPECT_THAT(cut(MediaType::kJson, "{\"open\n{}"), ElementsAre("{\"open\n{}"));
}

}  // namespace
}  // namespace millrace::handler
