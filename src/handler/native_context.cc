// Settings, worked out once instead of for each record.
#include "handler/native_context.h"

#include <charconv>

#include "base/check.h"
#include "base/xxh3.h"
#include "handler/echoed_texts.h"

namespace millrace::handler {

namespace {

// Part of the identity; changes when the bytes of a reply change for the same settings.
constexpr std::string_view kReplyRevision = "1";

ScoreFunction default_function_of(const model::ModelInfo& info) {
  // As Hugging Face's pipeline: one label alone is a probability of its own.
  const bool each_its_own = info.multi_label || info.labels.size() == 1;
  return each_its_own ? ScoreFunction::kSigmoid : ScoreFunction::kSoftmax;
}

std::optional<uint32_t> index_in(const std::string& text_column) {
  uint32_t index = 0;
  const char* end = text_column.data() + text_column.size();
  const auto [last, error] = std::from_chars(text_column.data(), end, index);
  if (text_column.empty() || error != std::errc() || last != end) return std::nullopt;
  return index;
}

std::vector<std::string> result_columns(const NativeOptions& options, size_t hidden_size) {
  std::vector<std::string> names;
  if (options.output == OutputShape::kEmbedding) {
    for (size_t i = 0; i < hidden_size; ++i) names.push_back("e" + std::to_string(i));
    return names;
  }
  if (options.output != OutputShape::kLogits) {
    names = {options.result_prefix + "label", options.result_prefix + "score"};
    if (options.output == OutputShape::kDefault) return names;
  }
  const char* prefix = options.output == OutputShape::kLogits ? "logit_" : "score_";
  for (const std::string& label : options.labels) names.push_back(prefix + label);
  return names;
}

std::vector<std::string> with_echo(const NativeOptions& options, std::vector<std::string> names) {
  if (options.echo_input) names.insert(names.begin(), std::string(kEchoColumn));
  return names;
}

// As Python's json.dumps(ensure_ascii=False).
std::string json_string(const std::string& text) {
  constexpr char kHex[] = "0123456789abcdef";
  std::string out = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out.append("\\").push_back(c);
    } else if (byte >= 0x20) {
      out.push_back(c);
    } else if (const size_t at = std::string_view("\b\t\n\f\r").find(c); at != std::string::npos) {
      out.append("\\").push_back("btnfr"[at]);
    } else {
      out.append("\\u00").push_back(kHex[byte >> 4]);
      out.push_back(kHex[byte & 15]);
    }
  }
  return out + "\"";
}

std::vector<std::string> json_strings(const std::vector<std::string>& texts) {
  std::vector<std::string> out;
  for (const std::string& text : texts) out.push_back(json_string(text));
  return out;
}

std::string identity_of(const model::ModelInfo& info, const NativeOptions& options) {
  Xxh3 hash;
  hash.field(kReplyRevision).field(options.text_column).field(options.otherwise);
  hash.field(options.result_prefix);
  const auto number = [&](auto value) { hash.field(std::to_string(value)); };
  number(options.labels.size());
  for (const std::string& label : options.labels) hash.field(label);
  number(static_cast<int>(options.empty));
  number(static_cast<int>(options.invalid_utf8));
  number(static_cast<int>(options.output));
  number(options.score_digits.value_or(-1));
  number(options.thresholds.size());
  for (const auto& [label, threshold] : options.thresholds) {
    char exact[32];
    const auto end = std::to_chars(exact, exact + sizeof exact, threshold);
    number(label);
    hash.field({exact, static_cast<size_t>(end.ptr - exact)});
  }
  if (options.echo_input) hash.field("echo");
  for (const CleanStep step : options.clean) hash.field(clean_step_name(step));
  return info.numeric_identity + "/" + hash.hex();
}

}  // namespace

NativeContext::NativeContext(std::shared_ptr<const model::TextClassificationModel> the_model,
                             NativeOptions the_options)
    : model(std::move(the_model)),
      options(std::move(the_options)),
      language(model->info().languages),
      default_function(default_function_of(model->info())),
      text_index(index_in(options.text_column)),
      columns(result_columns(options, model->info().hidden_size)),
      reply_columns(with_echo(options, columns)),
      json_labels(json_strings(options.labels)),
      json_columns(json_strings(columns)),
      json_otherwise(json_string(options.otherwise)),
      identity(identity_of(model->info(), options)) {
  MR_CHECK(model->tokenizer() != nullptr);
  MR_CHECK(options.labels.size() == model->info().labels.size() && !options.labels.empty());
}

}  // namespace millrace::handler
