// The test models' writer and their slow forward pass; see model_fixture.h.
#include "model/model_fixture.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <stdlib.h>

#include <bit>
#include <cmath>
#include <cstring>
#include <fstream>
#include <iterator>
#include <numbers>
#include <stdexcept>

namespace millrace::model::testing {
namespace {

namespace fs = std::filesystem;

// Uniform in [-1, 1), from SplitMix64.
class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed) {}
  float next() {
    uint64_t z = (state_ += 0x9e3779b97f4a7c15U);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9U;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebU;
    return static_cast<float>((z ^ (z >> 31)) >> 40) * 0x1p-23F - 1.0F;
  }

 private:
  uint64_t state_;
};

// Names as in the papers' code; the slow forward pass and the writer share them.
struct Part {
  std::string query, key, value, attention_output, attention_norm, intermediate, output,
      output_norm;
};

Part part_names(const TestModel& model, size_t layer) {
  if (model.bert) {
    const std::string p = fmt::format("bert.encoder.layer.{}.", layer);
    return {p + "attention.self.query",
            p + "attention.self.key",
            p + "attention.self.value",
            p + "attention.output.dense",
            p + "attention.output.LayerNorm",
            p + "intermediate.dense",
            p + "output.dense",
            p + "output.LayerNorm"};
  }
  const std::string p = fmt::format("distilbert.transformer.layer.{}.", layer);
  return {p + "attention.q_lin",   p + "attention.k_lin",  p + "attention.v_lin",
          p + "attention.out_lin", p + "sa_layer_norm",    p + "ffn.lin1",
          p + "ffn.lin2",          p + "output_layer_norm"};
}

std::string embeddings_name(const TestModel& model) {
  return model.bert ? "bert.embeddings." : "distilbert.embeddings.";
}

std::string head_name(const TestModel& model) {
  return model.bert ? "bert.pooler.dense" : "pre_classifier";
}

uint16_t to_half(float value) {  // normal range only, round to nearest even
  const uint32_t bits = std::bit_cast<uint32_t>(value);
  const uint32_t sign = bits >> 16 & 0x8000U;
  const uint32_t magnitude = bits & 0x7FFFFFFFU;
  if (magnitude < 0x38800000U) return static_cast<uint16_t>(sign);  // below normal halves: zero
  const uint32_t rounded = magnitude - 0x38000000U + 0xFFFU + (magnitude >> 13 & 1U);
  return static_cast<uint16_t>(sign | rounded >> 13);
}

float from_half(uint16_t half) {
  const uint32_t magnitude = half & 0x7FFFU;
  const uint32_t bits = magnitude == 0 ? 0 : (magnitude << 13) + 0x38000000U;
  return std::bit_cast<float>(bits | static_cast<uint32_t>(half & 0x8000U) << 16);
}

// The tensor's bytes in `dtype`; values that the type cannot hold are rounded in place.
std::string encode(TestTensor* tensor, const std::string& dtype) {
  std::string bytes;
  for (float& value : tensor->values) {
    if (dtype == "F32") {
      bytes.append(reinterpret_cast<const char*>(&value), sizeof value);
      continue;
    }
    uint16_t half = 0;
    if (dtype == "F16") {
      half = to_half(value);
      value = from_half(half);
    } else {
      half = static_cast<uint16_t>(std::bit_cast<uint32_t>(value) >> 16);
      value = std::bit_cast<float>(static_cast<uint32_t>(half) << 16);
    }
    bytes.append(reinterpret_cast<const char*>(&half), sizeof half);
  }
  return bytes;
}

using Matrix = std::vector<std::vector<double>>;

const TestTensor& get(const TestModel& model, const std::string& name) {
  return model.tensors.at(name);
}

std::vector<double> linear(const TestModel& model, const std::string& name,
                           const std::vector<double>& x) {
  const TestTensor& weight = get(model, name + ".weight");
  const TestTensor& bias = get(model, name + ".bias");
  std::vector<double> y(weight.shape[0]);
  for (size_t n = 0; n < y.size(); ++n) {
    y[n] = static_cast<double>(bias.values[n]);
    for (size_t k = 0; k < x.size(); ++k) {
      y[n] += x[k] * static_cast<double>(weight.values[n * x.size() + k]);
    }
  }
  return y;
}

std::vector<double> add_norm(const TestModel& model, const std::string& name, std::vector<double> x,
                             const std::vector<double>& residual) {
  double mean = 0;
  for (size_t i = 0; i < x.size(); ++i) mean += x[i] += residual[i];
  mean /= static_cast<double>(x.size());
  double variance = 0;
  for (const double v : x) variance += (v - mean) * (v - mean);
  variance /= static_cast<double>(x.size());
  const TestTensor& gamma = get(model, name + ".weight");
  const TestTensor& beta = get(model, name + ".bias");
  for (size_t i = 0; i < x.size(); ++i) {
    x[i] = (x[i] - mean) / std::sqrt(variance + 1e-12) * static_cast<double>(gamma.values[i]) +
           static_cast<double>(beta.values[i]);
  }
  return x;
}

double activate(const std::string& name, double x) {
  if (name == "relu") return x > 0 ? x : 0;
  if (name == "gelu_new") {
    const double inner = std::sqrt(2 / std::numbers::pi) * (x + 0.044715 * x * x * x);
    return 0.5 * x * (1 + std::tanh(inner));
  }
  return 0.5 * x * (1 + std::erf(x / std::numbers::sqrt2));
}

std::vector<double> row(const TestModel& model, const std::string& name, size_t index) {
  const float* begin = get(model, name).values.data() + index * model.hidden;
  return {begin, begin + model.hidden};
}

Matrix embed(const TestModel& model, const std::vector<int32_t>& ids,
             const std::vector<uint8_t>& types) {
  const std::string p = embeddings_name(model);
  Matrix states;
  for (size_t t = 0; t < ids.size(); ++t) {
    std::vector<double> x = row(model, p + "word_embeddings.weight", static_cast<size_t>(ids[t]));
    if (model.bert) {
      const auto type = row(model, p + "token_type_embeddings.weight", types[t]);
      for (size_t i = 0; i < x.size(); ++i) x[i] += type[i];
    }
    states.push_back(
        add_norm(model, p + "LayerNorm", x, row(model, p + "position_embeddings.weight", t)));
  }
  return states;
}

Matrix attend(const TestModel& model, const Part& part, const Matrix& x) {
  const size_t d = model.hidden / model.heads;
  Matrix q, k, v;
  for (const auto& state : x) {
    q.push_back(linear(model, part.query, state));
    k.push_back(linear(model, part.key, state));
    v.push_back(linear(model, part.value, state));
  }
  Matrix out(x.size(), std::vector<double>(model.hidden));
  for (size_t h = 0; h < model.hidden; h += d) {
    for (size_t i = 0; i < x.size(); ++i) {
      std::vector<double> p(x.size());
      double sum = 0;
      for (size_t j = 0; j < x.size(); ++j) {
        double dot = 0;
        for (size_t c = h; c < h + d; ++c) dot += q[i][c] * k[j][c];
        sum += p[j] = std::exp(dot / std::sqrt(static_cast<double>(d)));
      }
      for (size_t j = 0; j < x.size(); ++j) {
        for (size_t c = h; c < h + d; ++c) out[i][c] += p[j] / sum * v[j][c];
      }
    }
  }
  return out;
}

}  // namespace

void randomize(TestModel* model, uint64_t seed) {
  Random random(seed);
  const auto tensor = [&](const std::string& name, std::vector<size_t> shape, float scale,
                          float centre = 0) {
    TestTensor t;
    size_t count = 1;
    for (const size_t s : shape) count *= s;
    for (size_t i = 0; i < count; ++i) t.values.push_back(centre + scale * random.next());
    t.shape = std::move(shape);
    model->tensors[name] = std::move(t);
  };
  const auto linear_part = [&](const std::string& name, size_t outputs, size_t inputs) {
    tensor(name + ".weight", {outputs, inputs}, 0.4F);
    tensor(name + ".bias", {outputs}, 0.2F);
  };
  const auto norm_part = [&](const std::string& name) {
    tensor(name + ".weight", {model->hidden}, 0.3F, 1);
    tensor(name + ".bias", {model->hidden}, 0.2F);
  };
  const size_t hidden = model->hidden;
  const std::string p = embeddings_name(*model);
  tensor(p + "word_embeddings.weight", {model->vocabulary, hidden}, 1);
  tensor(p + "position_embeddings.weight", {model->positions, hidden}, 0.5F);
  if (model->bert) tensor(p + "token_type_embeddings.weight", {2, hidden}, 0.5F);
  norm_part(p + "LayerNorm");
  for (size_t i = 0; i < model->layers; ++i) {
    const Part part = part_names(*model, i);
    for (const auto& name : {part.query, part.key, part.value, part.attention_output}) {
      linear_part(name, hidden, hidden);
    }
    norm_part(part.attention_norm);
    linear_part(part.intermediate, model->intermediate, hidden);
    linear_part(part.output, hidden, model->intermediate);
    norm_part(part.output_norm);
  }
  linear_part(head_name(*model), hidden, hidden);
  linear_part("classifier", model->labels, hidden);
}

std::string config_json(const TestModel& model) {
  std::string labels;
  for (size_t i = 0; i < model.labels; ++i) {
    labels += fmt::format("{}\"{}\": \"L{}\"", i == 0 ? "" : ", ", i, i);
  }
  const std::string common =
      fmt::format(R"("vocab_size": {}, "max_position_embeddings": {}, "id2label": {{{}}}}})",
                  model.vocabulary, model.positions, labels);
  if (model.bert) {
    return fmt::format(
        R"({{"architectures": ["BertForSequenceClassification"], "model_type": "bert",
"hidden_size": {}, "num_hidden_layers": {}, "num_attention_heads": {}, "intermediate_size": {},
"hidden_act": "{}", "type_vocab_size": 2, "layer_norm_eps": 1e-12, {})",
        model.hidden, model.layers, model.heads, model.intermediate, model.activation, common);
  }
  return fmt::format(
      R"({{"architectures": ["DistilBertForSequenceClassification"], "model_type": "distilbert",
"dim": {}, "n_layers": {}, "n_heads": {}, "hidden_dim": {}, "activation": "{}", {})",
      model.hidden, model.layers, model.heads, model.intermediate, model.activation, common);
}

std::string safetensors_file(const std::map<std::string, RawTensor>& tensors, bool misalign) {
  std::string header = "{";
  std::string data;
  for (const auto& [name, tensor] : tensors) {
    const size_t begin = data.size();
    data += tensor.bytes;
    header += fmt::format(R"({}"{}":{{"dtype":"{}","shape":[{}],"data_offsets":[{},{}]}})",
                          header.size() > 1 ? "," : "", name, tensor.dtype,
                          fmt::join(tensor.shape, ","), begin, data.size());
  }
  header += "}";
  while (header.size() % 8 != (misalign ? 3 : 0)) header += " ";
  const uint64_t size = header.size();
  return std::string(reinterpret_cast<const char*>(&size), sizeof size) + header + data;
}

void write_model(TestModel* model, const fs::path& folder, const WriteOptions& options) {
  fs::create_directories(folder);
  write_file(folder / "config.json", config_json(*model));
  std::vector<std::map<std::string, RawTensor>> shards(options.shards);
  std::string weight_map;
  const auto shard_name = [](size_t i) { return fmt::format("model-{:05}.safetensors", i); };
  size_t next = 0;
  for (auto& [name, tensor] : model->tensors) {
    const size_t shard = next++ % options.shards;
    shards[shard][name] = {options.dtype, tensor.shape, encode(&tensor, options.dtype)};
    weight_map +=
        fmt::format("{}\"{}\": \"{}\"", weight_map.empty() ? "" : ", ", name, shard_name(shard));
  }
  if (options.shards == 1) {
    write_file(folder / "model.safetensors", safetensors_file(shards[0], options.misalign));
    return;
  }
  for (size_t i = 0; i < shards.size(); ++i) {
    write_file(folder / shard_name(i), safetensors_file(shards[i], options.misalign));
  }
  write_file(folder / "model.safetensors.index.json",
             fmt::format(R"({{"metadata": {{}}, "weight_map": {{{}}}}})", weight_map));
}

void write_file(const fs::path& path, const std::string& content) {
  std::ofstream file(path, std::ios::binary | std::ios::trunc);
  file << content;
  if (!file.flush()) throw std::runtime_error("cannot write " + path.string());
}

std::string read_file(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

SlowResult slow_forward(const TestModel& model, const std::vector<int32_t>& ids,
                        const std::vector<uint8_t>& token_type_ids) {
  Matrix x = embed(model, ids, token_type_ids);
  for (size_t i = 0; i < model.layers; ++i) {
    const Part part = part_names(model, i);
    const Matrix attended = attend(model, part, x);
    for (size_t t = 0; t < x.size(); ++t) {
      x[t] = add_norm(model, part.attention_norm, linear(model, part.attention_output, attended[t]),
                      x[t]);
      std::vector<double> inside = linear(model, part.intermediate, x[t]);
      for (double& v : inside) v = activate(model.activation, v);
      x[t] = add_norm(model, part.output_norm, linear(model, part.output, inside), x[t]);
    }
  }
  std::vector<double> head = linear(model, head_name(model), x[0]);
  for (double& v : head) v = model.bert ? std::tanh(v) : std::max(v, 0.0);
  return {linear(model, "classifier", head), x[0]};
}

TempFolder::TempFolder() {
  std::string pattern = (fs::temp_directory_path() / "millrace-model-XXXXXX").string();
  if (mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("mkdtemp failed");
  path_ = pattern;
}

TempFolder::~TempFolder() {
  std::error_code ignored;
  fs::remove_all(path_, ignored);
}

}  // namespace millrace::model::testing
