// Outputs that exist: kept where they are what the job would write, never mixed with others.
#include "transform/existing_outputs.h"

#include <gtest/gtest.h>

#include "transform/testing/job_test.h"

namespace millrace::transform {
namespace {

using testing::JobTest;

class ExistingOutputs : public JobTest {
 protected:
  ExistingOutputs() {
    for (size_t i = 0; i < 100; ++i) input_.put(key(i), "r" + std::to_string(i) + "\n");
    EXPECT_EQ(outputs().size(), 100U);
    asked_ = handler_.requests().size();
  }

  static std::string key(size_t i) { return "k" + std::to_string(1000 + i); }

  // Runs the job; of its objects, so many are done.
  void expect_done(size_t done, size_t kept) {
    const auto report = run();
    ASSERT_TRUE(report) << report.error().message;
    EXPECT_EQ(report->status, JobReport::Status::kCompleted) << first_error(*report);
    EXPECT_EQ(report->kept_objects, kept);
    EXPECT_EQ(report->records, done);
    EXPECT_EQ(handler_.requests().size() - asked_, done);
    asked_ = handler_.requests().size();
  }

  std::string expect_refused() {
    const auto before = output_.all();
    const auto report = run();
    EXPECT_FALSE(report);
    EXPECT_EQ(output_.all(), before);
    EXPECT_EQ(handler_.requests().size(), asked_);
    if (report) return "";
    EXPECT_EQ(report.error().code, Code::kAlreadyExists);
    return report.error().message;
  }

  size_t asked_ = 0;
};

TEST_F(ExistingOutputs, ThatMatchAreNotDoneAgain) {
  for (IfExists mode : {IfExists::kSkip, IfExists::kUpdate}) {
    job_.if_exists = mode;
    expect_done(0, 100);
  }
  job_.if_exists = IfExists::kOverwrite;
  expect_done(100, 0);
}

TEST_F(ExistingOutputs, OfAnotherModelAreAllDoneAgainAndNeverSkipped) {
  handler_.traits_.identity = "fake v2";
  job_.if_exists = IfExists::kSkip;
  EXPECT_NE(expect_refused().find("in another precision or by another version"), std::string::npos);
  job_.if_exists = IfExists::kUpdate;
  expect_done(100, 0);
  expect_done(0, 100);
  job_.model_digest = "other";
  expect_done(100, 0);
  job_.settings_digest = "d2";
  expect_done(100, 0);
}

TEST_F(ExistingOutputs, NewAndChangedInputsAreDoneAlone) {
  for (size_t i : {200U, 201U, 202U}) input_.put(key(i), "new\n");
  job_.if_exists = IfExists::kSkip;
  expect_done(3, 100);
  input_.put(key(7), "changed\n");
  EXPECT_NE(expect_refused().find("its input has changed"), std::string::npos);
  job_.if_exists = IfExists::kUpdate;
  expect_done(1, 102);
  EXPECT_EQ(output_.get("out/" + key(7) + ".out"), "<changed>\n");
}

TEST_F(ExistingOutputs, ThatSomebodyElseWroteAreNotKept) {
  output_.put("out/" + key(3) + ".out", "theirs");
  job_.if_exists = IfExists::kSkip;
  EXPECT_NE(expect_refused().find("nothing tells what it was made from"), std::string::npos);
  job_.if_exists = IfExists::kUpdate;
  expect_done(1, 99);
}

TEST_F(ExistingOutputs, AreNeverKeptForAModelWithoutIdentity) {
  handler_.traits_.identity = "";
  job_.if_exists = IfExists::kUpdate;
  expect_done(100, 0);
  expect_done(100, 0);
}

TEST_F(ExistingOutputs, AnOldErrorsFileGoesWhenItsOutputIsDoneAgain) {
  output_.put("out/" + key(3) + ".out.errors.jsonl", "old");
  input_.put(key(3), "mended\n");
  job_.if_exists = IfExists::kUpdate;
  expect_done(1, 99);
  EXPECT_FALSE(output_.get("out/" + key(3) + ".out.errors.jsonl"));
}

}  // namespace
}  // namespace millrace::transform
