// Fields of a CSV record, CSV joins, and the header.
#include "record/csv_fields.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <random>

#include "record/csv_header.h"
#include "record/join.h"
#include "record/testing.h"

namespace millrace::record {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

std::vector<std::string> fields_of(std::string_view record, char delimiter = ',') {
  return parse_csv_record(record, delimiter).value();
}

TEST(CsvFields, AreUnquotedAsPythonDoes) {
  EXPECT_THAT(fields_of(""), ElementsAre(""));
  EXPECT_THAT(fields_of("a,,b,"), ElementsAre("a", "", "b", ""));
  EXPECT_THAT(fields_of(R"("a,b","c ""d""",e)"), ElementsAre("a,b", "c \"d\"", "e"));
  EXPECT_THAT(fields_of(R"(5" pipe,x"y")"), ElementsAre("5\" pipe", "x\"y\""));
  EXPECT_THAT(fields_of(R"("a"b"c,d)"), ElementsAre("ab\"c", "d"));
  EXPECT_THAT(fields_of(R"("","""",)"), ElementsAre("", "\"", ""));
  EXPECT_THAT(fields_of("\"a\r\nb\",c"), ElementsAre("a\r\nb", "c"));
  EXPECT_THAT(fields_of("a,b\tc;d", '\t'), ElementsAre("a,b", "c;d"));
}

TEST(CsvFields, KeepViewsOfManyUnquotedFields) {
  std::string record;
  for (int i = 0; i < 1000; ++i) record += "\"x\"\"" + std::to_string(i) + "\",";
  CsvFields fields;
  ASSERT_TRUE(fields.parse(record, ','));
  ASSERT_EQ(fields.size(), 1001U);
  for (size_t i = 0; i < 1000; ++i) ASSERT_EQ(fields[i], "x\"" + std::to_string(i));
}

TEST(CsvFields, RefuseAnUnclosedQuoteAndTellTheCure) {
  for (const char* record : {"a,\"b", "a,\"b\"\"", "a,\""}) {
    const auto refused = parse_csv_record(record, ',');
    ASSERT_FALSE(refused) << record;
    EXPECT_EQ(refused.error().code, Code::kBadInput);
    EXPECT_THAT(refused.error().message, HasSubstr("the quote at byte 2 of the record"));
    EXPECT_THAT(refused.error().message, HasSubstr("--csv rfc4180"));
  }
}

TEST(CsvFields, ComeBackFromTheirQuotedForm) {
  std::mt19937 random(3);
  for (int round = 0; round < 2000; ++round) {
    std::vector<std::string> expected(1 + random() % 4);
    std::string record;
    for (std::string& field : expected) {
      field = random_bytes(random, "a\",\n\r;", 6);
      if (&field != expected.data()) record += ',';
      append_csv_field(field, ',', &record);
    }
    EXPECT_EQ(fields_of(record), expected) << record;
    EXPECT_FALSE(find_unclosed_quote(record, ','));
  }
}

TEST(CsvFields, AgreeWithTheQuickCheckOnWhatIsUnclosed) {
  std::mt19937 random(5);
  for (int round = 0; round < 5000; ++round) {
    const std::string record = random_bytes(random, "a\"\",", 12);
    EXPECT_EQ(parse_csv_record(record, ',').has_value(), !find_unclosed_quote(record, ','))
        << record;
  }
}

TEST(JoinCsv, KeepsTheInputsBytesAndAppendsTheResults) {
  std::string out = "before\n";
  ASSERT_TRUE(join_csv(R"( 1,"a ""b""",007)", "NEGATIVE,0.5", {}, &out));
  EXPECT_EQ(out, "before\n 1,\"a \"\"b\"\"\",007,NEGATIVE,0.5");
  out.clear();
  ASSERT_TRUE(join_csv("a\tb", "c", {.delimiter = '\t'}, &out));
  EXPECT_EQ(out, "a\tb\tc");
}

TEST(JoinCsv, RefusesAnUnclosedQuoteOnEitherSide) {
  std::string out = "before";
  const auto record = join_csv("\"a", "x", {}, &out);
  ASSERT_FALSE(record);
  EXPECT_THAT(record.error().message, HasSubstr("of the record is not closed"));
  const auto result = join_csv("a", "x,\"y", {}, &out);
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().message, "the reply is not CSV: the quote at its byte 2 is not closed");
  EXPECT_EQ(out, "before");
}

// Hands out `object` in small reads.
ReadBytes reader(std::string_view object, size_t read_max = 5) {
  return [object, read_max](std::span<char> buffer) mutable -> Result<size_t> {
    const size_t n = std::min({buffer.size(), object.size(), read_max});
    std::memcpy(buffer.data(), object.data(), n);
    object.remove_prefix(n);
    return n;
  };
}

DataFormat csv_format() {
  DataFormat format;
  format.content_type = "text/csv";
  format.split_type = SplitType::kLine;
  format.csv = {.rfc4180 = true, .header = true};
  return format;
}

CsvHeader header_of(std::string_view object) {
  return read_csv_header(reader(object), csv_format()).value();
}

TEST(CsvHeader, IsTheFirstRecordWithoutByteOrderMark) {
  const CsvHeader header = header_of("\xEF\xBB\xBFid,\"the\ntext\",score\r\n1,x,5\r\n");
  EXPECT_THAT(header.names, ElementsAre("id", "the\ntext", "score"));
  EXPECT_EQ(header.line, "id,\"the\ntext\",score");
  EXPECT_EQ(header.end, 24U);
  EXPECT_EQ(header_of("a,b").end, 3U) << "nothing but a header";
}

TEST(CsvHeader, IsRefusedWhereThereIsNone) {
  const auto empty = read_csv_header(reader("\n\n"), csv_format());
  ASSERT_FALSE(empty);
  EXPECT_EQ(empty.error().message, "read the CSV header: the object has no first record");
  EXPECT_FALSE(read_csv_header(reader("a,\"b\n"), csv_format()));
  const auto broken = read_csv_header(
      [](std::span<char>) -> Result<size_t> { return fail(unavailable("lost")); }, csv_format());
  ASSERT_FALSE(broken);
  EXPECT_EQ(broken.error().code, Code::kUnavailable);
}

TEST(CsvHeader, FindsAColumnByNameOrElseByIndex) {
  const CsvHeader header = header_of("id,text,0\n");
  EXPECT_EQ(find_csv_column(header, "text").value(), 1U);
  EXPECT_EQ(find_csv_column(header, "0").value(), 2U) << "a name wins over an index";
  EXPECT_EQ(find_csv_column(header, "1").value(), 1U);
  for (const char* unknown : {"Text", "3", "-1", "1x", ""}) {
    const auto missing = find_csv_column(header, unknown);
    ASSERT_FALSE(missing) << unknown;
    EXPECT_EQ(missing.error().message, "the CSV header has no column '" + std::string(unknown) +
                                           "'; it has: 0 id, 1 text, 2 0");
  }
}

TEST(CsvHeader, RefusesANameThatTwoColumnsHave) {
  const CsvHeader header = header_of("a,text,b,text\n");
  const auto twice = find_csv_column(header, "text");
  ASSERT_FALSE(twice);
  EXPECT_EQ(twice.error().message,
            "the CSV header names column 'text' twice, at indexes 1 and 3: give the index");
  EXPECT_EQ(find_csv_column(header, "3").value(), 3U);
}

TEST(CsvHeader, GetsTheNamesOfAddedColumnsUnlessTheyAreTaken) {
  const CsvHeader header = header_of("id,\"a b\"\n");
  EXPECT_EQ(join_csv_header(header, {"label", "x,y"}, {}, "--result-prefix").value(),
            "id,\"a b\",label,\"x,y\"");
  const auto taken = join_csv_header(header, {"a b"}, {}, "--result-prefix");
  ASSERT_FALSE(taken);
  EXPECT_EQ(taken.error().message,
            "the CSV header has a column 'a b' already, which the result would add: set another "
            "--result-prefix");
}

TEST(CountCsvFields, AgreesWithTheParser) {
  for (const char* record : {"", "a", ",", "a,b", "\"a,b\"", "\"a\"\"b,\",c", "\"a\"x,y",
                             "a\"b,c\"", ",,\"\"", "\"a\nb\",c"}) {
    EXPECT_EQ(count_csv_fields(record, ','), parse_csv_record(record, ',')->size()) << record;
  }
  EXPECT_EQ(count_csv_fields("a;\"b;c", ';'), 2U);
}

}  // namespace
}  // namespace millrace::record
