// MILLRACE_CLEAN: steps that tidy a text before tokenization. The record itself is never touched.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "handler/native_options.h"

namespace millrace::handler {

// One step: replaces *out by the cleaned `text`. REQUIRES: valid UTF-8; *out then is, too.
void apply_clean_step(CleanStep step, std::string_view text, std::string* out);

// html: tags go (those that part blocks of text become a space), entities become what they stand
// for. In a file of its own.
void clean_html(std::string_view text, std::string* out);

// Applies the steps in order; its buffers are reused. One per thread.
class Cleaner {
 public:
  explicit Cleaner(std::vector<CleanStep> steps) : steps_(std::move(steps)) {}

  bool idle() const { return steps_.empty(); }
  // The view is valid until the next call. counts[step] grows where a step changed the text.
  std::string_view clean(std::string_view text, std::array<uint64_t, kCleanSteps>* counts);

 private:
  std::vector<CleanStep> steps_;
  std::string current_;
  std::string next_;
};

}  // namespace millrace::handler
