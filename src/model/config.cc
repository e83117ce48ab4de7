// Reading config.json. A key that is absent has the default of transformers' DistilBertConfig and
// BertConfig, since that is how the model was trained and saved.
#include "model/config.h"

#include <fmt/format.h>

#include <cmath>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>

#include "base/limits.h"
#include "model/strict_json.h"

namespace millrace::model {
namespace {

using nlohmann::json;

constexpr char kDistilBert[] = "DistilBertForSequenceClassification";
constexpr char kBert[] = "BertForSequenceClassification";

// A value from the file, short enough for a message.
std::string quoted(const json& value) {
  std::string text = value.dump(-1, ' ', false, json::error_handler_t::replace);
  if (text.size() > limits::kErrorExcerptBytesMax) {
    text.resize(limits::kErrorExcerptBytesMax);
    text += "...";
  }
  return text;
}

tl::unexpected<Error> wrong(std::string_view key, const json& value, std::string_view allowed) {
  return fail(invalid_argument(fmt::format("{}: {} is {}", key, quoted(value), allowed)));
}

// Null and absent are the same to transformers.
const json* find(const json& config, const char* key) {
  const auto found = config.find(key);
  return found == config.end() || found->is_null() ? nullptr : &*found;
}

Result<size_t> read_size(const json& config, const char* key, uint64_t default_value,
                         uint64_t size_max) {
  const json* value = find(config, key);
  if (value == nullptr) return static_cast<size_t>(default_value);
  const bool fine = value->is_number_unsigned() && value->get<uint64_t>() >= 1 &&
                    value->get<uint64_t>() <= size_max;
  if (!fine) return wrong(key, *value, fmt::format("not a whole number from 1 to {}", size_max));
  return static_cast<size_t>(value->get<uint64_t>());
}

// A key that must have its only supported value, or be absent.
Status require(const json& config, const char* key, const json& supported) {
  const json* value = find(config, key);
  if (value == nullptr || *value == supported) return {};
  return wrong(key, *value, fmt::format("not supported; only {} is", supported.dump()));
}

Result<nn::Activation> read_activation(const json& config, const char* key) {
  const json* value = find(config, key);
  if (value == nullptr) return nn::Activation::kGelu;
  if (*value == "gelu" || *value == "gelu_python") return nn::Activation::kGelu;
  if (*value == "gelu_new" || *value == "gelu_pytorch_tanh") return nn::Activation::kGeluTanh;
  if (*value == "relu") return nn::Activation::kRelu;
  return wrong(key, *value, "not supported; gelu, gelu_new, gelu_pytorch_tanh and relu are");
}

Status read_distilbert(const json& json_config, Config* config) {
  const auto size = [&](const char* key, uint64_t value, uint64_t most) {
    return read_size(json_config, key, value, most);
  };
  MR_ASSIGN(config->hidden_size, size("dim", 768, limits::kModelWidthMax));
  MR_ASSIGN(config->num_hidden_layers, size("n_layers", 6, limits::kModelLayersMax));
  MR_ASSIGN(config->num_attention_heads, size("n_heads", 12, limits::kModelWidthMax));
  MR_ASSIGN(config->intermediate_size, size("hidden_dim", 3072, limits::kModelWidthMax));
  MR_ASSIGN(config->hidden_act, read_activation(json_config, "activation"));
  // DistilBERT's LayerNorms have this epsilon in their code, not in their configuration.
  // `sinusoidal_pos_embds` says how the position table was initialised; the table itself is stored.
  config->layer_norm_eps = 1e-12F;
  return {};
}

Status read_bert(const json& json_config, Config* config) {
  const auto size = [&](const char* key, uint64_t value, uint64_t most) {
    return read_size(json_config, key, value, most);
  };
  MR_ASSIGN(config->hidden_size, size("hidden_size", 768, limits::kModelWidthMax));
  MR_ASSIGN(config->num_hidden_layers, size("num_hidden_layers", 12, limits::kModelLayersMax));
  MR_ASSIGN(config->num_attention_heads, size("num_attention_heads", 12, limits::kModelWidthMax));
  MR_ASSIGN(config->intermediate_size, size("intermediate_size", 3072, limits::kModelWidthMax));
  MR_ASSIGN(config->hidden_act, read_activation(json_config, "hidden_act"));
  // Token types are bytes in a pack; a pair of texts needs two.
  MR_ASSIGN(config->type_vocab_size, size("type_vocab_size", 2, 256));
  if (config->type_vocab_size == 1) {
    return fail(invalid_argument("type_vocab_size: 1 is not supported; 2 to 256 are"));
  }
  MR_TRY(require(json_config, "position_embedding_type", "absolute"));
  MR_TRY(require(json_config, "is_decoder", false));
  MR_TRY(require(json_config, "add_cross_attention", false));
  config->layer_norm_eps = 1e-12F;
  if (const json* eps = find(json_config, "layer_norm_eps")) {
    const bool fine = eps->is_number() && eps->get<double>() >= 0 && eps->get<double>() < 1;
    if (!fine) return wrong("layer_norm_eps", *eps, "not a number from 0 up to 1");
    config->layer_norm_eps = static_cast<float>(eps->get<double>());
  }
  return {};
}

// id2label: {"0": "NEGATIVE", ...} with every id from 0 on. Two labels of one name could not be
// told apart in any result.
Status read_id2label(const json& id2label, std::vector<std::string>* labels) {
  if (!id2label.is_object() || id2label.empty() || id2label.size() > limits::kModelLabelsMax) {
    return wrong("id2label", id2label, "not an object that names labels by id");
  }
  labels->clear();
  std::unordered_map<std::string, size_t> ids;
  for (size_t id = 0; id < id2label.size(); ++id) {
    const auto label = id2label.find(std::to_string(id));
    if (label == id2label.end()) {
      return fail(invalid_argument(
          fmt::format("id2label: {} labels, but none with the id {}", id2label.size(), id)));
    }
    if (!label->is_string()) return wrong("id2label", *label, "a label that is not a string");
    labels->push_back(label->get<std::string>());
    const auto [first, is_new] = ids.emplace(labels->back(), id);
    if (!is_new) {
      return fail(
          invalid_argument(fmt::format("id2label: the ids {} and {} have the same label '{}'",
                                       first->second, id, labels->back())));
    }
  }
  return {};
}

Status read_labels(const json& json_config, Config* config) {
  const json* id2label = find(json_config, "id2label");
  MR_ASSIGN(const size_t num_labels,
            read_size(json_config, "num_labels", 2, limits::kModelLabelsMax));
  if (id2label != nullptr) {
    MR_TRY(read_id2label(*id2label, &config->labels));
    if (find(json_config, "num_labels") != nullptr && num_labels != config->labels.size()) {
      return fail(invalid_argument(fmt::format("num_labels is {}, but id2label names {} labels",
                                               num_labels, config->labels.size())));
    }
  } else {
    for (size_t id = 0; id < num_labels; ++id) {
      config->labels.push_back("LABEL_" + std::to_string(id));
    }
  }
  config->multi_label = config->labels.size() == 1;
  if (const json* type = find(json_config, "problem_type")) {
    if (*type == "multi_label_classification") {
      config->multi_label = true;
    } else if (*type != "single_label_classification") {
      return wrong("problem_type", *type,
                   "not supported; single_label_classification and multi_label_classification are");
    }
  }
  return {};
}

Status read_architecture(const json& json_config, Config* config) {
  const json* names = find(json_config, "architectures");
  if (names == nullptr || !names->is_array() || names->empty() || !(*names)[0].is_string()) {
    return fail(
        invalid_argument(fmt::format("architectures names no architecture; {} and {} are "
                                     "supported",
                                     kDistilBert, kBert)));
  }
  config->architecture_name = (*names)[0].get<std::string>();
  if (config->architecture_name == kDistilBert) {
    config->architecture = Architecture::kDistilBert;
  } else if (config->architecture_name == kBert) {
    config->architecture = Architecture::kBert;
  } else {
    return wrong("architectures", (*names)[0],
                 fmt::format("not supported; {} and {} are", kDistilBert, kBert));
  }
  return require(json_config, "model_type",
                 config->architecture == Architecture::kBert ? "bert" : "distilbert");
}

// What changes the arithmetic of either architecture and has one supported value.
Status refuse_variants(const json& json_config) {
  const json* pruned = find(json_config, "pruned_heads");
  if (pruned != nullptr && !pruned->empty()) return wrong("pruned_heads", *pruned, "not supported");
  const json* quantization = find(json_config, "quantization_config");
  if (quantization != nullptr) {
    return wrong("quantization_config", *quantization,
                 "not supported; weights are F32, F16 or BF16");
  }
  return {};
}

Result<Config> read_config(const json& json_config) {
  if (!json_config.is_object()) return fail(invalid_argument("not a JSON object"));
  Config config;
  MR_TRY(read_architecture(json_config, &config));
  MR_TRY(refuse_variants(json_config));
  MR_TRY(config.architecture == Architecture::kBert ? read_bert(json_config, &config)
                                                    : read_distilbert(json_config, &config));
  MR_ASSIGN(config.vocab_size,
            read_size(json_config, "vocab_size", 30522, limits::kModelVocabularyMax));
  MR_ASSIGN(config.max_position_embeddings,
            read_size(json_config, "max_position_embeddings", 512, limits::kModelPositionsMax));
  MR_TRY(read_labels(json_config, &config));
  if (config.hidden_size % config.num_attention_heads != 0) {
    return fail(invalid_argument(fmt::format("{} attention heads do not divide the width {}",
                                             config.num_attention_heads, config.hidden_size)));
  }
  return config;
}

}  // namespace

Result<Config> parse_config(std::string_view text, std::string_view name) {
  MR_ASSIGN(const json document, parse_strict_json(text, name));
  auto config = read_config(document);
  if (!config) return fail(std::move(config).error().within(name));
  return config;
}

}  // namespace millrace::model
