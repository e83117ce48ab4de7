// The tensor names of DistilBERT and BERT, and the check of a checkpoint against them.
#include "model/weight_plan.h"

#include <fmt/format.h>

#include <set>
#include <string_view>

namespace millrace::model {
namespace {

// What one architecture calls the parts; {} is the layer's number.
struct Names {
  const char* embeddings;
  const char* layer;
  const char* query;
  const char* key;
  const char* value;
  const char* attention_output;
  const char* attention_norm;
  const char* intermediate;
  const char* output;
  const char* output_norm;
  const char* head;
};

constexpr Names kDistilBertNames = {.embeddings = "distilbert.embeddings.",
                                    .layer = "distilbert.transformer.layer.{}.",
                                    .query = "attention.q_lin",
                                    .key = "attention.k_lin",
                                    .value = "attention.v_lin",
                                    .attention_output = "attention.out_lin",
                                    .attention_norm = "sa_layer_norm",
                                    .intermediate = "ffn.lin1",
                                    .output = "ffn.lin2",
                                    .output_norm = "output_layer_norm",
                                    .head = "pre_classifier"};

constexpr Names kBertNames = {.embeddings = "bert.embeddings.",
                              .layer = "bert.encoder.layer.{}.",
                              .query = "attention.self.query",
                              .key = "attention.self.key",
                              .value = "attention.self.value",
                              .attention_output = "attention.output.dense",
                              .attention_norm = "attention.output.LayerNorm",
                              .intermediate = "intermediate.dense",
                              .output = "output.dense",
                              .output_norm = "output.LayerNorm",
                              .head = "bert.pooler.dense"};

class PlanWriter {
 public:
  void linear(const std::string& name, size_t outputs, size_t inputs, Linear* to,
              Precision precision = Precision::kFp32) {
    Slot weight = {.name = name + ".weight", .shape = {outputs, inputs}};
    switch (precision) {
      case Precision::kFp32:
        weight.matrix = &to->weight;
        break;
      case Precision::kBf16:
        weight.halves = &to->halves;
        break;
      case Precision::kInt8:
        weight.bytes = &to->bytes;
        break;
    }
    plan_.push_back(std::move(weight));
    plan_.push_back({.name = name + ".bias", .shape = {outputs}, .vector = &to->bias});
  }
  void layer_norm(const std::string& name, size_t width, LayerNorm* to) {
    plan_.push_back({.name = name + ".weight", .shape = {width}, .vector = &to->gamma});
    plan_.push_back({.name = name + ".bias", .shape = {width}, .vector = &to->beta});
  }
  void table(const std::string& name, size_t rows, size_t width, std::vector<float>* to) {
    plan_.push_back({.name = name + ".weight", .shape = {rows, width}, .vector = to});
  }
  std::vector<Slot> take() { return std::move(plan_); }

 private:
  std::vector<Slot> plan_;
};

// Tensors that some releases of transformers save and that carry no weights.
bool harmless(std::string_view name) {
  return name.ends_with(".position_ids") || name.ends_with(".token_type_ids");
}

Status check_tensor(const Slot& slot, const Tensor& tensor) {
  if (tensor.dtype == DType::kOther) {
    return fail(
        invalid_argument(fmt::format("tensor {}: its dtype is {}; F32, F16 and BF16 are "
                                     "supported",
                                     slot.name, tensor.dtype_name)));
  }
  if (tensor.shape != slot.shape) {
    return fail(
        invalid_argument(fmt::format("tensor {}: its shape is {}, config.json asks for {}",
                                     slot.name, shape_text(tensor.shape), shape_text(slot.shape))));
  }
  return {};
}

}  // namespace

std::vector<Slot> plan_weights(Weights* weights) {
  const Config& config = weights->config;
  const bool bert = config.architecture == Architecture::kBert;
  const Names& names = bert ? kBertNames : kDistilBertNames;
  const size_t hidden = config.hidden_size;
  const size_t intermediate = config.intermediate_size;
  PlanWriter plan;

  const std::string embeddings = names.embeddings;
  plan.table(embeddings + "word_embeddings", config.vocab_size, hidden, nullptr);
  plan.table(embeddings + "position_embeddings", config.max_position_embeddings, hidden,
             &weights->position_embeddings);
  if (config.type_vocab_size > 0) {
    plan.table(embeddings + "token_type_embeddings", config.type_vocab_size, hidden,
               &weights->token_type_embeddings);
  }
  plan.layer_norm(embeddings + "LayerNorm", hidden, &weights->embedding_norm);

  weights->layers.resize(config.num_hidden_layers);
  for (size_t i = 0; i < weights->layers.size(); ++i) {
    EncoderLayer& layer = weights->layers[i];
    const std::string prefix = fmt::format(fmt::runtime(names.layer), i);
    const auto linear = [&](const char* name, size_t outputs, size_t inputs, Linear* to) {
      plan.linear(prefix + name, outputs, inputs, to, weights->precision);
    };
    linear(names.query, hidden, hidden, &layer.query);
    linear(names.key, hidden, hidden, &layer.key);
    linear(names.value, hidden, hidden, &layer.value);
    linear(names.attention_output, hidden, hidden, &layer.attention_output);
    plan.layer_norm(prefix + names.attention_norm, hidden, &layer.attention_norm);
    linear(names.intermediate, intermediate, hidden, &layer.intermediate);
    linear(names.output, hidden, intermediate, &layer.output);
    plan.layer_norm(prefix + names.output_norm, hidden, &layer.output_norm);
  }

  weights->head_activation = bert ? nn::Activation::kTanh : nn::Activation::kRelu;
  plan.linear(names.head, hidden, hidden, &weights->head);
  plan.linear("classifier", config.labels.size(), hidden, &weights->classifier);
  return plan.take();
}

Status find_tensors(const TensorMap& tensors, std::vector<Slot>* plan) {
  std::set<std::string_view> expected;
  for (Slot& slot : *plan) {
    const auto found = tensors.find(slot.name);
    if (found == tensors.end()) {
      return fail(invalid_argument(fmt::format("tensor {} is missing", slot.name)));
    }
    MR_TRY(check_tensor(slot, found->second));
    slot.tensor = &found->second;
    expected.insert(slot.name);
  }
  for (const auto& [name, tensor] : tensors) {
    if (!expected.contains(name) && !harmless(name)) {
      return fail(invalid_argument(fmt::format(
          "tensor {}: the architecture that config.json states has no such tensor", name)));
    }
  }
  return {};
}

}  // namespace millrace::model
