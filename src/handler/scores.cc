// The arithmetic is a handful of operations on a handful of labels, so clarity comes first; but no
// libm, whose exp differs between CPUs in the last bit.
#include "handler/scores.h"

#include <algorithm>
#include <bit>
#include <limits>
#include <numeric>

namespace millrace::handler {

namespace {

// e^x within 1e-14, NaN of NaN: x = k ln 2 + r, |r| <= ln 2 / 2, Taylor series of e^r, times 2^k.
double exponential(double x) {
  if (x != x) return x;  // no integer is near it
  if (x > 700) return std::numeric_limits<double>::infinity();
  if (x < -700) return 0;
  const double scaled = x * 1.4426950408889634;
  const auto k = static_cast<int64_t>(scaled + (scaled < 0 ? -0.5 : 0.5));
  const double whole = static_cast<double>(k);
  // ln 2 in two parts: the first has so few bits that its product with k is exact.
  const double r = (x - whole * 6.93147180369123816490e-01) - whole * 1.90821492927058770002e-10;
  double sum = 1;
  for (int n = 13; n >= 1; --n) sum = 1 + sum * r / n;
  return sum * std::bit_cast<double>(static_cast<uint64_t>(k + 1023) << 52);
}

float exponential_float(float x) {
  const double value = exponential(x);
  constexpr double kMax = std::numeric_limits<float>::max();
  return value > kMax ? std::numeric_limits<float>::infinity() : static_cast<float>(value);
}

}  // namespace

void apply_score_function(ScoreFunction function, std::span<const float> logits, float* scores) {
  switch (function) {
    case ScoreFunction::kNone:
      std::copy(logits.begin(), logits.end(), scores);
      return;
    case ScoreFunction::kSigmoid:
      for (size_t i = 0; i < logits.size(); ++i) {
        scores[i] = 1.0F / (1.0F + exponential_float(-logits[i]));
      }
      return;
    case ScoreFunction::kSoftmax: {
      const float highest = *std::max_element(logits.begin(), logits.end());
      float sum = 0;
      for (size_t i = 0; i < logits.size(); ++i) {
        scores[i] = exponential_float(logits[i] - highest);
        sum += scores[i];
      }
      for (size_t i = 0; i < logits.size(); ++i) scores[i] /= sum;
      return;
    }
  }
}

uint32_t top_label(std::span<const float> scores) {
  return static_cast<uint32_t>(std::max_element(scores.begin(), scores.end()) - scores.begin());
}

void order_labels(std::span<const float> scores, std::vector<uint32_t>* order) {
  order->resize(scores.size());
  std::iota(order->begin(), order->end(), 0U);
  std::stable_sort(order->begin(), order->end(),
                   [&](uint32_t a, uint32_t b) { return scores[a] > scores[b]; });
}

Decision decide(std::span<const float> scores,
                const std::vector<std::pair<uint32_t, double>>& thresholds, bool has_otherwise) {
  const uint32_t top = top_label(scores);
  if (thresholds.empty()) return {top, scores[top]};
  for (const auto& [label, threshold] : thresholds) {
    if (static_cast<double>(scores[label]) >= threshold) return {label, scores[label]};
  }
  std::optional<uint32_t> best;
  for (uint32_t id = 0; id < scores.size(); ++id) {
    const bool listed = std::any_of(thresholds.begin(), thresholds.end(),
                                    [&](const auto& entry) { return entry.first == id; });
    if (!listed && (!best || scores[id] > scores[*best])) best = id;
  }
  if (best) return {best, scores[*best]};
  if (has_otherwise) return {std::nullopt, scores[top]};
  return {top, scores[top]};
}

}  // namespace millrace::handler
