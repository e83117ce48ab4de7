// A text-classification model in Hugging Face layout, ready to compute: configuration, tokenizer
// and weights, immutable and shared by all workers.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "model/precision.h"
#include "model/tokenizer.h"

namespace millrace::model {

struct LoadOptions {
  // bf16 becomes fp32 where the CPU (or the forced instruction set) has no products of it.
  Precision precision = Precision::kFp32;
  // "", or one of nn::kernel_names(): forces a lower instruction set (MILLRACE_ISA).
  std::string isa = {};
  // Threads that may help to prepare the weights.
  int threads = 1;
};

// What of the model a user can see; `model inspect` prints it.
struct ModelInfo {
  std::string architecture;  // "DistilBertForSequenceClassification"
  size_t layers = 0;
  size_t hidden_size = 0;        // H
  size_t intermediate_size = 0;  // F
  size_t heads = 0;
  size_t vocab_size = 0;
  size_t max_position_embeddings = 0;
  size_t type_vocab_size = 0;  // 0: no token types
  size_t parameters = 0;
  std::vector<std::string> labels;         // by id, from id2label
  bool multi_label = false;                // problem_type multi_label_classification: sigmoid
  std::vector<std::string> languages;      // from the model card's front matter; empty: not stated
  std::string digest;                      // hex, over config, tokenizer and weights
  std::string isa;                         // kernels in use
  Precision precision = Precision::kFp32;  // in use
  // Why `precision` is not what was asked for; empty where it is.
  std::string notice;
  // digest + precision in use + kernel revision: all that a row's result depends on.
  std::string numeric_identity;
};

class Weights;  // packed for the kernels; the encoder's business

class TextClassificationModel {
 public:
  // Unknown architecture, missing, extra or misshapen tensor, wrong dtype, truncated file, a
  // vocabulary of another size, NaN or Inf: invalid_argument naming the tensor or file; which model
  // it was is for the caller to add, who knows what the user calls it. A folder without tokenizer
  // files loads (ids in, logits out); then tokenizer() is null.
  static Result<std::shared_ptr<const TextClassificationModel>> load(
      const std::filesystem::path& folder, const LoadOptions& options);

  const ModelInfo& info() const { return info_; }
  const Tokenizer* tokenizer() const { return tokenizer_.get(); }
  const Weights& weights() const { return *weights_; }
  // Ids a row may have: the smaller of positions and what the tokenizer allows.
  size_t max_length() const { return max_length_; }

  ~TextClassificationModel();

 private:
  TextClassificationModel();
  ModelInfo info_;
  std::shared_ptr<const Tokenizer> tokenizer_;
  std::unique_ptr<const Weights> weights_;
  size_t max_length_ = 0;
};

// Rows that go through the encoder together, without padding: row r has the tokens
// [offsets[r], offsets[r+1]).
struct Pack {
  std::span<const int32_t> ids;
  std::span<const uint8_t> token_type_ids;
  std::span<const uint32_t> offsets;  // rows + 1 entries, offsets[0] == 0
};

// One per worker thread: holds every intermediate buffer, allocated once for the largest pack.
class Encoder {
 public:
  // `tokens_max`: tokens of the largest pack; at least model.max_length().
  Encoder(std::shared_ptr<const TextClassificationModel> model, size_t tokens_max);
  Encoder(Encoder&&) noexcept;
  ~Encoder();

  // Writes rows x labels logits, and, where `embeddings` is not null, rows x H final hidden states
  // of the first token. A row's bits depend on the row alone, never on its pack.
  // REQUIRES: 1 <= length of each row <= max_position_embeddings; ids within the vocabulary;
  // total tokens <= tokens_max.
  void forward(const Pack& pack, float* logits, float* embeddings);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace millrace::model
