#include "handler/compare_results.h"

#include <gtest/gtest.h>

#include <cmath>

#include "handler/handler_fixture.h"
#include "handler/measure_engine.h"

namespace millrace::handler {
namespace {

using testing::tiny_model;

NativeContext context_with(const testing::Settings& settings = {}) {
  const testing::Model model = tiny_model();
  return {model, testing::options_for(model, settings)};
}

TEST(CompareResults, EqualResultsDoNotDiffer) {
  const std::vector<float> logits = {1, 2, -3, 0.5F};
  const ResultDifference difference = compare_results(context_with(), logits, logits);
  EXPECT_TRUE(difference.changed.empty());
  EXPECT_EQ(difference.largest_score_change, 0);
  EXPECT_EQ(difference.mean_score_change, 0);
}

TEST(CompareResults, CountsLabelsAndMeasuresProbabilities) {
  const std::vector<float> fp32 = {0, 1, 0, 0.1F, 5, 0};
  const std::vector<float> other = {0, 1, 0, -0.1F, 5, 0};
  const ResultDifference difference = compare_results(context_with(), fp32, other);
  EXPECT_EQ(difference.changed, (std::vector<size_t>{1}));
  const double expected = 1 / (1 + std::exp(-0.1)) - 1 / (1 + std::exp(0.1));
  EXPECT_NEAR(difference.largest_score_change, expected, 1e-6);
  EXPECT_NEAR(difference.mean_score_change, expected / 3, 1e-6);
}

TEST(CompareResults, LabelsAreTheOnesThatThresholdsGive) {
  const std::vector<float> fp32 = {-1.0F, 0};   // p(NEGATIVE) = 0.27
  const std::vector<float> other = {-0.7F, 0};  // 0.33
  EXPECT_TRUE(compare_results(context_with(), fp32, other).changed.empty());
  const NativeContext early = context_with({{"THRESHOLDS", R"({"NEGATIVE":0.3})"}});
  EXPECT_EQ(compare_results(early, fp32, other).changed.size(), 1U);
  EXPECT_EQ(label_given(early, fp32), "POSITIVE");
  EXPECT_EQ(label_given(early, other), "NEGATIVE");
}

TEST(CompareResults, ANumberThatIsNoneIsTheLargestChange) {
  const std::vector<float> fp32 = {0, 1, 0, 1};
  const std::vector<float> other = {NAN, 1, 0, 2};
  EXPECT_TRUE(std::isnan(compare_results(context_with(), fp32, other).largest_score_change));
}

TEST(MeasureEngine, GivesTheLogitsOfEachTextInOrder) {
  const testing::Model model = tiny_model();
  std::vector<std::string> texts;
  for (int i = 0; i < 200; ++i) texts.push_back(std::string(static_cast<size_t>(i % 40), 'a'));
  for (const bool deduplicate : {false, true}) {
    const auto measured = measure_engine(model, texts, 2, deduplicate);
    ASSERT_TRUE(measured);
    ASSERT_EQ(measured->logits.size(), texts.size() * 2);
    EXPECT_EQ(measured->duplicates, deduplicate ? 160U : 0U);
    for (size_t i = 40; i < texts.size(); ++i) {
      EXPECT_EQ(measured->logits[2 * i], measured->logits[2 * (i % 40)]);
    }
    EXPECT_NE(measured->logits[2], measured->logits[4]);
  }
}

}  // namespace
}  // namespace millrace::handler
