// Progress while requests are under way: it moves with what the handler tells, is never more than
// there is, and in the end is exactly what was done.
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <utility>

#include "transform/testing/job_test.h"

namespace millrace::transform {
namespace {

using testing::answered;
using testing::JobTest;
using testing::lines;
using Status = JobReport::Status;

// Tells that it has answered some records, and answers when `may_answer` says so.
class TellingHandler : public handler::InferenceHandler {
 public:
  TellingHandler() {
    traits_.reads_records_alone = true;
    traits_.identity = "telling";
  }
  const handler::HandlerTraits& traits() const override { return traits_; }

  std::future<Result<handler::InvokeReply>> invoke(handler::InvokeRequest request) override {
    request.answered(tells_records, tells_bytes);
    return std::async(std::launch::async, [this, request]() -> Result<handler::InvokeReply> {
      wait();
      if (fails) return fail(internal_error("it failed"));
      handler::InvokeReply reply;
      for (const auto& span : request.records) {
        if (!reply.body.empty()) reply.body += '\n';
        const std::string text = "<" + request.body.substr(span.offset, span.length) + ">";
        reply.records.push_back(
            {static_cast<uint32_t>(reply.body.size()), static_cast<uint32_t>(text.size())});
        reply.body += text;
      }
      return reply;
    });
  }

  millrace::Status stream(const handler::StreamRequest& request) override {
    MR_TRY(request.begin());
    std::string body;
    std::string block(4096, '\0');
    for (size_t size = 1; size > 0; body.append(block, 0, size)) {
      MR_ASSIGN(size, request.read(block));
    }
    const size_t first = body.find('\n') + 1;
    MR_TRY(request.write(body.substr(0, first)));
    wait();
    if (fails) return fail(internal_error("it failed"));
    return request.write(body.substr(first));
  }

  void wait() const {
    for (int i = 0; i < 10000 && !may_answer; ++i) {
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
  }

  handler::HandlerTraits traits_;
  uint32_t tells_records = 0;
  uint64_t tells_bytes = 0;
  std::atomic<bool> may_answer{false};
  bool fails = false;
};

class JobProgress : public JobTest {
 protected:
  JobProgress() {
    input_.put("a.txt", text_);
    job_.format.max_payload_bytes = 1000;
    progress_ = [this](const Progress& progress) {
      EXPECT_LE(progress.records_done, progress.records_total);
      EXPECT_LE(progress.bytes_done, progress.bytes_total);
      if (progress.records_done == wanted_ && !progress.ended) {
        seen_ = progress;
        handler_.may_answer = true;
      }
      last_ = progress;
    };
  }

  // Runs until the progress tells so many records, and then to the end.
  JobReport run_until(uint64_t records) {
    wanted_ = records;
    auto report = run(handler_);
    if (!report) {
      ADD_FAILURE() << report.error().message;
      return {};
    }
    EXPECT_EQ(seen_.records_done, records);
    EXPECT_TRUE(last_.ended);
    return std::move(*report);
  }

  const std::string text_ = lines("a", 10);
  TellingHandler handler_;
  uint64_t wanted_ = 0;
  Progress seen_, last_;
};

TEST_F(JobProgress, MovesWithWhatIsAnsweredOfARequestUnderWay) {
  handler_.tells_records = 3;
  handler_.tells_bytes = text_.size() / 2;
  job_.part_bytes = 1000;
  EXPECT_EQ(run_until(3).status, Status::kCompleted);
  EXPECT_EQ(seen_.bytes_done, text_.size() / 2);
  EXPECT_EQ(last_.records_done, 10U);
  EXPECT_EQ(last_.bytes_done, text_.size());
  EXPECT_EQ(output_.get("out/a.txt.out"), answered(text_));
}

TEST_F(JobProgress, OfManyPartsIsTheSum) {
  handler_.tells_records = 1;
  job_.format.max_payload_bytes = 100;
  job_.feeders = 3;
  EXPECT_EQ(run_until(2).status, Status::kCompleted);
  EXPECT_EQ(last_.records_done, 10U);
  EXPECT_EQ(last_.bytes_done, text_.size());
}

TEST_F(JobProgress, IsNeverMoreThanThereIsWhateverAHandlerTells) {
  handler_.tells_records = 1000000;
  handler_.tells_bytes = 1000000;
  job_.part_bytes = 1000;
  EXPECT_EQ(run_until(10).status, Status::kCompleted);
  EXPECT_EQ(last_.records_done, 10U);
  EXPECT_EQ(last_.bytes_done, text_.size());
}

TEST_F(JobProgress, TakesBackWhatCameToNothing) {
  handler_.tells_records = 4;
  handler_.tells_bytes = 20;
  handler_.fails = true;
  job_.part_bytes = 1000;
  EXPECT_EQ(run_until(4).status, Status::kFailed);
  EXPECT_EQ(last_.records_done, 0U);
  EXPECT_EQ(last_.bytes_done, 0U);
}

TEST_F(JobProgress, OfAJobThatGoesOnCountsEachRecordOnce) {
  job_.format.max_payload_bytes = 50;
  job_.part_bytes = 50;
  output_.fail_writes_of("a.txt.out");
  handler_.may_answer = true;
  const auto first = run(handler_);
  ASSERT_TRUE(first);
  ASSERT_EQ(first->status, Status::kFailed);
  output_.fail_writes_of("");
  handler_.tells_records = 2;
  const auto second = run(handler_);
  ASSERT_TRUE(second);
  EXPECT_EQ(second->resumed_records, 10U);
  EXPECT_EQ(last_.records_done, 10U);
  EXPECT_EQ(last_.bytes_done, text_.size());
}

TEST_F(JobProgress, OfAStreamMovesWithTheLinesOfTheReply) {
  handler_.traits_.reads_records_alone = false;
  handler_.traits_.streams = true;
  job_.format.max_payload_bytes = 0;
  job_.format.batch_strategy = record::BatchStrategy::kMultiRecord;
  EXPECT_EQ(run_until(1).status, Status::kCompleted);
  EXPECT_EQ(last_.records_done, 10U);
  EXPECT_EQ(last_.records_total, 10U);
}

TEST_F(JobProgress, TakesBackWhatAStreamThatFailedHadAnswered) {
  handler_.traits_.reads_records_alone = false;
  handler_.traits_.streams = true;
  handler_.fails = true;
  job_.format.max_payload_bytes = 0;
  job_.format.batch_strategy = record::BatchStrategy::kMultiRecord;
  EXPECT_EQ(run_until(1).status, Status::kFailed);
  EXPECT_EQ(last_.records_done, 0U);
}

TEST(Eta, FollowsFromBytesAndTheRateOfTheLastMinute) {
  Progress progress;
  progress.bytes_total = 1000;
  EXPECT_EQ(progress.eta_seconds(), std::nullopt);
  progress.bytes_done = 400;
  progress.bytes_per_s = 20;
  EXPECT_EQ(progress.eta_seconds(), std::nullopt) << "nothing is known yet";
  progress.seconds = 20;
  EXPECT_EQ(progress.eta_seconds(), 30);
  progress.bytes_done = 1000;
  EXPECT_EQ(progress.eta_seconds(), 0);
}

}  // namespace
}  // namespace millrace::transform
