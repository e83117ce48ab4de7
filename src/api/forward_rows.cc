// Packs of token rows for the library's forward(); jobs go through handler's scheduler instead.
#include "api/forward_rows.h"

#include <algorithm>
#include <atomic>
#include <numeric>
#include <string>
#include <thread>

#include "base/limits.h"

namespace millrace::api {
namespace {

// Indices of rows that go through the encoder together.
using RowIndices = std::vector<size_t>;

std::vector<RowIndices> plan_packs(std::span<const TokenRow> rows) {
  RowIndices order(rows.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t a, size_t b) { return rows[a].ids.size() > rows[b].ids.size(); });
  std::vector<RowIndices> packs;
  size_t tokens = 0;
  for (const size_t row : order) {
    const size_t length = rows[row].ids.size();
    if (packs.empty() || tokens + length > limits::kPackTokensMax) {
      packs.emplace_back();
      tokens = 0;
    }
    packs.back().push_back(row);
    tokens += length;
  }
  return packs;
}

void forward_pack(const model::ModelInfo& info, model::Encoder& encoder,
                  std::span<const TokenRow> rows, const RowIndices& pack,
                  std::vector<RowOutput>* outputs) {
  std::vector<int32_t> ids;
  std::vector<uint8_t> types;
  std::vector<uint32_t> offsets = {0};
  for (const size_t row : pack) {
    ids.insert(ids.end(), rows[row].ids.begin(), rows[row].ids.end());
    types.insert(types.end(), rows[row].token_type_ids.begin(), rows[row].token_type_ids.end());
    types.resize(ids.size());  // types that are not given are 0
    offsets.push_back(static_cast<uint32_t>(ids.size()));
  }
  const size_t labels = info.labels.size();
  std::vector<float> logits(pack.size() * labels);
  std::vector<float> embeddings(pack.size() * info.hidden_size);
  encoder.forward({ids, types, offsets}, logits.data(), embeddings.data());
  for (size_t i = 0; i < pack.size(); ++i) {
    const float* row_logits = logits.data() + i * labels;
    const float* row_embedding = embeddings.data() + i * info.hidden_size;
    (*outputs)[pack[i]] = {.logits = {row_logits, row_logits + labels},
                           .embedding = {row_embedding, row_embedding + info.hidden_size}};
  }
}

std::string row_problem(const model::ModelInfo& info, const TokenRow& row) {
  if (row.ids.empty() || row.ids.size() > info.max_position_embeddings) {
    return std::to_string(row.ids.size()) + " ids; the model reads 1 to " +
           std::to_string(info.max_position_embeddings);
  }
  if (!row.token_type_ids.empty() && row.token_type_ids.size() != row.ids.size()) {
    return "token_type_ids of another length than ids";
  }
  for (const int32_t id : row.ids) {
    if (id < 0 || static_cast<size_t>(id) >= info.vocab_size) {
      return "id " + std::to_string(id) + "; the vocabulary has " + std::to_string(info.vocab_size);
    }
  }
  for (const uint8_t type : row.token_type_ids) {
    if (info.type_vocab_size > 0 && type >= info.type_vocab_size) {
      return "token type " + std::to_string(type) + "; the model has " +
             std::to_string(info.type_vocab_size);
    }
  }
  return {};
}

}  // namespace

EncoderPool::EncoderPool(std::shared_ptr<const model::TextClassificationModel> model)
    : model_(std::move(model)) {}

model::Encoder EncoderPool::take() {
  {
    const std::lock_guard lock(mutex_);
    if (!idle_.empty()) {
      model::Encoder encoder = std::move(idle_.back());
      idle_.pop_back();
      return encoder;
    }
  }
  const size_t tokens_max =
      std::max(limits::kPackTokensMax, model_->info().max_position_embeddings);
  return model::Encoder(model_, tokens_max);
}

void EncoderPool::give_back(model::Encoder encoder) {
  const std::lock_guard lock(mutex_);
  idle_.push_back(std::move(encoder));
}

Status check_rows(const model::ModelInfo& info, std::span<const TokenRow> rows) {
  for (size_t i = 0; i < rows.size(); ++i) {
    const std::string problem = row_problem(info, rows[i]);
    if (!problem.empty()) {
      return fail(invalid_argument("row " + std::to_string(i) + ": " + problem));
    }
  }
  return {};
}

std::vector<RowOutput> forward_rows(const model::ModelInfo& info, EncoderPool& encoders,
                                    std::span<const TokenRow> rows, int threads) {
  const std::vector<RowIndices> packs = plan_packs(rows);
  std::vector<RowOutput> outputs(rows.size());
  std::atomic<size_t> next{0};
  const auto work = [&] {
    model::Encoder encoder = encoders.take();
    for (size_t i = next++; i < packs.size(); i = next++) {
      forward_pack(info, encoder, rows, packs[i], &outputs);
    }
    encoders.give_back(std::move(encoder));
  };
  const size_t workers = std::min(packs.size(), static_cast<size_t>(std::max(threads, 1)));
  std::vector<std::jthread> helpers;
  for (size_t i = 1; i < workers; ++i) helpers.emplace_back(work);
  if (workers > 0) work();
  return outputs;
}

}  // namespace millrace::api
