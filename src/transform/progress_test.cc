// The rate that progress tells is that of the last minute.
#include "transform/progress.h"

#include <gtest/gtest.h>

#include "base/limits.h"

namespace millrace::transform {
namespace {

TEST(RateMeter, TellsNothingBeforeThereIsAnything) {
  RateMeter meter;
  EXPECT_EQ(meter.per_s(), 0);
  meter.add(0, 0);
  EXPECT_EQ(meter.per_s(), 0);
}

TEST(RateMeter, IsOfAllTimeAtFirstAndThenOfTheLastMinute) {
  RateMeter meter;
  for (int tick = 0; tick <= 5 * 60; ++tick) meter.add(tick * 0.2, tick * 2);  // 10 a second
  EXPECT_NEAR(meter.per_s(), 10, 0.1);
  double count = 600;
  for (int tick = 1; tick <= 5 * 30; ++tick) meter.add(60 + tick * 0.2, count += 10);  // 50
  EXPECT_NEAR(meter.per_s(), 30, 1);
  for (int tick = 1; tick <= 5 * 61; ++tick) meter.add(90 + tick * 0.2, count += 10);
  EXPECT_NEAR(meter.per_s(), 50, 0.5);
  for (int tick = 1; tick <= 5 * 61; ++tick) meter.add(151 + tick * 0.2, count);  // it stands
  EXPECT_NEAR(meter.per_s(), 0, 0.1);
}

TEST(RateMeter, FollowsCallsThatComeRarely) {
  RateMeter meter;
  meter.add(0, 0);
  meter.add(200, 2000);
  EXPECT_NEAR(meter.per_s(), 10, 1e-9);
  meter.add(400, 2000);
  EXPECT_NEAR(meter.per_s(), 0, 1e-9);
}

}  // namespace
}  // namespace millrace::transform
