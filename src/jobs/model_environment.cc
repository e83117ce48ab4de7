#include "jobs/model_environment.h"

#include <algorithm>
#include <array>
#include <string_view>

namespace millrace::jobs {
namespace {

// Known to hold no secret. What is not listed may: names like DATABASE_URL do not tell.
constexpr std::array<std::string_view, 25> kPassed = {
    "PATH",          "HOME",         "USER",          "LOGNAME",
    "SHELL",         "LANG",         "LANGUAGE",      "TZ",
    "TERM",          "PYTHONPATH",   "PYTHONHOME",    "PYTHONUNBUFFERED",
    "VIRTUAL_ENV",   "CONDA_PREFIX", "JAVA_HOME",     "LD_LIBRARY_PATH",
    "LD_PRELOAD",    "SSL_CERT_DIR", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE",
    "HF_HOME",       "TORCH_HOME",   "CUDA_HOME",     "CUDA_VISIBLE_DEVICES",
    "XDG_CACHE_HOME"};
constexpr std::array<std::string_view, 5> kPassedPrefixes = {"LC_", "OMP_", "MKL_", "OPENBLAS_",
                                                             "NVIDIA_"};

bool is_passed(std::string_view name, bool credentials) {
  if (credentials && name.starts_with("AWS_")) return true;
  const auto is_prefix = [name](std::string_view prefix) { return name.starts_with(prefix); };
  return std::find(kPassed.begin(), kPassed.end(), name) != kPassed.end() ||
         std::any_of(kPassedPrefixes.begin(), kPassedPrefixes.end(), is_prefix);
}

}  // namespace

Variables model_environment(const JobSettings& settings, const Variables& process,
                            const Variables& stated, const std::string& model_folder) {
  Variables out;
  for (const auto& [name, value] : process) {
    if (is_passed(name, settings.pass_credentials)) out[name] = value;
  }
  if (!model_folder.empty()) out["SM_MODEL_DIR"] = model_folder;
  out["SAGEMAKER_BATCH"] = "true";
  if (settings.max_payload_in_mb) {
    out["SAGEMAKER_MAX_PAYLOAD_IN_MB"] = std::to_string(*settings.max_payload_in_mb);
  }
  if (settings.batch_strategy) {
    const bool single = *settings.batch_strategy == record::BatchStrategy::kSingleRecord;
    out["SAGEMAKER_BATCH_STRATEGY"] = single ? "SINGLE_RECORD" : "MULTI_RECORD";
  }
  if (settings.max_concurrent_transforms) {
    out["SAGEMAKER_MAX_CONCURRENT_TRANSFORMS"] =
        std::to_string(*settings.max_concurrent_transforms);
  }
  for (const auto& [name, value] : stated) out[name] = value;
  return out;
}

}  // namespace millrace::jobs
