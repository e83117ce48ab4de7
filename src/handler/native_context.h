// What all requests to one native handler share: the model and the settings, made ready to use.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "handler/language.h"
#include "handler/native_options.h"
#include "handler/scores.h"
#include "model/text_classification_model.h"

namespace millrace::handler {

struct NativeContext {
  // REQUIRES: the model has a tokenizer; options as parsed for its labels.
  NativeContext(std::shared_ptr<const model::TextClassificationModel> model, NativeOptions options);

  const std::shared_ptr<const model::TextClassificationModel> model;
  const NativeOptions options;
  const LanguageNotice language;
  const ScoreFunction default_function;  // softmax, or sigmoid for several labels at once
  // TEXT_COLUMN, where it is an index.
  const std::optional<uint32_t> text_index;
  // Names of the columns that a result has, and of those that a reply has: with the echoed text.
  const std::vector<std::string> columns;
  const std::vector<std::string> reply_columns;
  // Labels and columns as JSON strings, quoted.
  const std::vector<std::string> json_labels;
  const std::vector<std::string> json_columns;
  const std::string json_otherwise;
  // Changes with every setting that changes any byte of any reply.
  const std::string identity;

  size_t label_count() const { return options.labels.size(); }
};

}  // namespace millrace::handler
