// Texts in, labels out, at once: what the command line's quick try and the C++ library need, by the
// same engine that runs jobs.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "handler/native_options.h"
#include "model/text_classification_model.h"

namespace millrace::handler {

struct ClassifiedText {
  // What MILLRACE_THRESHOLDS and the like decide; empty where the text is left blank.
  std::string label;
  float score = 0;
  // As a reply has it ("0.9598047137260437"); empty where there is none.
  std::string score_text;
  std::vector<float> scores;  // of all labels, by id; empty for a text without score
  std::vector<float> logits;  // likewise
  bool truncated = false;
};

// Results in the order of the texts. Texts that are not valid UTF-8 are repaired unless the options
// say otherwise; then, or with EMPTY=error, the result is bad_input and names the text by its
// index. `options.output` does not matter.
Result<std::vector<ClassifiedText>> classify_texts(
    std::shared_ptr<const model::TextClassificationModel> model, const NativeOptions& options,
    std::span<const std::string> texts, int threads);

}  // namespace millrace::handler
