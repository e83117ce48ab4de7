// The native model's settings, as they stand in a job's or model's Environment (MILLRACE_*).
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"

namespace millrace::handler {

enum class OutputShape { kDefault, kColumns, kLogits, kEmbedding };
enum class EmptyText { kDefault, kClassify, kBlank, kOtherwise, kError };
enum class InvalidUtf8 { kDefault, kError, kReplace };

enum class CleanStep {
  kHtml,
  kUrls,
  kMentions,
  kHashtags,
  kControl,
  kWhitespace,
  kRepeats,
  kNfc,
  kMojibake
};
inline constexpr size_t kCleanSteps = 9;
// As MILLRACE_CLEAN names it.
std::string_view clean_step_name(CleanStep step);

struct NativeOptions {
  std::vector<std::string> labels;  // by id, after MILLRACE_LABELS
  std::string text_column;          // name (dotted for nested JSON), or 0-based index; "": none
  EmptyText empty = EmptyText::kDefault;
  InvalidUtf8 invalid_utf8 = InvalidUtf8::kDefault;
  OutputShape output = OutputShape::kDefault;
  std::optional<int> score_digits;
  std::vector<std::pair<uint32_t, double>> thresholds;  // (label id, probability), in order written
  std::string otherwise;                                // label; "": the top label
  std::vector<CleanStep> clean;                         // in the order written
  std::string result_prefix = "predicted_";
  bool echo_input = false;  // results begin with their text
};

// One setting that a user can make: its name without MILLRACE_, in upper snake case, and the help
// text that --help, docs and error messages share.
struct NativeOptionHelp {
  const char* name;    // "TEXT_COLUMN"
  const char* values;  // "NAME|INDEX"
  const char* help;
};
const std::vector<NativeOptionHelp>& native_option_help();

// `settings`: names without MILLRACE_ ("TEXT_COLUMN") to values; names it does not know are
// ignored (the caller refuses them). `model_labels` by id. A bad value is invalid_argument and
// names the setting (as `written` has it for its name, else as MILLRACE_X), the value and what is
// allowed.
Result<NativeOptions> parse_native_options(const std::map<std::string, std::string>& settings,
                                           const std::vector<std::string>& model_labels,
                                           const std::map<std::string, std::string>& written = {});

// As much of that as can be said while the model, and so its labels, is not known.
Status check_native_options(const std::map<std::string, std::string>& settings,
                            const std::map<std::string, std::string>& written = {});

}  // namespace millrace::handler
