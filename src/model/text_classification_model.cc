// Loading a model folder: configuration, tokenizer, weights and model card, checked against each
// other, into one immutable model.
#include "model/text_classification_model.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <future>
#include <system_error>

#include "base/background.h"
#include "base/limits.h"
#include "base/xxh3.h"
#include "model/config.h"
#include "model/mapped_file.h"
#include "model/model_card.h"
#include "model/safetensors.h"
#include "model/weights.h"
#include "nn/bf16_rounding.h"
#include "nn/kernels.h"

namespace millrace::model {
namespace {

namespace fs = std::filesystem;

constexpr char kConfigFile[] = "config.json";
// Every file that can change what the tokenizer answers; all are part of the digest.
constexpr std::array kTokenizerFiles = {"tokenizer.json", "vocab.txt", "tokenizer_config.json",
                                        "special_tokens_map.json", "added_tokens.json"};

bool is_there(const fs::path& path) {
  std::error_code ignored;
  return fs::exists(path, ignored);
}

using TokenizerResult = Result<std::shared_ptr<const Tokenizer>>;

// Null where the folder has no tokenizer files: ids in, logits out.
TokenizerResult load_tokenizer(const fs::path& folder) {
  if (!is_there(folder / "tokenizer.json") && !is_there(folder / "vocab.txt")) return nullptr;
  return Tokenizer::load(folder);
}

Result<const nn::Kernels*> choose_kernels(const std::string& isa) {
  const nn::Kernels* kernels = nn::find_kernels(isa);
  if (kernels != nullptr) return kernels;
  return fail(invalid_argument(fmt::format("instruction set \"{}\": this machine runs {}", isa,
                                           fmt::join(nn::kernel_names(), ", "))));
}

// Over configuration, tokenizer and weights, by content: the same model in another folder, or cut
// into shards, is the same model.
Result<std::string> model_digest(const fs::path& folder, std::string_view config_text,
                                 std::string_view weights_digest) {
  Xxh3 digest;
  digest.field(kConfigFile).field(config_text);
  for (const char* name : kTokenizerFiles) {
    if (!is_there(folder / name)) continue;
    MR_ASSIGN(const std::string text,
              read_text_file(folder / name, limits::kTokenizerFileBytesMax));
    digest.field(name).field(text);
  }
  digest.field(weights_digest);
  return digest.hex();
}

// The card is prose: one that cannot be read states nothing.
std::vector<std::string> languages_of(const fs::path& folder) {
  const auto card = read_text_file(folder / "README.md", limits::kModelTextFileBytesMax);
  return card ? card_languages(*card) : std::vector<std::string>{};
}

Status check_vocabulary(const Tokenizer* tokenizer, const Config& config) {
  if (tokenizer == nullptr || tokenizer->vocab_size() == config.vocab_size) return {};
  return fail(
      invalid_argument(fmt::format("the tokenizer has {} pieces, but {} states vocab_size "
                                   "{}",
                                   tokenizer->vocab_size(), kConfigFile, config.vocab_size)));
}

// bf16 gives other bits on each CPU that has it, so it is not imitated where it is missing.
Precision usable_precision(Precision wanted, const nn::Kernels& kernels) {
  const bool missing = wanted == Precision::kBf16 && kernels.linear_bf16 == nullptr;
  return missing ? Precision::kFp32 : wanted;
}

ModelInfo describe(const Weights& weights, const LoadOptions& options) {
  const Config& config = weights.config;
  ModelInfo info;
  info.architecture = config.architecture_name;
  info.layers = config.num_hidden_layers;
  info.hidden_size = config.hidden_size;
  info.intermediate_size = config.intermediate_size;
  info.heads = config.num_attention_heads;
  info.vocab_size = config.vocab_size;
  info.max_position_embeddings = config.max_position_embeddings;
  info.type_vocab_size = config.type_vocab_size;
  info.parameters = weights.parameters;
  info.labels = config.labels;
  info.multi_label = config.multi_label;
  info.isa = weights.kernels->name;
  info.precision = weights.precision;
  if (info.precision != options.precision) {
    info.notice =
        fmt::format("the kernels in use ({}) have no {} products; computing in {}", info.isa,
                    precision_name(options.precision), precision_name(info.precision));
  }
  return info;
}

Result<std::unique_ptr<const Weights>> load_weights(const fs::path& folder, const Config& config,
                                                    const LoadOptions& options) {
  MR_ASSIGN(const nn::Kernels* kernels, choose_kernels(options.isa));
  MR_ASSIGN(Checkpoint checkpoint, Checkpoint::open(folder));
  return Weights::load(std::move(checkpoint), config, kernels,
                       usable_precision(options.precision, *kernels), options.threads);
}

// All that decides a result's bits. bf16 is the one precision whose sums CPUs round in ways of
// their own; where the instruction set in use has none of it, the precision is fp32 by now.
std::string numeric_identity(const ModelInfo& info, const nn::Kernels& kernels) {
  std::string arithmetic = precision_name(info.precision);
  if (info.precision == Precision::kBf16) {
    arithmetic += fmt::format("-{}-{}", info.isa, nn::bf16_rounding(kernels));
  }
  return fmt::format("{}-{}-k{}", info.digest, arithmetic, nn::kKernelRevision);
}

}  // namespace

const char* precision_name(Precision precision) {
  switch (precision) {
    case Precision::kFp32:
      return "fp32";
    case Precision::kBf16:
      return "bf16";
    case Precision::kInt8:
      return "int8";
  }
  return "unknown";
}

TextClassificationModel::TextClassificationModel() = default;
TextClassificationModel::~TextClassificationModel() = default;

Result<std::shared_ptr<const TextClassificationModel>> TextClassificationModel::load(
    const fs::path& folder, const LoadOptions& options) {
  if (!is_there(folder)) return fail(not_found("no such folder"));
  if (!is_there(folder / kConfigFile)) {
    return fail(invalid_argument(fmt::format("{} is missing", kConfigFile)));
  }
  MR_ASSIGN(const std::string config_text,
            read_text_file(folder / kConfigFile, limits::kModelTextFileBytesMax));
  MR_ASSIGN(const Config config, parse_config(config_text, kConfigFile));

  // Beside the weights: it is one thread's work, and theirs is shared by the others.
  const auto load = [&folder] { return load_tokenizer(folder); };
  std::future<TokenizerResult> tokenizer =
      options.threads > 1 ? in_background(load) : std::async(std::launch::deferred, load);
  MR_ASSIGN(auto weights, load_weights(folder, config, options));

  const std::shared_ptr<TextClassificationModel> model(new TextClassificationModel());
  MR_ASSIGN(model->tokenizer_, tokenizer.get());
  MR_TRY(check_vocabulary(model->tokenizer(), config));
  model->info_ = describe(*weights, options);
  model->info_.languages = languages_of(folder);
  MR_ASSIGN(model->info_.digest, model_digest(folder, config_text, weights->digest));
  model->info_.numeric_identity = numeric_identity(model->info_, *weights->kernels);
  model->max_length_ = config.max_position_embeddings;
  if (model->tokenizer() != nullptr) {
    model->max_length_ = std::min(model->max_length_, model->tokenizer()->model_max_length());
  }
  model->weights_ = std::move(weights);
  return model;
}

}  // namespace millrace::model
