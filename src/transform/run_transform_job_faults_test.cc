// What a fault may leave behind: whole outputs or none, whatever call fails, and nothing that the
// job's next run does not put right.
#include <gtest/gtest.h>

#include <fstream>

#include "transform/testing/job_test.h"
#include "transform/work_area.h"

namespace millrace::transform {
namespace {

using testing::answered;
using testing::JobTest;
using testing::lines;
using Status = JobReport::Status;

class JobFaults : public JobTest {
 protected:
  JobFaults() {
    for (const auto& [key, text] : inputs_) input_.put(key, text);
    job_.feeders = 2;
  }

  // Whole outputs or none.
  void expect_whole_outputs(const std::string& when) {
    for (const auto& [key, bytes] : output_.all()) {
      const std::string name = key.substr(4, key.size() - 8);  // out/NAME.out
      EXPECT_EQ(bytes, answered(inputs_.at(name))) << key << " " << when;
    }
  }

  // The job's next run, on stores that work, ends right and leaves nothing.
  void expect_next_run_completes(const std::string& when) {
    input_.heal();
    output_.heal();
    const auto report = run();
    ASSERT_TRUE(report) << report.error().message << " " << when;
    EXPECT_EQ(report->status, Status::kCompleted) << first_error(*report) << " " << when;
    EXPECT_EQ(output_.all().size(), inputs_.size()) << when;
    EXPECT_EQ(report->records, 46U) << when;
    expect_whole_outputs(when);
    EXPECT_EQ(output_.open_uploads(), 0U) << when;
    EXPECT_FALSE(std::filesystem::exists(area())) << when;
  }

  void reset() {
    for (const auto& [key, bytes] : output_.all()) EXPECT_TRUE(output_.remove(key));
    std::filesystem::remove_all(area());
  }

  // Fails each call in turn of a whole run against `store`.
  void fail_each_call_of(testing::MemoryStore& store, bool and_later) {
    for (int64_t k = 0;; ++k) {
      const std::string when = "call " + std::to_string(k) + (and_later ? " and later" : "");
      reset();
      // A run lists the input while it plans, which is not under test here.
      ASSERT_TRUE(plan());
      store.fail_call(k, and_later);
      const auto report = run_planned();
      const bool all_calls_were_made = store.calls() <= k;
      store.heal();
      expect_whole_outputs(when);
      if (!report) {
        EXPECT_TRUE(output_.all().empty()) << when;
        EXPECT_NE(report.error().message.find("fails on demand"), std::string::npos);
      } else {
        size_t written = 0;
        for (const ObjectReport& object : report->objects) {
          EXPECT_NE(object.output.empty(), object.error.empty()) << when;
          written += object.error.empty() ? 1 : 0;
          if (!object.error.empty()) {
            EXPECT_NE(object.error.find("fails on demand"), std::string::npos) << object.error;
          }
        }
        EXPECT_EQ(output_.all().size(), written) << when;
        EXPECT_EQ(report->failed_objects, inputs_.size() - written) << when;
      }
      // A completed job leaves nothing to go on with; the same command again is another job.
      if (!report || report->status != Status::kCompleted) expect_next_run_completes(when);
      if (all_calls_were_made) break;
      ASSERT_LT(k, 1000);
    }
  }

  Result<Plan> plan() {
    PlanOptions options;
    options.output_prefix = "out/";
    auto plan = plan_inputs(input_, options);
    if (plan) job_.objects = plan->objects;
    return plan;
  }
  Result<JobReport> run_planned() {
    return run_transform_job(job_, input_, output_, handler_, work(), progress_, cancel_);
  }

  const std::map<std::string, std::string> inputs_ = {
      {"a", lines("a", 5)}, {"b", lines("b", 30)}, {"c", lines("c", 1)}, {"d", lines("d", 10)}};
};

TEST_F(JobFaults, EachFailedCallOfTheOutputStoreLeavesWholeOutputsOrNone) {
  fail_each_call_of(output_, false);
}

TEST_F(JobFaults, AnOutputStoreThatFailsFromSomeCallOnLeavesWholeOutputsOrNone) {
  fail_each_call_of(output_, true);
}

TEST_F(JobFaults, EachFailedCallOfTheInputStoreLeavesWholeOutputsOrNone) {
  fail_each_call_of(input_, false);
}

TEST_F(JobFaults, AnInputStoreThatFailsFromSomeCallOnLeavesWholeOutputsOrNone) {
  fail_each_call_of(input_, true);
}

TEST_F(JobFaults, AnExistingOutputRefusesTheJobBeforeAnythingIsDone) {
  output_.put("out/c.out", "theirs");
  for (size_t more : {0U, 50U}) {  // looked up one by one, or listed
    for (size_t i = 0; i < more; ++i) input_.put("z" + std::to_string(i), "x\n");
    const auto report = run();
    ASSERT_FALSE(report);
    EXPECT_EQ(report.error().code, Code::kAlreadyExists);
    EXPECT_NE(report.error().message.find("s3://out/out/c.out"), std::string::npos);
    EXPECT_EQ(output_.all().size(), 1U);
    EXPECT_TRUE(handler_.requests().empty());
    EXPECT_FALSE(std::filesystem::exists(area()));
  }
  job_.if_exists = IfExists::kOverwrite;
  EXPECT_EQ(outputs().at("out/c.out"), answered(inputs_.at("c")));
}

TEST_F(JobFaults, AnOutputThatAppearsMeanwhileIsNotReplaced) {
  handler_.on_request = [&] {
    if (!output_.get("out/b.out")) output_.put("out/b.out", "theirs");
  };
  const auto report = run();
  ASSERT_TRUE(report);
  EXPECT_EQ(report->failed_objects, 1U);
  EXPECT_EQ(output_.get("out/b.out"), "theirs");
}

TEST_F(JobFaults, TheNextRunSkipsWhatIsCommittedAndUnchanged) {
  input_.put("b", "bad\n");
  auto report = run();
  ASSERT_TRUE(report);
  EXPECT_EQ(report->status, Status::kFailed);
  const int64_t opens = input_.opens();
  input_.put("b", inputs_.at("b"));
  report = run();
  ASSERT_TRUE(report);
  EXPECT_EQ(report->status, Status::kCompleted) << first_error(*report);
  EXPECT_EQ(report->records, 46U);
  EXPECT_EQ(report->counts.rows, 46U);
  EXPECT_EQ(report->objects[0].output, "s3://out/out/a.out");
  EXPECT_EQ(report->objects[0].records, 5U);
  expect_whole_outputs("next run");
  // The scan and the parts of b alone.
  const auto parts = static_cast<int64_t>(inputs_.at("b").size() / job_.part_bytes) + 2;
  EXPECT_LE(input_.opens() - opens, parts);
}

TEST_F(JobFaults, TheNextRunRedoesWhatChanged) {
  input_.put("b", "bad\n");
  ASSERT_TRUE(run());
  input_.put("b", inputs_.at("b"));
  output_.put("out/a.out", "somebody wrote here");
  input_.put("c", "other\n");
  const auto report = run();
  ASSERT_TRUE(report);
  EXPECT_EQ(report->status, Status::kCompleted) << first_error(*report);
  EXPECT_EQ(output_.get("out/a.out"), answered(inputs_.at("a")));
  EXPECT_EQ(output_.get("out/c.out"), "<other>\n");
}

TEST_F(JobFaults, UnderOtherSettingsAnEarlierRunsOutputsAreNotThisJobs) {
  input_.put("b", "bad\n");
  ASSERT_TRUE(run());
  job_.settings_digest = "d2";
  const auto report = run();
  ASSERT_FALSE(report);
  EXPECT_EQ(report.error().code, Code::kAlreadyExists);
}

// A kill between the commit and its line in the journal.
TEST_F(JobFaults, AnOutputWhoseCommitTheJournalDoesNotConfirmIsThisJobsOwn) {
  {
    auto area = WorkArea::open(this->area());
    ASSERT_TRUE(area);
    ASSERT_TRUE(plan());
    ASSERT_TRUE((*area)->begin(job_, input_, output_));
    ASSERT_TRUE((*area)->journal().output_committing("out/a.out", "d1"));
    output_.put("out/a.out", answered(inputs_.at("a")));
  }
  expect_next_run_completes("after the kill");
}

TEST_F(JobFaults, AnUploadThatAKillLeftIsAbortedByTheNextRun) {
  {
    auto area = WorkArea::open(this->area());
    ASSERT_TRUE(area);
    ASSERT_TRUE(plan());
    ASSERT_TRUE((*area)->begin(job_, input_, output_));
    ASSERT_TRUE((*area)->journal().upload_intent("out/a.out"));
    ASSERT_TRUE((*area)->journal().upload_started("out/a.out", output_.leave_upload("out/a.out")));
  }
  EXPECT_EQ(output_.open_uploads(), 1U);
  expect_next_run_completes("after the kill");
}

TEST_F(JobFaults, AJobThatRunsElsewhereIsRefused) {
  const auto area = WorkArea::open(this->area());
  ASSERT_TRUE(area);
  const auto report = run();
  ASSERT_FALSE(report);
  EXPECT_EQ(report.error().code, Code::kAlreadyExists);
  EXPECT_NE(report.error().message.find("locked by process"), std::string::npos);
  EXPECT_TRUE(output_.all().empty());
}

TEST_F(JobFaults, AWorkAreaThatCannotBeMadeRefusesTheJob) {
  std::filesystem::create_directories(area().parent_path());
  std::ofstream(area()) << "a file";
  const auto report = run();
  ASSERT_FALSE(report);
  EXPECT_NE(report.error().message.find(area().string()), std::string::npos);
}

TEST_F(JobFaults, AStagedPartThatCannotBeWrittenFailsItsObjectAlone) {
  handler_.on_request = [&] {  // parts/ is gone: no part can be staged any more
    std::error_code code;
    std::filesystem::remove_all(area() / "parts", code);
  };
  const auto report = run();
  ASSERT_TRUE(report);
  EXPECT_EQ(report->status, Status::kFailed);
  for (const ObjectReport& object : report->objects) {
    const bool has_parts = object.input == "s3://in/b";
    EXPECT_NE(object.error.empty(), has_parts) << object.error;
  }
  EXPECT_NE(first_error(*report).find("stage part"), std::string::npos) << first_error(*report);
  expect_whole_outputs("without parts/");
  EXPECT_EQ(output_.open_uploads(), 0U);
}

TEST_F(JobFaults, AnObjectThatChangedSinceItWasListedFails) {
  ASSERT_TRUE(plan());
  input_.put("b", lines("b", 31));
  const auto report = run_planned();
  ASSERT_TRUE(report);
  EXPECT_EQ(report->failed_objects, 1U);
  EXPECT_NE(first_error(*report).find("changed since it was listed"), std::string::npos);
}

TEST_F(JobFaults, AnOutputOverAnInputIsRefused) {
  job_.objects = {{{"a", 1, "v1", ""}, "a"}};
  const auto report = run_transform_job(job_, input_, input_, handler_, work(), progress_, cancel_);
  ASSERT_FALSE(report);
  EXPECT_EQ(report.error().code, Code::kInvalidArgument);
  EXPECT_EQ(input_.get("a"), inputs_.at("a"));
}

}  // namespace
}  // namespace millrace::transform
