// Reads the native model's settings. Every refusal has the same three parts: the setting, the value
// it has, and what is allowed.
#include "handler/native_options.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <nlohmann/json.hpp>
#include <string_view>

#include "handler/utf8.h"

namespace millrace::handler {

namespace {

using Json = nlohmann::ordered_json;
using Settings = std::map<std::string, std::string>;

// The settings, and how messages call each.
struct Given {
  const Settings& values;
  const Settings& written;

  // A setting that is there but empty counts as not made: that is how environments unset things.
  std::string_view value(const char* name) const {
    const auto found = values.find(name);
    return found == values.end() ? std::string_view() : std::string_view(found->second);
  }
  std::string called(const char* name) const {
    const auto found = written.find(name);
    return found == written.end() ? std::string("MILLRACE_") + name : found->second;
  }
};

constexpr std::array<std::string_view, kCleanSteps> kStepNames = {
    "html", "urls", "mentions", "hashtags", "control", "whitespace", "repeats", "nfc", "mojibake"};

// Python prints 17 digits at most; rounding to more changes nothing.
constexpr int kScoreDigitsMax = 17;

Error refused(const Given& given, const char* setting, std::string_view value,
              std::string_view why) {
  std::string message = given.called(setting);
  message.append("='").append(value).append("': ").append(why);
  return invalid_argument(std::move(message));
}

std::string listed(const std::vector<std::string>& names) {
  std::string out;
  for (const std::string& name : names) {
    if (!out.empty()) out += ", ";
    out += name;
  }
  return out;
}

template <class Value, size_t n>
Status read_choice(const Given& given, const char* name,
                   const std::array<std::pair<std::string_view, Value>, n>& choices, Value* out) {
  const std::string_view value = given.value(name);
  if (value.empty()) return {};
  std::string allowed = "allowed: ";
  for (const auto& [word, choice] : choices) {
    if (word == value) {
      *out = choice;
      return {};
    }
    if (allowed.back() != ' ') allowed += ", ";
    allowed += word;
  }
  return fail(refused(given, name, value, allowed));
}

// A JSON object without duplicate keys, its members in the order written.
Result<Json> read_object(const Given& given, const char* name, std::string_view value,
                         std::string_view allowed) {
  bool duplicate = false;
  std::vector<std::string> seen;
  const auto watch = [&](int depth, Json::parse_event_t event, Json& parsed) {
    if (event != Json::parse_event_t::key || depth != 1) return true;
    const auto key = parsed.get<std::string>();
    duplicate = duplicate || std::find(seen.begin(), seen.end(), key) != seen.end();
    seen.push_back(key);
    return true;
  };
  Json json = Json::parse(value, watch, /*allow_exceptions=*/false);
  if (duplicate) return fail(refused(given, name, value, "a label stands in it twice"));
  if (!json.is_object()) {
    return fail(refused(given, name, value,
                        std::string("is not a JSON object; allowed: ").append(allowed)));
  }
  return json;
}

Status read_labels(const Given& given, const std::vector<std::string>& model_labels,
                   std::vector<std::string>* labels) {
  *labels = model_labels;
  const std::string_view value = given.value("LABELS");
  if (value.empty()) return {};
  constexpr std::string_view kAllowed = R"(an object such as {"LABEL_0":"NEGATIVE"})";
  MR_ASSIGN(const Json json, read_object(given, "LABELS", value, kAllowed));
  for (const auto& [from, to] : json.items()) {
    const auto found = std::find(model_labels.begin(), model_labels.end(), from);
    if (found == model_labels.end()) {
      return fail(
          refused(given, "LABELS", value,
                  "the model has no label '" + from + "'; it has: " + listed(model_labels)));
    }
    if (!to.is_string() || to.get_ref<const std::string&>().empty()) {
      return fail(refused(given, "LABELS", value, "the new name of '" + from + "' is not a text"));
    }
    (*labels)[static_cast<size_t>(found - model_labels.begin())] = to.get<std::string>();
  }
  for (auto i = labels->begin(); i != labels->end(); ++i) {
    if (std::find(labels->begin(), i, *i) != i) {
      return fail(refused(given, "LABELS", value, "two labels would be named '" + *i + "'"));
    }
  }
  return {};
}

Status read_thresholds(const Given& given, NativeOptions* options) {
  const std::string_view value = given.value("THRESHOLDS");
  if (value.empty()) return {};
  constexpr std::string_view kAllowed = R"(an object such as {"NEGATIVE":0.3})";
  MR_ASSIGN(const Json json, read_object(given, "THRESHOLDS", value, kAllowed));
  const std::vector<std::string>& labels = options->labels;
  for (const auto& [label, threshold] : json.items()) {
    const auto found = std::find(labels.begin(), labels.end(), label);
    if (found == labels.end()) {
      return fail(refused(given, "THRESHOLDS", value,
                          "the model has no label '" + label + "'; it has: " + listed(labels)));
    }
    const double number = threshold.is_number() ? threshold.get<double>() : -1;
    if (!(number >= 0 && number <= 1)) {
      return fail(refused(given, "THRESHOLDS", value,
                          "the threshold of '" + label + "' is not a number from 0 to 1"));
    }
    options->thresholds.emplace_back(static_cast<uint32_t>(found - labels.begin()), number);
  }
  return {};
}

Status read_clean(const Given& given, std::vector<CleanStep>* steps) {
  const std::string_view value = given.value("CLEAN");
  for (size_t begin = 0; begin < value.size();) {
    const size_t end = std::min(value.find(',', begin), value.size());
    std::string_view word = value.substr(begin, end - begin);
    while (word.starts_with(' ')) word.remove_prefix(1);
    while (word.ends_with(' ')) word.remove_suffix(1);
    const auto found = std::find(kStepNames.begin(), kStepNames.end(), word);
    if (found == kStepNames.end()) {
      return fail(
          refused(given, "CLEAN", value,
                  "'" + std::string(word) +
                      "' is no cleaning step; allowed, separated by "
                      "commas: html, urls, mentions, hashtags, control, whitespace, repeats, "
                      "nfc, mojibake"));
    }
    steps->push_back(static_cast<CleanStep>(found - kStepNames.begin()));
    begin = end + 1;
  }
  return {};
}

Status read_score_digits(const Given& given, std::optional<int>* digits) {
  const std::string_view value = given.value("SCORE_DIGITS");
  if (value.empty()) return {};
  int number = -1;
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), number);
  if (error != std::errc() || end != value.data() + value.size() || number < 0 ||
      number > kScoreDigitsMax) {
    return fail(
        refused(given, "SCORE_DIGITS", value, "allowed: 0 to " + std::to_string(kScoreDigitsMax)));
  }
  *digits = number;
  return {};
}

// Texts that become part of column names or replies.
Status read_text(const Given& given, const char* name, std::string* out) {
  const std::string_view value = given.value(name);
  if (value.empty()) return {};
  const bool control = std::any_of(value.begin(), value.end(),
                                   [](char c) { return static_cast<unsigned char>(c) < 0x20; });
  if (control || valid_utf8_prefix(value) != value.size()) {
    return fail(refused(given, name, value, "allowed: valid UTF-8 without control characters"));
  }
  *out = value;
  return {};
}

// A switch, as the command line and environments write them.
Status read_flag(const Given& given, const char* name, bool* out) {
  const std::string_view value = given.value(name);
  *out = value == "true" || value == "1";
  if (*out || value.empty() || value == "false" || value == "0") return {};
  return fail(refused(given, name, value, "allowed: true, false, 1, 0"));
}

Status check_together(const Given& given, const NativeOptions& options) {
  const bool labels_given =
      options.output != OutputShape::kLogits && options.output != OutputShape::kEmbedding;
  const std::string_view output = given.value("OUTPUT");
  if (!options.thresholds.empty() && !labels_given) {
    return fail(refused(given, "THRESHOLDS", given.value("THRESHOLDS"),
                        "thresholds choose a label, and " + given.called("OUTPUT") + "=" +
                            std::string(output) + " gives none; allowed with it: no thresholds"));
  }
  if (options.empty == EmptyText::kOtherwise && options.otherwise.empty()) {
    return fail(refused(given, "EMPTY", "otherwise",
                        "needs " + given.called("OTHERWISE") + ", the label that empty texts get"));
  }
  if (options.empty == EmptyText::kOtherwise && !labels_given) {
    return fail(refused(given, "EMPTY", "otherwise",
                        "gives a label, and " + given.called("OUTPUT") + "=" + std::string(output) +
                            " has none; allowed with it: classify, blank, error"));
  }
  return {};
}

}  // namespace

std::string_view clean_step_name(CleanStep step) {
  return kStepNames[static_cast<size_t>(step)];
}

const std::vector<NativeOptionHelp>& native_option_help() {
  static const std::vector<NativeOptionHelp> help = {
      {"TEXT_COLUMN", "NAME|INDEX",
       "where the text is: column of a CSV record (0-based index, or a name with --csv-header), or "
       "field of a JSON object (dotted for nested ones)"},
      {"EMPTY", "classify|blank|otherwise|error",
       "what an empty or null text gives; default: classify for \"\" in JSON, else blank"},
      {"INVALID_UTF8", "error|replace",
       "what bytes that are not UTF-8 do; default: error in JSON, else replaced by U+FFFD"},
      {"OUTPUT", "default|columns|logits|embedding",
       "shape of a result: label and score; flat columns with every score; logit_<LABEL>; the "
       "final hidden state of the first token"},
      {"SCORE_DIGITS", "0..17", "decimal places that scores are rounded to; default: all digits"},
      {"THRESHOLDS", "JSON",
       "{\"LABEL\":P,...}: the first label, in the order written, whose probability reaches P is "
       "given; then the most probable of the others. In a multi-label model each label's "
       "probability is its own (sigmoid)"},
      {"OTHERWISE", "LABEL",
       "label given when every label has a threshold and none is reached; default: the top label"},
      {"CLEAN", "STEP,...",
       "steps that clean the text before tokenization, in the order written: html, urls, mentions, "
       "hashtags, control, whitespace, repeats, nfc, mojibake"},
      {"RESULT_PREFIX", "TEXT", "begin of the names of result columns; default: predicted_"},
      {"ECHO_INPUT", "",
       "Results begin with their text (CSV: a first column; JSON: \"text\"), for what comes after: "
       "routing, summaries, a next step of a pipeline"},
      {"LABELS", "JSON", "{\"LABEL_0\":\"NEGATIVE\",...}: other names for the model's labels"},
  };
  return help;
}

Result<NativeOptions> parse_native_options(const Settings& settings,
                                           const std::vector<std::string>& model_labels,
                                           const Settings& written) {
  const Given given{settings, written};
  constexpr std::array<std::pair<std::string_view, EmptyText>, 4> kEmpty = {
      {{"classify", EmptyText::kClassify},
       {"blank", EmptyText::kBlank},
       {"otherwise", EmptyText::kOtherwise},
       {"error", EmptyText::kError}}};
  constexpr std::array<std::pair<std::string_view, InvalidUtf8>, 2> kInvalid = {
      {{"error", InvalidUtf8::kError}, {"replace", InvalidUtf8::kReplace}}};
  constexpr std::array<std::pair<std::string_view, OutputShape>, 4> kOutput = {
      {{"default", OutputShape::kDefault},
       {"columns", OutputShape::kColumns},
       {"logits", OutputShape::kLogits},
       {"embedding", OutputShape::kEmbedding}}};
  NativeOptions options;
  MR_TRY(read_labels(given, model_labels, &options.labels));
  MR_TRY(read_text(given, "TEXT_COLUMN", &options.text_column));
  MR_TRY(read_choice(given, "EMPTY", kEmpty, &options.empty));
  MR_TRY(read_choice(given, "INVALID_UTF8", kInvalid, &options.invalid_utf8));
  MR_TRY(read_choice(given, "OUTPUT", kOutput, &options.output));
  MR_TRY(read_score_digits(given, &options.score_digits));
  MR_TRY(read_thresholds(given, &options));
  MR_TRY(read_text(given, "OTHERWISE", &options.otherwise));
  MR_TRY(read_clean(given, &options.clean));
  MR_TRY(read_text(given, "RESULT_PREFIX", &options.result_prefix));
  MR_TRY(read_flag(given, "ECHO_INPUT", &options.echo_input));
  MR_TRY(check_together(given, options));
  return options;
}

// The labels that the settings name are taken for the model's.
Status check_native_options(const Settings& settings, const Settings& written) {
  const Given given{settings, written};
  std::vector<std::string> labels;
  std::vector<std::string> renamed;
  const auto renames = Json::parse(given.value("LABELS"), nullptr, false);
  if (renames.is_object()) {
    for (const auto& [from, to] : renames.items()) {
      labels.push_back(from);
      renamed.push_back(to.is_string() ? to.get<std::string>() : "");
    }
  }
  const auto thresholds = Json::parse(given.value("THRESHOLDS"), nullptr, false);
  if (thresholds.is_object()) {
    for (const auto& [label, threshold] : thresholds.items()) {
      if (std::find(renamed.begin(), renamed.end(), label) == renamed.end()) {
        labels.push_back(label);
      }
    }
  }
  const Result<NativeOptions> options = parse_native_options(settings, labels, written);
  return options ? Status() : fail(options.error());
}

}  // namespace millrace::handler
