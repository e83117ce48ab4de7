// The weights of one model as the encoder uses them: matrices packed for the kernels, vectors as
// floats, and the word embeddings, which are looked up and never multiplied, left in the mapped
// file.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "model/config.h"
#include "model/precision.h"
#include "model/safetensors.h"
#include "nn/kernels.h"

namespace millrace::model {

// One of the matrices is there, in the model's precision.
struct Linear {
  nn::PackedMatrix weight;
  nn::QuantizedMatrix bytes;
  nn::Bf16Matrix halves;
  std::vector<float> bias;
};

struct LayerNorm {
  std::vector<float> gamma;
  std::vector<float> beta;
};

struct EncoderLayer {
  Linear query, key, value;
  Linear attention_output;
  LayerNorm attention_norm;
  Linear intermediate;
  Linear output;
  LayerNorm output_norm;
};

// Rows of floats in a mapped file, in the type that the file has.
class EmbeddingTable {
 public:
  EmbeddingTable() = default;
  EmbeddingTable(const Tensor& tensor, size_t width) : tensor_(tensor), width_(width) {}
  void copy_row(size_t row, float* out) const;

 private:
  Tensor tensor_;
  size_t width_ = 0;
};

class Weights {
 public:
  Config config;
  const nn::Kernels* kernels = nullptr;
  Precision precision = Precision::kFp32;

  EmbeddingTable word_embeddings;
  std::vector<float> position_embeddings;    // [max_position_embeddings x H]
  std::vector<float> token_type_embeddings;  // [type_vocab_size x H]; empty for DistilBERT
  LayerNorm embedding_norm;
  std::vector<EncoderLayer> layers;
  // Of the rows' first tokens only, so always in float.
  Linear head;  // DistilBERT's pre_classifier, BERT's pooler
  nn::Activation head_activation = nn::Activation::kNone;
  Linear classifier;

  size_t parameters = 0;
  std::string digest;  // over names, types, shapes and bytes of all tensors

  // Checks every tensor against the configuration and packs or quantises, by up to `threads`
  // threads.
  // invalid_argument names the tensor.
  static Result<std::unique_ptr<const Weights>> load(Checkpoint checkpoint, const Config& config,
                                                     const nn::Kernels* kernels,
                                                     Precision precision, int threads);

 private:
  explicit Weights(Checkpoint checkpoint) : checkpoint_(std::move(checkpoint)) {}
  Checkpoint checkpoint_;  // keeps the files mapped
};

}  // namespace millrace::model
