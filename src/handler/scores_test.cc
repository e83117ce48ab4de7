#include "handler/scores.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <array>
#include <limits>

#include <cmath>

namespace millrace::handler {
namespace {

using ::testing::ElementsAre;
using Thresholds = std::vector<std::pair<uint32_t, double>>;

std::vector<float> scored(ScoreFunction function, const std::vector<float>& logits) {
  std::vector<float> scores(logits.size());
  apply_score_function(function, logits, scores.data());
  return scores;
}

TEST(Scores, ANumberThatIsNoneGivesNone) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const std::array<float, 2> logits = {1.0F, nan};
  std::array<float, 2> scores = {};
  for (const auto function : {ScoreFunction::kSoftmax, ScoreFunction::kSigmoid}) {
    apply_score_function(function, logits, scores.data());
    EXPECT_TRUE(std::isnan(scores[1]));
  }
}

TEST(Scores, SoftmaxAgreesWithDoublePrecisionForAllMagnitudes) {
  for (float a = -30; a < 30; a += 0.37F) {
    const std::vector<float> scores = scored(ScoreFunction::kSoftmax, {a, 1.25F});
    const double expected = 1 / (1 + std::exp(1.25 - static_cast<double>(a)));
    EXPECT_NEAR(scores[0], expected, 2e-7) << a;
    EXPECT_NEAR(scores[0] + scores[1], 1, 2e-7);
  }
}

TEST(Scores, SigmoidAgreesWithDoublePrecisionAndSaturates) {
  for (float a = -30; a < 30; a += 0.37F) {
    EXPECT_NEAR(scored(ScoreFunction::kSigmoid, {a})[0],
                1 / (1 + std::exp(-static_cast<double>(a))), 2e-7);
  }
  EXPECT_EQ(scored(ScoreFunction::kSigmoid, {1e6F})[0], 1.0F);
  EXPECT_EQ(scored(ScoreFunction::kSigmoid, {-1e6F})[0], 0.0F);
  EXPECT_EQ(scored(ScoreFunction::kSigmoid, {-100})[0], 0.0F);
}

TEST(Scores, SoftmaxOfHugeLogitsStaysFinite) {
  EXPECT_THAT(scored(ScoreFunction::kSoftmax, {3e38F, -3e38F}), ElementsAre(1.0F, 0.0F));
}

TEST(Scores, NoneGivesTheLogits) {
  EXPECT_THAT(scored(ScoreFunction::kNone, {2.5F, -1}), ElementsAre(2.5F, -1.0F));
}

TEST(Scores, EqualScoresKeepTheOrderOfTheIds) {
  const std::vector<float> scores = {0.25F, 0.5F, 0.25F, 0.5F};
  EXPECT_EQ(top_label(scores), 1U);
  std::vector<uint32_t> order;
  order_labels(scores, &order);
  EXPECT_THAT(order, ElementsAre(1, 3, 0, 2));
}

TEST(Decide, WithoutThresholdsTheTopLabel) {
  const Decision given = decide(std::vector<float>{0.4F, 0.6F}, {}, true);
  EXPECT_EQ(given.label, 1U);
  EXPECT_EQ(given.score, 0.6F);
}

TEST(Decide, TheFirstThresholdReachedWinsEvenOverAHigherScore) {
  const Decision given = decide(std::vector<float>{0.35F, 0.65F}, {{0, 0.3}, {1, 0.6}}, false);
  EXPECT_EQ(given.label, 0U);
  EXPECT_EQ(given.score, 0.35F);
  EXPECT_EQ(decide(std::vector<float>{0.35F, 0.65F}, {{1, 0.6}, {0, 0.3}}, false).label, 1U);
}

TEST(Decide, AThresholdIsReachedByEquality) {
  EXPECT_EQ(decide(std::vector<float>{0.5F, 0.5F}, {{1, 0.5}}, false).label, 1U);
}

TEST(Decide, ThenTheMostProbableUnlistedLabel) {
  const Decision given = decide(std::vector<float>{0.5F, 0.2F, 0.3F}, {{0, 0.9}}, true);
  EXPECT_EQ(given.label, 2U);
  EXPECT_EQ(given.score, 0.3F);
}

TEST(Decide, ElseTheOtherwiseLabelWithTheTopScore) {
  const Thresholds thresholds = {{0, 0.7}, {1, 0.7}};
  const Decision otherwise = decide(std::vector<float>{0.4F, 0.6F}, thresholds, true);
  EXPECT_EQ(otherwise.label, std::nullopt);
  EXPECT_EQ(otherwise.score, 0.6F);
  EXPECT_EQ(decide(std::vector<float>{0.4F, 0.6F}, thresholds, false).label, 1U);
}

}  // namespace
}  // namespace millrace::handler
