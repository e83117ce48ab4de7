// From logits to the label given: softmax or sigmoid, order by score, thresholds.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <utility>
#include <vector>

namespace millrace::handler {

// `function_to_apply` of Hugging Face's pipeline.
enum class ScoreFunction : uint8_t { kSoftmax, kSigmoid, kNone };

// Writes logits.size() scores, computed in float as the pipeline does. The same bits on every CPU:
// exp is our own, and sums run in order of the ids.
void apply_score_function(ScoreFunction function, std::span<const float> logits, float* scores);

// The id of the highest score; the first of equal ones.
uint32_t top_label(std::span<const float> scores);

// All ids by falling score; equal scores in order of the ids.
void order_labels(std::span<const float> scores, std::vector<uint32_t>* order);

struct Decision {
  std::optional<uint32_t> label;  // nullopt: the otherwise-label
  float score = 0;
};

// `thresholds`: (label id, probability) in the order in which they are tried. The first that is
// reached decides; then the most probable label without threshold; else the otherwise-label, with
// the top label's score (the top label itself where `has_otherwise` is false).
Decision decide(std::span<const float> scores,
                const std::vector<std::pair<uint32_t, double>>& thresholds, bool has_otherwise);

}  // namespace millrace::handler
