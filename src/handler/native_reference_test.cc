// The native handler against PyTorch on trained weights: the reference files beside the model hold
// what Hugging Face's pipeline computed in fp32. The whole of them takes minutes in a checked
// build, so a sample is taken unless MILLRACE_TEST_LONG=1.
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "handler/handler_fixture.h"
#include "handler/native_handler.h"

namespace millrace::handler {
namespace {

using Json = nlohmann::json;

bool long_run() {
  const char* set = std::getenv("MILLRACE_TEST_LONG");
  return set != nullptr && std::string(set) == "1";
}

void expect_agreement(const std::string& reference_file) {
  const std::string folder = testing::test_data("models/minilm-l6-sst2");
  if (!std::filesystem::exists(folder)) GTEST_SKIP() << "no trained model (MILLRACE_TEST_DATA)";
  auto model = model::TextClassificationModel::load(folder, {});
  ASSERT_TRUE(model) << model.error().message;
  const NativeOptions options = testing::options_for(*model);
  auto handler = make_native_handler(*model, options, 2);
  ASSERT_TRUE(handler);

  const size_t step = long_run() ? 1 : 25;
  std::vector<Json> expected;
  std::string body;
  std::ifstream file(folder + "/" + reference_file);
  std::string line;
  for (size_t i = 0; std::getline(file, line); ++i) {
    if (i % step != 0) continue;
    expected.push_back(Json::parse(line));
    body += (body.empty() ? "" : "\n") + Json{{"inputs", expected.back()["text"]}}.dump();
  }
  ASSERT_GT(expected.size(), 20U);
  const auto reply = testing::ask(**handler, testing::request_of("application/jsonlines", body));
  ASSERT_TRUE(reply);
  ASSERT_TRUE(reply->errors.empty()) << reply->errors[0].message;
  double largest = 0;
  for (size_t i = 0; i < expected.size(); ++i) {
    const RecordSpan span = reply->records[i];
    const Json given = Json::parse(reply->body.substr(span.offset, span.length))[0];
    EXPECT_EQ(given["label"], expected[i]["label"]) << expected[i]["text"];
    const double score = given["score"].get<double>();
    largest = std::max(largest, std::abs(score - expected[i]["score"].get<double>()));
  }
  EXPECT_LE(largest, 1e-4);
  std::printf("%s: %zu records, largest difference of a score %.3g\n", reference_file.c_str(),
              expected.size(), largest);
}

TEST(Reference, Sst2DevHasTheScoresOfPyTorch) {
  expect_agreement("reference_sst2_dev.jsonl");
}
TEST(Reference, ReviewsHaveTheScoresOfPyTorch) {
  expect_agreement("reference_reviews.jsonl");
}

}  // namespace
}  // namespace millrace::handler
