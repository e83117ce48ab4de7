// How fast is the engine alone? Texts go through the scheduler, its windows, its packs and its
// encoders exactly as a job's rows do; nothing is read from or written to anywhere.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "model/text_classification_model.h"

namespace millrace::handler {

struct EngineMeasurement {
  double seconds = 0;           // from the first text to the last result, tokenization included
  double tokenize_seconds = 0;  // of that, spent in tokenization: summed over the threads
  uint64_t sequences = 0;
  uint64_t tokens = 0;        // special tokens included, duplicates too
  uint64_t duplicates = 0;    // sequences that took an equal one's result; 0 without deduplicate
  std::vector<float> logits;  // sequences x labels, in the order of the texts
};

// `threads` encoders. A first small window warms buffers and pages before the clock starts.
Result<EngineMeasurement> measure_engine(
    std::shared_ptr<const model::TextClassificationModel> model, std::span<const std::string> texts,
    int threads, bool deduplicate);

}  // namespace millrace::handler
