// The encoder as the papers have it: embeddings, then layers of self-attention and feed-forward,
// each followed by a residual and a LayerNorm, then the classification head. The tokens of a pack
// stand one below the other in every matrix, without padding: each product runs over all of them,
// only attention runs row by row. The head reads the first token alone, so the last layer computes
// keys and values for all tokens and everything else for the first token of each row.
#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <new>

#include "base/check.h"
#include "model/text_classification_model.h"
#include "model/weights.h"

namespace millrace::model {
namespace {

struct Free {
  void operator()(void* p) const { std::free(p); }
};
template <class T>
using Buffer = std::unique_ptr<T[], Free>;

// Aligned to a cache line. Left as it is: pages are touched as packs need them.
template <class T>
Buffer<T> allocate(size_t count) {
  constexpr size_t kLine = 64;
  const size_t bytes = (count * sizeof(T) + kLine - 1) / kLine * kLine;
  void* memory = std::aligned_alloc(kLine, std::max(bytes, kLine));
  if (memory == nullptr) throw std::bad_alloc();
  return Buffer<T>(static_cast<T*>(memory));
}

// What products are of: m rows of floats, or in int8 and bf16 what was made of them. Good until the
// next one is made.
struct Operand {
  const float* rows;
  size_t m;
};

}  // namespace

struct Encoder::Impl {
  Impl(std::shared_ptr<const TextClassificationModel> m, size_t tokens_max_of_pack);

  void forward(const Pack& pack, float* logits, float* embeddings);

  // x: hidden states, [tokens x H]. Each step replaces them; `y` is their other buffer.
  void embed(const Pack& pack);
  void layer(const EncoderLayer& layer, const Pack& pack);
  void last_layer(const EncoderLayer& layer, const Pack& pack);
  void feed_forward(const EncoderLayer& layer, size_t m);
  void classify(size_t rows, float* logits);

  // Rows of `width` floats, ready for products in the model's precision.
  Operand operand(const float* rows, size_t m, size_t width) const {
    if (weights.precision == Precision::kInt8) kernels.quantize(rows, width, m, width, quantized);
    if (weights.precision == Precision::kBf16) {
      kernels.round_bf16(rows, width, m, width, halves.get());
    }
    return {rows, m};
  }
  void linear(const Linear& by, const Operand& of, float* to, size_t ldo,
              nn::Activation activation = nn::Activation::kNone) const {
    switch (weights.precision) {
      case Precision::kFp32:
        return float_linear(by, of, to, ldo, activation);
      case Precision::kBf16:
        return kernels.linear_bf16(halves.get(), of.m, by.halves, by.bias.data(), activation, to,
                                   ldo);
      case Precision::kInt8:
        return kernels.linear_int8(quantized, of.m, by.bytes, by.bias.data(), activation, to, ldo);
    }
  }
  void float_linear(const Linear& by, const Operand& of, float* to, size_t ldo,
                    nn::Activation activation = nn::Activation::kNone) const {
    kernels.linear(of.rows, by.weight.k(), of.m, by.weight, by.bias.data(), activation, to, ldo);
  }
  // states = LayerNorm(states + residual).
  void add_norm(const LayerNorm& by, float* states, const float* residual, size_t m) const {
    kernels.add_layer_norm(states, hidden, residual, hidden, m, hidden, by.gamma.data(),
                           by.beta.data(), weights.config.layer_norm_eps);
  }

  std::shared_ptr<const TextClassificationModel> model;
  const Weights& weights;
  const nn::Kernels& kernels;
  const size_t hidden;
  const size_t heads;
  const size_t head_width;
  const float scale;  // of attention: 1 / sqrt(head_width)
  const size_t tokens_max;

  Buffer<float> x;        // [tokens x H]
  Buffer<float> y;        // [tokens x H]
  Buffer<float> wide;     // queries, keys, values and attended values, or the feed-forward's inside
  Buffer<float> scratch;  // attention's own
  // In int8 the operand's bytes, scales and zero points.
  Buffer<uint8_t> bytes;
  Buffer<float> byte_scales;
  Buffer<int> byte_zeros;
  nn::QuantizedRows quantized;
  Buffer<uint16_t> halves;  // in bf16 the operand
};

Encoder::Impl::Impl(std::shared_ptr<const TextClassificationModel> m, size_t tokens_max_of_pack)
    : model(std::move(m)),
      weights(model->weights()),
      kernels(*weights.kernels),
      hidden(weights.config.hidden_size),
      heads(weights.config.num_attention_heads),
      head_width(hidden / heads),
      scale(1.0F / std::sqrt(static_cast<float>(head_width))),
      tokens_max(std::max(tokens_max_of_pack, model->max_length())),
      x(allocate<float>(tokens_max * hidden)),
      y(allocate<float>(tokens_max * hidden)),
      wide(allocate<float>(tokens_max * std::max(4 * hidden, weights.config.intermediate_size))),
      scratch(allocate<float>(nn::attention_scratch(
          std::min(tokens_max, weights.config.max_position_embeddings), head_width))) {
  const size_t widest = std::max(hidden, weights.config.intermediate_size);
  if (weights.precision == Precision::kBf16) {
    halves = allocate<uint16_t>(tokens_max * nn::bf16_row_stride(widest));
  }
  if (weights.precision != Precision::kInt8) return;
  bytes = allocate<uint8_t>(tokens_max * nn::QuantizedRows::row_stride(widest));
  byte_scales = allocate<float>(tokens_max);
  byte_zeros = allocate<int>(tokens_max);
  quantized = {bytes.get(), byte_scales.get(), byte_zeros.get()};
}

void Encoder::Impl::forward(const Pack& pack, float* logits, float* embeddings) {
  MR_CHECK(!pack.offsets.empty() && pack.offsets.back() == pack.ids.size());
  MR_CHECK(pack.ids.size() <= tokens_max);
  const size_t rows = pack.offsets.size() - 1;
  if (rows == 0) return;

  embed(pack);
  const size_t last = weights.layers.size() - 1;
  for (size_t i = 0; i < last; ++i) layer(weights.layers[i], pack);
  last_layer(weights.layers[last], pack);
  // From here on x has one state for each row: its first token's.
  if (embeddings != nullptr) std::memcpy(embeddings, x.get(), rows * hidden * sizeof(float));
  classify(rows, logits);
}

void Encoder::Impl::embed(const Pack& pack) {
  const bool typed = !weights.token_type_embeddings.empty();
  MR_CHECK(!typed || pack.token_type_ids.size() == pack.ids.size());
  for (size_t t = 0; t < pack.ids.size(); ++t) {
    float* state = x.get() + t * hidden;
    weights.word_embeddings.copy_row(static_cast<size_t>(pack.ids[t]), state);
    if (!typed) continue;
    const float* type = weights.token_type_embeddings.data() + pack.token_type_ids[t] * hidden;
    for (size_t i = 0; i < hidden; ++i) state[i] += type[i];
  }
  // Positions count from 0 in each row, so its residual is the head of the position table.
  for (size_t r = 0; r + 1 < pack.offsets.size(); ++r) {
    const size_t begin = pack.offsets[r];
    const size_t length = pack.offsets[r + 1] - begin;
    MR_CHECK(length >= 1 && length <= weights.config.max_position_embeddings);
    add_norm(weights.embedding_norm, x.get() + begin * hidden, weights.position_embeddings.data(),
             length);
  }
}

void Encoder::Impl::layer(const EncoderLayer& by, const Pack& pack) {
  const size_t tokens = pack.ids.size();
  const size_t ld = 3 * hidden;  // query, key and value of a token side by side
  float* qkv = wide.get();
  float* attended = wide.get() + tokens * ld;
  const Operand states = operand(x.get(), tokens, hidden);
  linear(by.query, states, qkv, ld);
  linear(by.key, states, qkv + hidden, ld);
  linear(by.value, states, qkv + 2 * hidden, ld);
  for (size_t r = 0; r + 1 < pack.offsets.size(); ++r) {
    const size_t begin = pack.offsets[r];
    const size_t length = pack.offsets[r + 1] - begin;
    const float* q = qkv + begin * ld;
    kernels.attention(q, q + hidden, q + 2 * hidden, ld, length, length, heads, head_width, scale,
                      scratch.get(), attended + begin * hidden, hidden);
  }
  linear(by.attention_output, operand(attended, tokens, hidden), y.get(), hidden);
  add_norm(by.attention_norm, y.get(), x.get(), tokens);
  std::swap(x, y);
  feed_forward(by, tokens);
}

void Encoder::Impl::last_layer(const EncoderLayer& by, const Pack& pack) {
  const size_t tokens = pack.ids.size();
  const size_t rows = pack.offsets.size() - 1;
  const size_t ld = 2 * hidden;  // key and value of a token side by side
  float* kv = wide.get();
  float* queries = kv + tokens * ld;          // [rows x H]
  float* attended = queries + rows * hidden;  // [rows x H]
  const Operand states = operand(x.get(), tokens, hidden);
  linear(by.key, states, kv, ld);
  linear(by.value, states, kv + hidden, ld);
  for (size_t r = 0; r < rows; ++r) {
    std::memcpy(y.get() + r * hidden, x.get() + pack.offsets[r] * hidden, hidden * sizeof(float));
  }
  std::swap(x, y);  // x: the first tokens
  linear(by.query, operand(x.get(), rows, hidden), queries, hidden);
  for (size_t r = 0; r < rows; ++r) {
    const size_t begin = pack.offsets[r];
    const float* k = kv + begin * ld;
    kernels.attention(queries + r * hidden, k, k + hidden, ld, pack.offsets[r + 1] - begin, 1,
                      heads, head_width, scale, scratch.get(), attended + r * hidden, hidden);
  }
  linear(by.attention_output, operand(attended, rows, hidden), y.get(), hidden);
  add_norm(by.attention_norm, y.get(), x.get(), rows);
  std::swap(x, y);
  feed_forward(by, rows);
}

void Encoder::Impl::feed_forward(const EncoderLayer& by, size_t m) {
  const size_t inside = weights.config.intermediate_size;
  linear(by.intermediate, operand(x.get(), m, hidden), wide.get(), inside,
         weights.config.hidden_act);
  linear(by.output, operand(wide.get(), m, inside), y.get(), hidden);
  add_norm(by.output_norm, y.get(), x.get(), m);
  std::swap(x, y);
}

void Encoder::Impl::classify(size_t rows, float* logits) {
  float_linear(weights.head, {x.get(), rows}, y.get(), hidden, weights.head_activation);
  float_linear(weights.classifier, {y.get(), rows}, logits, weights.config.labels.size());
}

Encoder::Encoder(std::shared_ptr<const TextClassificationModel> model, size_t tokens_max)
    : impl_(std::make_unique<Impl>(std::move(model), tokens_max)) {}

Encoder::Encoder(Encoder&&) noexcept = default;
Encoder::~Encoder() = default;

void Encoder::forward(const Pack& pack, float* logits, float* embeddings) {
  impl_->forward(pack, logits, embeddings);
}

}  // namespace millrace::model
