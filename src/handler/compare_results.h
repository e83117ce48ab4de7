// What another precision (or another model of the same labels) changes in the results of the same
// texts: labels as the job's thresholds give them, and scores.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "handler/native_context.h"

namespace millrace::handler {

struct ResultDifference {
  // Texts that get another label, by index.
  std::vector<size_t> changed;
  // Over all labels of all texts.
  double largest_score_change = 0;
  double mean_score_change = 0;
};

// The label that a text with these logits gets, as replies name it.
std::string_view label_given(const NativeContext& context, std::span<const float> logits);

// Both as measure_engine gives them, of the same texts. REQUIRES: equal sizes, a multiple of the
// labels' number.
ResultDifference compare_results(const NativeContext& context, std::span<const float> expected,
                                 std::span<const float> logits);

}  // namespace millrace::handler
