#include "cli/precision_hint.h"

namespace millrace::cli {
namespace {

// A run this long is worth a thought about the next one.
constexpr double kSecondsMin = 10;

}  // namespace

std::optional<std::string> precision_hint(const jobs::TransformOutcome& outcome) {
  const transform::JobReport& report = outcome.report;
  const bool computed = report.counts.cached + report.counts.duplicates < report.counts.rows / 2;
  if (!outcome.precision_by_default || !outcome.model ||
      outcome.model->precision != model::Precision::kFp32 ||
      report.status != transform::JobReport::Status::kCompleted || report.seconds < kSecondsMin ||
      !computed) {
    return std::nullopt;
  }
  return "hint: --precision int8 is faster; what it would change on your texts (a file, one a "
         "line): millrace bench --compare-precisions --model " +
         outcome.model_name + " --input FILE";
}

}  // namespace millrace::cli
