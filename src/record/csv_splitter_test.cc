// CSV as RFC 4180 and Python read it: quoted line ends, blank lines, byte order marks;
// csv-spectrum.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <random>

#include "record/join.h"
#include "record/splitter.h"
#include "record/testing.h"

namespace millrace::record {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

DataFormat csv_format(char delimiter = ',') {
  DataFormat format;
  format.content_type = "text/csv";
  format.split_type = SplitType::kLine;
  format.csv.rfc4180 = true;
  format.csv.delimiter = delimiter;
  return format;
}

// What the fast splitter must agree with: one state, one character at a time.
struct ReferenceSplit {
  std::vector<std::string> framed;
  bool balanced = true;
};

ReferenceSplit reference_split(std::string_view object, char delimiter) {
  enum class In { kFieldStart, kUnquoted, kQuoted, kQuoteInQuoted } state = In::kFieldStart;
  ReferenceSplit split;
  std::string record;
  const auto end_record = [&] {
    if (record != "\n" && record != "\r\n" && record != "\r" && !record.empty()) {
      split.framed.push_back(record);
    }
    record.clear();
    state = In::kFieldStart;
  };
  for (const char c : object) {
    record += c;
    if (state == In::kQuoted) {
      if (c == '"') state = In::kQuoteInQuoted;
    } else if (c == '"' && state != In::kUnquoted) {
      state = In::kQuoted;  // opens the field, or was the second of two
    } else if (c == '\n') {
      end_record();
    } else {
      state = c == delimiter ? In::kFieldStart : In::kUnquoted;
    }
  }
  split.balanced = state != In::kQuoted;
  if (split.balanced) end_record();
  return split;
}

TEST(CsvSplitter, KeepsQuotedLineEndsAndDelimitersInTheRecord) {
  const Split split = split_all(csv_format(), "a,\"x\ny\"\r\n\"p\r\n\r\nq,\"\"\n\",z\nlast,\"1\"");
  EXPECT_THAT(split.content, ElementsAre("a,\"x\ny\"", "\"p\r\n\r\nq,\"\"\n\",z", "last,\"1\""));
  EXPECT_THAT(split.framed,
              ElementsAre("a,\"x\ny\"\r\n", "\"p\r\n\r\nq,\"\"\n\",z\n", "last,\"1\""));
}

TEST(CsvSplitter, TakesAQuoteInsideAnUnquotedFieldAsItStands) {
  EXPECT_THAT(split_all(csv_format(), "5\" pipe,6\"\nit \"is\",x\n").content,
              ElementsAre("5\" pipe,6\"", "it \"is\",x"));
  EXPECT_THAT(split_all(csv_format(), "\"a\"b\"c,d\ne\n").content, ElementsAre("\"a\"b\"c,d", "e"))
      << "after its closing quote a field is unquoted";
}

TEST(CsvSplitter, SkipsBlankLinesBetweenRows) {
  const Split split = split_all(csv_format(), "\n\r\na\n\n\r\nb\n\"\"\n \n\n");
  EXPECT_THAT(split.content, ElementsAre("a", "b", "\"\"", " "));
  EXPECT_THAT(split.offsets, ElementsAre(3, 8, 10, 13));
  EXPECT_THAT(split_all(csv_format(), "\n\r\n\n").framed, IsEmpty());
  EXPECT_THAT(split_all(csv_format(), "a\n\r").framed, ElementsAre("a\n"));
}

TEST(CsvSplitter, CutsLinesWhereQuotedLineEndsWereNotAskedFor) {
  DataFormat format = csv_format();
  format.csv.rfc4180 = false;
  EXPECT_THAT(split_all(format, "\"a\nb\"\n\nc").content, ElementsAre("\"a", "b\"", "", "c"));
}

TEST(CsvSplitter, ReadsTheFirstFieldsQuoteAfterAByteOrderMark) {
  const std::string object = "\xEF\xBB\xBF\"a\nb\",c\nd,e\n";
  for (const size_t block : {1U, 2U, 3U, 4U, 100U}) {
    const Split split = split_all(csv_format(), object, block);
    EXPECT_THAT(split.content, ElementsAre("\"a\nb\",c", "d,e"));
    EXPECT_EQ(split.framed[0], "\xEF\xBB\xBF\"a\nb\",c\n");
  }
  EXPECT_THAT(split_all(csv_format(), "\xEF\xBB\xBF\na\n").content, ElementsAre("a"));
  EXPECT_THAT(split_all(csv_format(), "x\n\xEF\xBB\xBF\"a\nb\"\n").content,
              ElementsAre("x", "\xEF\xBB\xBF\"a", "b\""))
      << "elsewhere it is text";
}

TEST(CsvSplitter, NamesTheRecordWhoseQuoteIsNeverClosed) {
  const std::string error =
      "the CSV record at byte 4 never ends: the quote at byte 6 is not closed";
  for (const size_t block : {1U, 5U, 100U}) {
    const Split split = split_all(csv_format(), "a,b\nc,\"d\ne,f\n", block);
    EXPECT_THAT(split.content, ElementsAre("a,b"));
    EXPECT_EQ(split.error, error);
  }
}

TEST(CsvSplitter, SuspectsTheQuoteWhenARecordGrowsTooLarge) {
  const Split split = split_all(csv_format(), "a\nb,\"c" + std::string(100, '\n'), 7, 0, 50);
  EXPECT_EQ(split.error,
            "the record at byte 2 is larger than 50 bytes; it is still inside the quote opened at "
            "byte 4: is that one not closed?");
}

TEST(CsvSplitter, AgreesWithAStateMachineInAnyBlocks) {
  std::mt19937 random(11);
  for (int round = 0; round < 4000; ++round) {
    const char delimiter = round % 2 == 0 ? ',' : '\t';
    const std::string alphabet = std::string("a\"\"\n\r") + delimiter;
    const std::string object = random_bytes(random, alphabet, 40);
    const ReferenceSplit expected = reference_split(object, delimiter);
    for (const size_t block : {1U, 2U, 3U, 5U, 1000U}) {
      const Split split = split_all(csv_format(delimiter), object, block);
      ASSERT_EQ(split.framed, expected.framed) << object << "\nin blocks of " << block;
      ASSERT_EQ(split.error.empty(), expected.balanced) << object;
    }
  }
}

// csv-spectrum: rows as objects of strings, keyed by the header.
class CsvSpectrum : public testing::TestWithParam<std::string> {};

std::string read_file(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

TEST_P(CsvSpectrum, IsReadAsItsJsonSays) {
  const char* set = std::getenv("MILLRACE_TEST_DATA");
  const std::filesystem::path data = set != nullptr ? set : MILLRACE_SOURCE_DIR "/../shared";
  const auto folder = data / "data/conformance/csv-spectrum";
  if (!std::filesystem::exists(folder)) GTEST_SKIP() << "no csv-spectrum in " << folder;
  std::string text = read_file(folder / "csvs" / (GetParam() + ".csv"));
  auto expected = nlohmann::json::parse(read_file(folder / "json" / (GetParam() + ".json")));
  ASSERT_FALSE(text.empty());
  if (GetParam().ends_with("_crlf")) {  // the copies lost their carriage returns
    for (size_t at = 0; (at = text.find('\n', at)) != std::string::npos; at += 2) {
      text.insert(at, "\r");
    }
  }
  auto rows = nlohmann::json::array();
  std::vector<std::string> names;
  for (const std::string& record : split_all(csv_format(), text, 3).content) {
    const auto fields = parse_csv_record(record, ',').value();
    if (names.empty()) {
      names = fields;
      continue;
    }
    ASSERT_EQ(fields.size(), names.size()) << record;
    auto& row = rows.emplace_back(nlohmann::json::object());
    for (size_t i = 0; i < fields.size(); ++i) row[names[i]] = fields[i];
  }
  const auto unix_lines = [](std::string dumped) {
    for (size_t at = 0; (at = dumped.find("\\r\\n", at)) != std::string::npos;) dumped.erase(at, 2);
    return dumped;
  };
  EXPECT_EQ(unix_lines(rows.dump()), unix_lines(expected.dump()));
}

INSTANTIATE_TEST_SUITE_P(Files, CsvSpectrum,
                         testing::Values("comma_in_quotes", "empty", "empty_crlf", "escaped_quotes",
                                         "json", "newlines", "newlines_crlf", "quotes_and_newlines",
                                         "simple", "simple_crlf", "utf8"));

}  // namespace
}  // namespace millrace::record
