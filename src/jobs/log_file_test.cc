// Log streams: lines come back as they were written, in pages that go on where the last one ended.
#include "jobs/log_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/limits.h"
#include "store/test_folder.h"

namespace millrace::jobs {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

std::unique_ptr<LogFile> open(const std::string& file) {
  auto log = LogFile::open(file);
  EXPECT_TRUE(log) << log.error().message;
  return log ? std::move(*log) : nullptr;
}

LogPage read(const std::string& file, const LogQuery& query = {}) {
  const auto page = read_log_file(file, query);
  EXPECT_TRUE(page) << page.error().message;
  return page ? *page : LogPage();
}

std::vector<std::string> messages(const LogPage& page) {
  std::vector<std::string> out;
  for (const LogEvent& event : page.events) out.push_back(event.message);
  return out;
}

TEST(LogFile, LinesComeBackWithTimesThatNeverGoBack) {
  const TestFolder folder;
  const auto log = open(folder / "log");
  log->append(100, "one\ntwo\n");
  log->append(90, "three");
  log->append(110, "");
  const LogPage page = read(folder / "log");
  EXPECT_THAT(messages(page), ElementsAre("one", "two", "three", ""));
  EXPECT_EQ(page.events[2].time_ms, 100);
  EXPECT_EQ(page.events[3].time_ms, 110);
}

TEST(LogFile, AReaderGoesOnWhereItWasAndAnEmptyPageRepeatsItsPosition) {
  const TestFolder folder;
  const auto log = open(folder / "log");
  for (int i = 0; i < 5; ++i) log->append(i, "line " + std::to_string(i));
  LogQuery query;
  query.events_max = 2;
  const LogPage first = read(folder / "log", query);
  EXPECT_THAT(messages(first), ElementsAre("line 0", "line 1"));
  query.position = first.end;
  EXPECT_THAT(messages(read(folder / "log", query)), ElementsAre("line 2", "line 3"));
  query.events_max = 100;
  const LogPage rest = read(folder / "log", query);
  EXPECT_THAT(messages(rest), ElementsAre("line 2", "line 3", "line 4"));
  query.position = rest.end;
  const LogPage none = read(folder / "log", query);
  EXPECT_TRUE(none.events.empty());
  EXPECT_EQ(none.end, rest.end);
  log->append(9, "more");
  EXPECT_THAT(messages(read(folder / "log", query)), ElementsAre("more"));
}

TEST(LogFile, TimesBoundAPageBeginIncludedEndNot) {
  const TestFolder folder;
  const auto log = open(folder / "log");
  for (int i = 0; i < 5; ++i) log->append(i * 10, std::to_string(i));
  LogQuery query;
  query.start_ms = 10;
  query.end_ms = 30;
  EXPECT_THAT(messages(read(folder / "log", query)), ElementsAre("1", "2"));
}

TEST(LogFile, BackwardGivesTheNewestInAscendingOrder) {
  const TestFolder folder;
  const auto log = open(folder / "log");
  for (int i = 0; i < 5; ++i) log->append(i, std::to_string(i));
  LogQuery query;
  query.backward = true;
  query.events_max = 2;
  const LogPage newest = read(folder / "log", query);
  EXPECT_THAT(messages(newest), ElementsAre("3", "4"));
  query.position = newest.begin;
  EXPECT_THAT(messages(read(folder / "log", query)), ElementsAre("1", "2"));
}

TEST(LogFile, ATornLineIsCutOffAndWritingGoesOn) {
  const TestFolder folder;
  folder.write("log", "100 whole\n105 torn by a ki");
  EXPECT_THAT(messages(read(folder / "log")), ElementsAre("whole"));
  open(folder / "log")->append(50, "next");
  const LogPage page = read(folder / "log");
  EXPECT_THAT(messages(page), ElementsAre("whole", "next"));
  EXPECT_EQ(page.events[1].time_ms, 100);
}

TEST(LogFile, LongLinesAndStrangeBytesAreTamed) {
  const TestFolder folder;
  const auto log = open(folder / "log");
  log->append(1, std::string(limits::kModelLogLineBytesMax + 10, 'x'));
  log->append(2, "a\x01\x1b[31mb\xff");
  const LogPage page = read(folder / "log");
  ASSERT_EQ(page.events.size(), 3U);
  EXPECT_EQ(page.events[0].message.size(), limits::kModelLogLineBytesMax);
  EXPECT_EQ(page.events[1].message.size(), 10U);
  EXPECT_EQ(page.events[2].message, "a  [31mb?");
}

TEST(LogFile, AFullLogSaysSoOnceAndStillTakesTheLastWord) {
  const TestFolder folder;
  const auto log = open(folder / "log");
  const std::string line(limits::kModelLogLineBytesMax, 'x');
  for (uint64_t bytes = 0; bytes < limits::kLogStreamBytesMax + limits::kMiB;
       bytes += line.size()) {
    log->append(1, line);
  }
  log->append(2, "the end", LogFile::Kind::kLast);
  LogQuery query;
  query.backward = true;
  query.events_max = 3;
  const LogPage page = read(folder / "log", query);
  ASSERT_EQ(page.events.size(), 3U);
  EXPECT_THAT(page.events[1].message, HasSubstr("this log is full"));
  EXPECT_EQ(page.events[2].message, "the end");
}

TEST(LogFile, AMissingStreamIsNotFound) {
  EXPECT_EQ(read_log_file("/nowhere/log", {}).error().code, Code::kNotFound);
}

}  // namespace
}  // namespace millrace::jobs
