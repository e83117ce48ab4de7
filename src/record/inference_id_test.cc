// Inference ids: stable, different, of a UUID's form; and where they stand in a result.
#include "record/inference_id.h"

#include <gtest/gtest.h>

#include <set>

namespace millrace::record {
namespace {

constexpr char kTime[] = "2022-08-30T00:49:15Z";

TEST(InferenceId, FollowsFromJobStartObjectAndRecord) {
  const std::string id = inference_id("job", kTime, "b/k", 7);
  EXPECT_EQ(id, inference_id("job", kTime, "b/k", 7));
  const std::set<std::string> different = {
      id, inference_id("job", kTime, "b/k", 8), inference_id("job", kTime, "b/l", 7),
      inference_id("jobs", kTime, "b/k", 7), inference_id("job", "2022-08-30T00:49:16Z", "b/k", 7)};
  EXPECT_EQ(different.size(), 5U);
  for (const std::string& each : different) {
    ASSERT_EQ(each.size(), 36U);
    EXPECT_EQ(each.substr(8, 1) + each[13] + each[18] + each[23], "----");
    EXPECT_EQ(each[14], '8') << "the version of one's own making";
    EXPECT_NE(std::string_view("89ab").find(each[19]), std::string_view::npos);
  }
}

std::string tagged(MediaType media, std::string_view result) {
  InferenceTagger tagger("job", kTime, "b/k", media, ',');
  std::string out;
  const auto status = tagger.append(7, result, &out);
  if (!status) return "error: " + status.error().message;
  const std::string id = inference_id("job", kTime, "b/k", 7);
  const size_t at = out.find(id);
  return at == std::string::npos ? out : out.replace(at, id.size(), "ID");
}

TEST(InferenceId, IsTheLastColumnButOneOfCsv) {
  EXPECT_EQ(tagged(MediaType::kCsv, "1,\"a,b\",P"), "1,\"a,b\",P,ID,2022-08-30T00:49:15Z");
}

TEST(InferenceId, StandsSortedAmongTheMembersOfJson) {
  EXPECT_EQ(tagged(MediaType::kJson, R"({"b":1.10,"SageMakerOutput":[],"A":0})"),
            R"({"A":0,"SageMakerInferenceId":"ID","SageMakerInferenceTime":"2022-08-30T00:49:15Z",)"
            R"("SageMakerOutput":[],"b":1.10})");
  EXPECT_EQ(tagged(MediaType::kJsonLines,
                   R"({"SageMakerInferenceI\u0064":1,"SageMakerInferenceTime":2})"),
            R"({"SageMakerInferenceId":"ID","SageMakerInferenceTime":"2022-08-30T00:49:15Z"})");
  EXPECT_EQ(tagged(MediaType::kJsonLines, "{}"),
            R"({"SageMakerInferenceId":"ID","SageMakerInferenceTime":"2022-08-30T00:49:15Z"})");
}

TEST(InferenceId, WrapsAResultThatIsNoObject) {
  EXPECT_EQ(tagged(MediaType::kJson, "[ 1 ]"),
            R"({"SageMakerInferenceId":"ID","SageMakerInferenceTime":"2022-08-30T00:49:15Z",)"
            R"("SageMakerOutput":[1]})");
  EXPECT_EQ(tagged(MediaType::kJson, "[1").substr(0, 39),
            "error: the model's reply: invalid JSON ");
}

}  // namespace
}  // namespace millrace::record
