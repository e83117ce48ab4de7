#include "cli/precision_hint.h"

#include <gtest/gtest.h>

namespace millrace::cli {
namespace {

jobs::TransformOutcome long_run() {
  jobs::TransformOutcome outcome;
  outcome.model_name = "models/mine";
  outcome.model.emplace();
  outcome.precision_by_default = true;
  outcome.report.seconds = 60;
  outcome.report.counts.rows = 1000;
  return outcome;
}

TEST(PrecisionHint, TellsAfterALongRunInFp32ThatNobodyChose) {
  const auto hint = precision_hint(long_run());
  ASSERT_TRUE(hint);
  EXPECT_NE(hint->find("int8"), std::string::npos);
  EXPECT_NE(hint->find("--compare-precisions --model models/mine"), std::string::npos);
  EXPECT_EQ(hint->find('\n'), std::string::npos);
}

TEST(PrecisionHint, SaysNothingWhereItWouldNotHelp) {
  auto chosen = long_run();
  chosen.precision_by_default = false;
  EXPECT_FALSE(precision_hint(chosen));
  auto container = long_run();
  container.model.reset();
  EXPECT_FALSE(precision_hint(container));
  auto soon_over = long_run();
  soon_over.report.seconds = 3;
  EXPECT_FALSE(precision_hint(soon_over));
  auto failed = long_run();
  failed.report.status = transform::JobReport::Status::kFailed;
  EXPECT_FALSE(precision_hint(failed));
  auto from_cache = long_run();
  from_cache.report.counts.cached = 900;
  EXPECT_FALSE(precision_hint(from_cache));
}

}  // namespace
}  // namespace millrace::cli
