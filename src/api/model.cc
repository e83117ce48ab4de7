// Model of the C++ library: the native engine behind standard types.
#include "millrace/model.h"

#include <algorithm>
#include <thread>

#include "api/convert.h"
#include "api/forward_rows.h"
#include "base/utf8.h"
#include "handler/classify_texts.h"
#include "handler/native_options.h"
#include "jobs/backends.h"
#include "jobs/model_artifact.h"
#include "model/text_classification_model.h"

namespace millrace {
namespace {

namespace fs = std::filesystem;

Result<fs::path> find_folder(const std::string& name) {
  const jobs::Variables environment = api::process_variables();
  jobs::ArtifactOptions options;
  options.shipped_model_folders = api::shipped_model_folders(environment);
  const auto variable = [&](const char* key) {
    const auto found = environment.find(key);
    return found == environment.end() ? std::string() : found->second;
  };
  fs::path cache = fs::temp_directory_path();
  if (!variable("XDG_CACHE_HOME").empty()) {
    cache = variable("XDG_CACHE_HOME");
  } else if (!variable("HOME").empty()) {
    cache = fs::path(variable("HOME")) / ".cache";
  }
  options.cache_folder = cache / "millrace" / "models";
  options.make_store = [](const store::Location& location) {
    return jobs::make_store(location, jobs::JobSettings(), CancelToken());
  };
  MR_ASSIGN(const jobs::ModelArtifact artifact, jobs::find_model(name, options));
  return artifact.folder;
}

Result<model::Precision> parse_precision(const std::string& name) {
  for (const auto precision :
       {model::Precision::kFp32, model::Precision::kBf16, model::Precision::kInt8}) {
    if (name == model::precision_name(precision)) return precision;
  }
  return fail(invalid_argument("precision \"" + name + "\": allowed: fp32, bf16, int8"));
}

ModelDescription describe(const model::TextClassificationModel& model) {
  const model::ModelInfo& info = model.info();
  return {.architecture = info.architecture,
          .layers = info.layers,
          .hidden_size = info.hidden_size,
          .vocabulary_size = info.vocab_size,
          .parameters = info.parameters,
          .max_length = model.max_length(),
          .labels = info.labels,
          .languages = info.languages,
          .isa = info.isa,
          .precision = model::precision_name(info.precision),
          .digest = info.digest,
          .numeric_identity = info.numeric_identity};
}

}  // namespace

struct Model::Impl {
  std::shared_ptr<const model::TextClassificationModel> model;
  handler::NativeOptions options;
  ModelDescription description;
  int threads = 1;
  mutable api::EncoderPool encoders{model};

  static Result<std::shared_ptr<const Impl>> load(const std::string& name,
                                                  const ModelSettings& settings);
  Result<TokenRow> tokenize(std::string_view text, const std::string_view* text_pair) const;
};

Result<std::shared_ptr<const Model::Impl>> Model::Impl::load(const std::string& name,
                                                             const ModelSettings& settings) {
  MR_ASSIGN(const jobs::Variables variables, api::option_variables(settings.options, true));
  MR_ASSIGN(const model::Precision precision, parse_precision(settings.precision));
  if (settings.threads < 0) return fail(invalid_argument("threads: must not be negative"));
  const int cores = static_cast<int>(std::max(1U, std::thread::hardware_concurrency()));
  const int threads = settings.threads > 0 ? settings.threads : cores;
  MR_ASSIGN(const fs::path folder, find_folder(name));
  auto loading = model::TextClassificationModel::load(folder, {precision, settings.isa, threads});
  if (!loading) return fail(std::move(loading).error().within("model " + name));
  auto loaded = std::move(*loading);
  MR_ASSIGN(auto options, handler::parse_native_options(variables, loaded->info().labels));
  auto description = describe(*loaded);
  description.labels = options.labels;  // as the settings rename them
  return std::shared_ptr<const Impl>(
      new Impl{std::move(loaded), std::move(options), std::move(description), threads});
}

Result<TokenRow> Model::Impl::tokenize(std::string_view text,
                                       const std::string_view* text_pair) const {
  const model::Tokenizer* tokenizer = model->tokenizer();
  if (tokenizer == nullptr) {
    return fail(invalid_argument("the model folder has no tokenizer: texts cannot be read"));
  }
  if (!is_utf8(text) || (text_pair != nullptr && !is_utf8(*text_pair))) {
    return fail(bad_input("the text is not valid UTF-8"));
  }
  model::Encoding encoding;
  if (text_pair == nullptr) {
    tokenizer->encode(text, model->max_length(), &encoding);
  } else {
    tokenizer->encode_pair(text, *text_pair, model->max_length(), &encoding);
  }
  return TokenRow{std::move(encoding.ids), std::move(encoding.token_type_ids)};
}

Model::Model(std::shared_ptr<const Impl> impl) : impl_(std::move(impl)) {}

Outcome<Model> Model::load(const std::string& model, const ModelSettings& settings) {
  auto impl = Impl::load(model, settings);
  if (!impl) return api::to_failure(std::move(impl).error());
  return Model(std::move(*impl));
}

const ModelDescription& Model::description() const {
  return impl_->description;
}

Outcome<std::vector<Classification>> Model::classify(std::span<const std::string> texts) const {
  auto answers = handler::classify_texts(impl_->model, impl_->options, texts, impl_->threads);
  if (!answers) return api::to_failure(std::move(answers).error());
  std::vector<Classification> out;
  out.reserve(answers->size());
  for (handler::ClassifiedText& answer : *answers) {
    out.push_back({.label = std::move(answer.label),
                   .score = answer.score,
                   .scores = std::move(answer.scores),
                   .logits = std::move(answer.logits),
                   .truncated = answer.truncated});
  }
  return out;
}

Outcome<TokenRow> Model::tokenize(std::string_view text) const {
  auto row = impl_->tokenize(text, nullptr);
  if (!row) return api::to_failure(std::move(row).error());
  return std::move(*row);
}

Outcome<TokenRow> Model::tokenize_pair(std::string_view text, std::string_view text_pair) const {
  auto row = impl_->tokenize(text, &text_pair);
  if (!row) return api::to_failure(std::move(row).error());
  return std::move(*row);
}

Outcome<std::vector<RowOutput>> Model::forward(std::span<const TokenRow> rows) const {
  const model::ModelInfo& info = impl_->model->info();
  auto checked = api::check_rows(info, rows);
  if (!checked) return api::to_failure(std::move(checked).error());
  return api::forward_rows(info, impl_->encoders, rows, impl_->threads);
}

}  // namespace millrace
