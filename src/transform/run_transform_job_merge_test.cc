// Merged results: one object in the order of the keys, whole or not at all, made of what was done
// before wherever that is staged.
#include <gtest/gtest.h>

#include <algorithm>

#include "transform/testing/job_test.h"

namespace millrace::transform {
namespace {

using testing::answered;
using testing::JobTest;
using testing::lines;
using Status = JobReport::Status;

class MergeTest : public JobTest {
 protected:
  MergeTest() {
    job_.output_form.merge_key = "out/all.txt";
    for (const std::string name : {"a", "b", "c/d"}) {
      const std::string text = lines(name, name == "b" ? 30 : 3);  // b has several parts
      input_.put(name, text);
      expected_ += answered(text);
    }
  }

  std::string expected_;
};

TEST_F(MergeTest, OneObjectHoldsAllResultsInKeyOrder) {
  const auto all = outputs();
  EXPECT_EQ(all.size(), 1U);
  EXPECT_EQ(all.at("out/all.txt"), expected_);
  EXPECT_FALSE(std::filesystem::exists(area()));
}

TEST_F(MergeTest, PartSizesDoNotShow) {
  for (const uint64_t part_bytes : {1U, 17U, 1000000U}) {
    job_.part_bytes = part_bytes;
    job_.if_exists = IfExists::kOverwrite;
    EXPECT_EQ(outputs().at("out/all.txt"), expected_) << part_bytes;
  }
}

TEST_F(MergeTest, EachRecordMayNameItsInput) {
  job_.output_form.source_column = "source";
  job_.format.accept = "text/csv";
  const std::string all = outputs().at("out/all.txt");
  EXPECT_TRUE(all.starts_with("<a-0>,a\n")) << all;
  EXPECT_NE(all.find(",b\n<c/d-0>,c/d\n"), std::string::npos) << all;
}

TEST_F(MergeTest, OneFailedObjectLeavesNothingAndTheOthersAreNotDoneAgain) {
  input_.put("c/d", "ok\nbad\n");
  auto report = run();
  ASSERT_TRUE(report);
  EXPECT_EQ(report->status, Status::kFailed);
  EXPECT_EQ(report->failed_objects, 1U);
  EXPECT_TRUE(output_.all().empty());
  for (const ObjectReport& object : report->objects) EXPECT_EQ(object.output, "");

  const size_t asked = handler_.requests().size();
  input_.put("c/d", lines("c/d", 3));
  EXPECT_EQ(outputs().at("out/all.txt"), expected_);
  EXPECT_EQ(handler_.requests().size(), asked + 1) << "only the object that had failed";
}

TEST_F(MergeTest, EveryFailingCallLeavesAllOrNothingAndIsPutRight) {
  for (const bool and_later : {false, true}) {
    for (int64_t k = 0;; ++k) {
      const std::string when = "call " + std::to_string(k) + (and_later ? " and later" : "");
      for (const auto& [key, bytes] : output_.all()) EXPECT_TRUE(output_.remove(key));
      std::filesystem::remove_all(area());
      output_.fail_call(k, and_later);
      const auto report = run();
      const bool all_calls_were_made = output_.calls() <= k;
      output_.heal();
      EXPECT_EQ(output_.get("out/all.txt").value_or(expected_), expected_) << when;
      if (!report || report->status != Status::kCompleted) {
        const auto again = run();
        ASSERT_TRUE(again) << again.error().message << " " << when;
        EXPECT_EQ(again->status, Status::kCompleted) << first_error(*again) << " " << when;
      }
      EXPECT_EQ(output_.get("out/all.txt"), expected_) << when;
      EXPECT_EQ(output_.open_uploads(), 0U) << when;
      if (all_calls_were_made) break;
    }
  }
}

// Refused records of all inputs: one errors file beside the one output.
class MergeErrorsTest : public MergeTest {
 protected:
  MergeErrorsTest() {
    job_.record_errors.on = RecordErrorRules::On::kDrop;
    input_.put("a", "bad 1\na-0\nbad 2\n");
    input_.put("c/d", "c/d-0\nbad 3\n");
    expected_ = "<a-0>\n" + answered(lines("b", 30)) + "<c/d-0>\n";
  }

  void expect_right(const std::string& when) {
    EXPECT_EQ(output_.get("out/all.txt"), expected_) << when;
    const std::string errors = output_.get("out/all.txt.errors.jsonl").value_or("");
    EXPECT_EQ(std::count(errors.begin(), errors.end(), '\n'), 3) << when;
    size_t at = 0;
    for (const char* one :
         {R"({"object":"s3://in/a","record_number":1,"byte_offset":0,)", R"("record":"bad 1"})",
          R"({"object":"s3://in/a","record_number":3,"byte_offset":10,)", R"("record":"bad 2"})",
          R"({"object":"s3://in/c/d","record_number":2,"byte_offset":6,)", R"("bad 3"})"}) {
      at = errors.find(one, at);
      ASSERT_NE(at, std::string::npos) << one << " " << errors << when;
    }
  }

  void forget_all() {
    for (const auto& [key, bytes] : output_.all()) EXPECT_TRUE(output_.remove(key));
    std::filesystem::remove_all(area());
  }
};

TEST_F(MergeErrorsTest, AreInOneFileInTheOrderOfTheInputs) {
  for (const uint64_t part_bytes : {1U, 17U, 1000000U}) {
    job_.part_bytes = part_bytes;
    forget_all();
    EXPECT_EQ(outputs().size(), 2U);
    expect_right(std::to_string(part_bytes));
  }
}

TEST_F(MergeErrorsTest, PlaceholdersNameTheirInputToo) {
  job_.record_errors.on = RecordErrorRules::On::kRecord;
  job_.output_form.source_column = "source";
  job_.format.accept = "text/csv";
  const std::string all = outputs().at("out/all.txt");
  EXPECT_TRUE(all.starts_with("ERROR,a\n<a-0>,a\nERROR,a\n<b-0>,b\n")) << all;
  EXPECT_TRUE(all.ends_with("<c/d-0>,c/d\nERROR,c/d\n")) << all;
}

TEST_F(MergeErrorsTest, TheThresholdIsOfEachInput) {
  job_.record_errors.percent_max = 60;
  job_.record_errors.text = "60%";
  const auto report = run();
  ASSERT_TRUE(report);
  EXPECT_EQ(report->status, Status::kFailed);
  EXPECT_EQ(report->failed_objects, 1U);
  EXPECT_NE(first_error(*report).find("more than 60% of 3 records"), std::string::npos);
  EXPECT_TRUE(output_.all().empty()) << "neither the output nor an errors file";
}

TEST_F(MergeErrorsTest, EveryFailingCallLeavesTheOutputWithItsErrorsOrNoOutput) {
  for (const bool and_later : {false, true}) {
    for (int64_t k = 0;; ++k) {
      const std::string when = "call " + std::to_string(k) + (and_later ? " and later" : "");
      forget_all();
      output_.fail_call(k, and_later);
      const auto report = run();
      const bool all_calls_were_made = output_.calls() <= k;
      output_.heal();
      if (output_.get("out/all.txt")) expect_right(when);
      if (!report || report->status != Status::kCompleted) {
        const auto again = run();
        ASSERT_TRUE(again) << again.error().message << " " << when;
        EXPECT_EQ(again->status, Status::kCompleted) << first_error(*again) << " " << when;
      }
      expect_right(when);
      EXPECT_EQ(output_.open_uploads(), 0U) << when;
      if (all_calls_were_made) break;
    }
  }
}

TEST_F(MergeErrorsTest, AnErrorsFileOfAnEarlierResultIsInTheWayOrGoes) {
  output_.put("out/all.txt.errors.jsonl", "old\n");
  ASSERT_FALSE(run()) << "it would be taken for the new output's";
  job_.if_exists = IfExists::kOverwrite;
  outputs();
  expect_right("replaced");
  input_.put("a", lines("a", 3));
  input_.put("c/d", lines("c/d", 3));
  EXPECT_EQ(outputs().size(), 1U) << "no record was refused, so there is no errors file";
}

TEST_F(MergeTest, AnObjectThatExistsIsInTheWay) {
  output_.put("out/all.txt", "mine");
  const auto report = run();
  ASSERT_FALSE(report);
  EXPECT_EQ(report.error().code, Code::kAlreadyExists);
  EXPECT_EQ(output_.get("out/all.txt"), "mine");
}

}  // namespace
}  // namespace millrace::transform
