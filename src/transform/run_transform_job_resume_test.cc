// A job that was stopped, killed or failed goes on: parts that are done are not done again, unless
// something that decides their bytes has changed.
#include <gtest/gtest.h>

#include "base/limits.h"
#include "transform/testing/job_test.h"

namespace millrace::transform {
namespace {

using testing::answered;
using testing::JobTest;
using testing::lines;
using Status = JobReport::Status;

constexpr uint64_t kRecords = 60;

class JobResume : public JobTest {
 protected:
  JobResume() {
    input_.put("b", text_);
    job_.feeders = 2;
  }

  // All parts of the object get staged, but not its output: the disk is full.
  void stage_all_parts() {
    output_.fail_writes_of("b.out");
    const auto report = run();
    output_.fail_writes_of("");
    ASSERT_TRUE(report);
    ASSERT_EQ(report->status, Status::kFailed);
    ASSERT_EQ(records_seen(), kRecords);
    seen_before_ = records_seen();
  }

  // Records that the handler was asked, all runs together.
  uint64_t records_seen() {
    uint64_t records = 0;
    for (const auto& request : handler_.requests()) records += request.records.size();
    return records;
  }

  // The next run completes with the bytes of an undisturbed one, and asks for so many records.
  void expect_completes_asking_for(uint64_t records, const std::string& expected) {
    const auto report = run();
    ASSERT_TRUE(report) << report.error().message;
    ASSERT_EQ(report->status, Status::kCompleted) << first_error(*report);
    EXPECT_EQ(output_.get("out/b.out"), expected);
    EXPECT_EQ(records_seen() - seen_before_, records);
    EXPECT_EQ(report->records, kRecords);
    EXPECT_EQ(report->counts.rows, kRecords);
    EXPECT_EQ(report->resumed_records, kRecords - records);
    EXPECT_EQ(output_.open_uploads(), 0U);
    EXPECT_FALSE(std::filesystem::exists(area()));
  }

  const std::string text_ = lines("b", kRecords);
  uint64_t seen_before_ = 0;
};

TEST_F(JobResume, StagedPartsAreNotDoneAgain) {
  stage_all_parts();
  expect_completes_asking_for(0, answered(text_));
}

TEST_F(JobResume, AStoppedJobGoesOnWhereItWas) {
  for (int stop_after = 1; stop_after < 12; ++stop_after) {
    for (const auto& [key, bytes] : output_.all()) ASSERT_TRUE(output_.remove(key));
    std::atomic<int> requests = 0;
    cancel_ = CancelToken();
    handler_.on_request = [&] {
      if (++requests == stop_after) cancel_.cancel();
    };
    const auto stopped = run();
    ASSERT_TRUE(stopped);
    ASSERT_EQ(stopped->status, Status::kStopped);
    EXPECT_TRUE(output_.all().empty());
    handler_.on_request = {};
    cancel_ = CancelToken();
    const auto report = run();
    ASSERT_TRUE(report);
    EXPECT_EQ(report->status, Status::kCompleted) << first_error(*report);
    EXPECT_EQ(output_.get("out/b.out"), answered(text_));
    EXPECT_EQ(report->records, kRecords);
    // What two feeders had in flight, and nothing before it, was asked for again.
    const uint64_t done_by_then = report->resumed_records;
    EXPECT_LE(static_cast<uint64_t>(requests), 2 * limits::kRequestsInFlightMax + done_by_then);
  }
}

TEST_F(JobResume, PartsBeforeABadRecordAreKeptForTheNextRun) {
  handler_.hold = false;
  const std::string spoilt = text_ + "bad\n";
  input_.put("b", spoilt);
  ASSERT_TRUE(run());
  seen_before_ = records_seen();
  const auto again = run();  // the same input: only the part with the bad record is asked for
  ASSERT_TRUE(again);
  EXPECT_EQ(again->status, Status::kFailed);
  EXPECT_LT(records_seen() - seen_before_, kRecords / 2);
  EXPECT_GT(again->resumed_records, kRecords / 2);
}

TEST_F(JobResume, AChangedInputIsDoneAgain) {
  stage_all_parts();
  input_.put("b", text_);  // the same bytes, but written anew: another version
  expect_completes_asking_for(kRecords, answered(text_));
}

TEST_F(JobResume, UnderAnotherModelAllIsDoneAgain) {
  stage_all_parts();
  handler_.traits_.identity = "fake 2";
  expect_completes_asking_for(kRecords, answered(text_));
}

TEST_F(JobResume, UnderOtherSettingsAllIsDoneAgain) {
  stage_all_parts();
  job_.settings_digest = "d2";
  expect_completes_asking_for(kRecords, answered(text_));
}

TEST_F(JobResume, WithOtherPartsAllIsDoneAgain) {
  stage_all_parts();
  job_.part_bytes = 150;
  expect_completes_asking_for(kRecords, answered(text_));
}

TEST_F(JobResume, AModelWithoutIdentityIsAskedAgain) {
  handler_.traits_.identity = "";
  stage_all_parts();
  expect_completes_asking_for(kRecords, answered(text_));
}

TEST_F(JobResume, AStagedPartThatIsDamagedIsDoneAgain) {
  stage_all_parts();
  uint64_t damaged = 0;
  for (const auto& entry : std::filesystem::directory_iterator(area() / "parts")) {
    if (entry.path().extension() == ".result" && damaged++ == 0) {
      std::filesystem::resize_file(entry.path(), 5);
    }
  }
  ASSERT_GT(damaged, 3U);
  const auto report = run();
  ASSERT_TRUE(report);
  EXPECT_EQ(report->status, Status::kCompleted) << first_error(*report);
  EXPECT_EQ(output_.get("out/b.out"), answered(text_));
  EXPECT_GT(records_seen() - seen_before_, 0U);
  EXPECT_LT(records_seen() - seen_before_, kRecords / 2);
}

}  // namespace
}  // namespace millrace::transform
