// Records that cannot be used are given with their problem, and the ones after them are found, in
// whatever blocks the bytes come.
#include <gtest/gtest.h>

#include "record/splitter.h"

namespace millrace::record {
namespace {

struct Given {
  std::vector<std::string> records;  // "!" and what is held, for bad ones
  std::vector<uint64_t> offsets;
  std::string problem;  // the last
  size_t held_max = 0;
};

Given give_all(const DataFormat& format, std::string_view object, size_t block, uint64_t max) {
  const auto splitter = make_splitter(format, 0, max, BadRecords::kGive);
  Given given;
  size_t fed = 0;
  for (bool whole = false;;) {
    Record record;
    const auto found = splitter->next(&record);
    if (!found) {
      ADD_FAILURE() << found.error().message;
      return given;
    }
    if (*found) {
      const bool bad = !record.problem.empty();
      given.records.push_back((bad ? "!" : "") + std::string(record.content));
      given.offsets.push_back(record.offset);
      if (bad) given.problem = record.problem;
      continue;
    }
    if (whole) return given;
    const std::string bytes(object.substr(fed, block));
    fed += bytes.size();
    splitter->feed(bytes);
    whole = fed == object.size();
    if (whole) splitter->finish();
  }
}

DataFormat lines() {
  DataFormat format;
  format.content_type = "text/plain";
  format.split_type = SplitType::kLine;
  return format;
}

DataFormat csv() {
  DataFormat format = lines();
  format.content_type = "text/csv";
  format.csv.rfc4180 = true;
  return format;
}

using Strings = std::vector<std::string>;
using Offsets = std::vector<uint64_t>;

TEST(BadRecords, ALineThatIsTooLargeCostsItselfAlone) {
  const std::string object =
      "one\n" + std::string(40, 'x') + "\ntwo\n" + std::string(9, 'y') + "\nz";
  for (size_t block = 1; block < 60; ++block) {
    const Given given = give_all(lines(), object, block, 8);
    EXPECT_EQ(given.records, (Strings{"one", "!xxxxxxxx", "two", "!yyyyyyyy", "z"})) << block;
    EXPECT_EQ(given.offsets, (Offsets{0, 4, 45, 49, 59})) << block;
    EXPECT_EQ(given.problem, "the record at byte 49 is larger than 8 bytes");
  }
}

TEST(BadRecords, ALineWithoutEndThatIsTooLargeIsTheLast) {
  for (size_t block : {1U, 3U, 100U}) {
    const Given given = give_all(lines(), "one\n" + std::string(40, 'x'), block, 8);
    EXPECT_EQ(given.records, (Strings{"one", "!xxxxxxxx"}));
  }
}

TEST(BadRecords, ACsvRecordThatIsTooLargeEndsWhereItsQuotesSay) {
  const std::string object =
      "a,b\n1,\"" + std::string(20, 'q') + "\n,\"\"\n" + std::string(20, 'r') + "\"\n2,\"c\"\n";
  for (size_t block = 1; block < 70; ++block) {
    const Given given = give_all(csv(), object, block, 12);
    EXPECT_EQ(given.records, (Strings{"a,b", "!1,\"qqqqqqqqq", "2,\"c\""})) << block;
  }
}

TEST(BadRecords, AQuoteThatIsNotClosedCostsTheRestOfTheObject) {
  for (size_t block = 1; block < 30; ++block) {
    const Given given = give_all(csv(), "a\nb\n\"never\nclosed\n", block, 100);
    EXPECT_EQ(given.records, (Strings{"a", "b", "!\"never\nclosed"})) << block;
    EXPECT_NE(given.problem.find("not closed"), std::string::npos);
  }
}

TEST(BadRecords, AnObjectThatIsOneRecordAndTooLargeIsOneBadRecord) {
  DataFormat whole = lines();
  whole.split_type = SplitType::kNone;
  for (size_t block : {1U, 7U, 100U}) {
    const Given given = give_all(whole, std::string(50, 'x'), block, 8);
    EXPECT_EQ(given.records, (Strings{"!xxxxxxxx"}));
  }
}

}  // namespace
}  // namespace millrace::record
