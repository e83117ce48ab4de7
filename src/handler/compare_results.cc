#include "handler/compare_results.h"

#include <algorithm>
#include <cmath>

#include "base/check.h"
#include "handler/scores.h"

namespace millrace::handler {

std::string_view label_given(const NativeContext& context, std::span<const float> logits) {
  std::vector<float> scores(logits.size());
  apply_score_function(context.default_function, logits, scores.data());
  const NativeOptions& options = context.options;
  const Decision given = decide(scores, options.thresholds, !options.otherwise.empty());
  return given.label ? options.labels[*given.label] : options.otherwise;
}

ResultDifference compare_results(const NativeContext& context, std::span<const float> expected,
                                 std::span<const float> logits) {
  const size_t labels = context.label_count();
  MR_CHECK(expected.size() == logits.size() && logits.size() % labels == 0);
  ResultDifference difference;
  std::vector<float> before(labels);
  std::vector<float> after(labels);
  double sum = 0;
  for (size_t i = 0; i * labels < logits.size(); ++i) {
    const auto one = expected.subspan(i * labels, labels);
    const auto other = logits.subspan(i * labels, labels);
    if (label_given(context, one) != label_given(context, other)) difference.changed.push_back(i);
    apply_score_function(context.default_function, one, before.data());
    apply_score_function(context.default_function, other, after.data());
    for (size_t l = 0; l < labels; ++l) {
      const double change = std::fabs(static_cast<double>(before[l]) - after[l]);
      // NaN is larger than every change, and stays so.
      double& largest = difference.largest_score_change;
      if (!(change <= largest) && !std::isnan(largest)) largest = change;
      sum += change;
    }
  }
  if (!logits.empty()) difference.mean_score_change = sum / static_cast<double>(logits.size());
  return difference;
}

}  // namespace millrace::handler
