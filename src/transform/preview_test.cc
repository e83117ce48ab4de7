// A preview counts, cuts and predicts as the job itself would, from the heads of its objects.
#include "transform/preview.h"

#include <gtest/gtest.h>

#include "base/limits.h"
#include "transform/testing/job_test.h"

namespace millrace::transform {
namespace {

using testing::JobTest;

class Preview : public JobTest {
 protected:
  Preview() { job_.format.max_payload_bytes = 6 << 20; }

  void plan() {
    PlanOptions options;
    job_.objects = plan_inputs(input_, options)->objects;
  }
  RecordCount count(double seconds = 60) {
    plan();
    return count_records(job_, input_, handler_.traits(), seconds, cancel_);
  }
  Head head() {
    plan();
    return Head::read(job_, input_, handler_, cancel_);
  }
  std::string result(const Head& head, size_t index) {
    const auto result = head.result(index, handler_, cancel_);
    return result ? *result : "error: " + result.error().message;
  }
};

TEST_F(Preview, CountsTheRecordsOfAllObjects) {
  input_.put("a", testing::lines("a", 700));
  input_.put("b", "");
  input_.put("c", "one\ntwo");
  const RecordCount found = count();
  EXPECT_EQ(found.records, 702U);
  EXPECT_TRUE(found.exact);
  job_.format.split_type = record::SplitType::kNone;
  EXPECT_EQ(count().records, 3U);
}

TEST_F(Preview, SaysThatItCountedNotAllWhenTheTimeIsUp) {
  for (const char* key : {"a", "b", "c", "d"}) input_.put(key, testing::lines("x", 5000));
  const RecordCount found = count(0);
  EXPECT_FALSE(found.exact);
  EXPECT_EQ(found.records, 0U) << "nothing was read, so there is nothing to estimate by";
}

TEST_F(Preview, ShowsRecordsAndWhatBecomesOfThem) {
  input_.put("a", "");
  input_.put("b", "one\r\ntwo\nthree");
  const Head found = head();
  ASSERT_EQ(found.size(), 3U);
  EXPECT_EQ(found.object(), input_.describe("b"));
  EXPECT_EQ(found.record(0), "one");
  EXPECT_EQ(found.record(2), "three");
  EXPECT_EQ(result(found, 1), "<two>");
  EXPECT_EQ(found.bytes(2), 9U);
}

TEST_F(Preview, LeavesTheHeaderOut) {
  job_.format.content_type = job_.format.accept = "text/csv";
  job_.format.csv = {.rfc4180 = true, .header = true};
  handler_.traits_.result_columns = {"label"};
  input_.put("a", "id,text\n7,\"two\nlines\"\n8,x\n");
  const Head found = head();
  ASSERT_EQ(found.size(), 2U);
  EXPECT_EQ(found.record(0), "7,\"two\nlines\"");
  EXPECT_EQ(result(found, 1), "<8,x>");
  EXPECT_EQ(count().records, 2U);
}

TEST_F(Preview, CutsElementsOfAnArrayOutOfIt) {
  job_.format.content_type = job_.format.accept = "application/json";
  job_.format.split_type = record::SplitType::kJsonArray;
  job_.format.assemble_with = record::AssembleWith::kNone;
  handler_.answer_with([](std::string_view record) { return std::string(record); });
  input_.put("a", "[ {\"a\": 1},\n  [2] , \"x\"\n]\n");
  const Head found = head();
  ASSERT_EQ(found.size(), 3U);
  const std::vector<std::string> records = {"{\"a\": 1}", "[2]", "\"x\""};
  for (size_t i = 0; i < 3; ++i) {
    EXPECT_NE(found.record(i).find(records[i]), std::string::npos) << found.record(i);
    EXPECT_EQ(result(found, i), "[" + records[i] + "]");
  }
}

TEST_F(Preview, DropsARecordThatTheHeadCutsOff) {
  std::string object;
  while (object.size() < limits::kPreviewBytesMax + limits::kReadBlockBytes) {
    object += std::string(999, 'x') + "\n";
  }
  input_.put("a", object);
  const Head found = head();
  ASSERT_GT(found.size(), 1000U);
  EXPECT_EQ(found.record(found.size() - 1), std::string(999, 'x'));
}

TEST_F(Preview, SaysWhatWouldFail) {
  input_.put("a", "fine\nbad\n");
  const Head found = head();
  EXPECT_EQ(result(found, 0), "<fine>");
  EXPECT_NE(result(found, 1).find("it is bad"), std::string::npos);
  EXPECT_TRUE(measure_rate(found, handler_, 0.05, cancel_)) << "bad records are answered, too";
}

TEST_F(Preview, OfNothingThatCanBeReadIsEmpty) {
  EXPECT_TRUE(head().empty());
  input_.put("a", "");
  EXPECT_TRUE(head().empty());
}

TEST_F(Preview, MeasuresMoreAndMoreUntilTheTimeIsUp) {
  handler_.delay = std::chrono::microseconds(200);
  input_.put("a", testing::lines("a", 50000));
  const auto rate = measure_rate(head(), handler_, 0.2, cancel_);
  ASSERT_TRUE(rate) << rate.error().message;
  EXPECT_GT(rate->records_per_s, 1000) << "a request of many records takes little more";
  EXPECT_GT(rate->bytes_per_s, rate->records_per_s * 5);
}

}  // namespace
}  // namespace millrace::transform
