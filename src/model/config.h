// config.json of the two architectures that run natively, in one vocabulary: what DistilBERT calls
// dim, n_layers and hidden_dim is what BERT calls hidden_size, num_hidden_layers and
// intermediate_size. Whatever would change the arithmetic and is not built is refused by name.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "nn/kernels.h"

namespace millrace::model {

enum class Architecture { kDistilBert, kBert };

struct Config {
  Architecture architecture = Architecture::kDistilBert;
  std::string architecture_name;  // "DistilBertForSequenceClassification"
  size_t hidden_size = 0;
  size_t num_hidden_layers = 0;
  size_t num_attention_heads = 0;
  size_t intermediate_size = 0;
  size_t vocab_size = 0;
  size_t max_position_embeddings = 0;
  size_t type_vocab_size = 0;  // 0: no token types (DistilBERT)
  nn::Activation hidden_act = nn::Activation::kGelu;
  float layer_norm_eps = 0;
  std::vector<std::string> labels;  // by id
  // Scores come from a sigmoid for each label: multi-label models, and, as in Hugging Face's
  // pipeline, models of one label.
  bool multi_label = false;
};

// `name` is the file's, for errors (invalid_argument). Values that are not stated are those of
// transformers' configuration classes.
Result<Config> parse_config(std::string_view text, std::string_view name);

}  // namespace millrace::model
