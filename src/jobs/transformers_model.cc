#include "jobs/transformers_model.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <string>

#include "base/limits.h"
#include "jobs/python_backend.h"
#include "model/config.h"
#include "model/mapped_file.h"

namespace millrace::jobs {
namespace {

namespace fs = std::filesystem;

// Why the native engine does not run it; "": it does, or the file is none of a model.
std::string refusal(const fs::path& folder, const std::string& task) {
  if (!task.empty() && task != "text-classification" && task != "sentiment-analysis") {
    return fmt::format("HF_TASK: '{}' is not what the native model does (text-classification)",
                       task);
  }
  const auto text = model::read_text_file(folder / "config.json", limits::kModelTextFileBytesMax);
  const auto json = nlohmann::json::parse(text.value_or(""), nullptr, false);
  if (!json.is_object() || !json.contains("architectures")) return "";
  const auto config = model::parse_config(*text, "config.json");
  return config ? "" : config.error().message;
}

}  // namespace

Result<std::optional<PythonModel>> find_transformers_model(const fs::path& folder,
                                                           const Variables& stated,
                                                           const JobSettings& settings,
                                                           const fs::path& program) {
  const std::string why = refusal(folder, value_of(stated, "HF_TASK"));
  if (why.empty()) return std::nullopt;
  if (settings.python.empty() && settings.image.empty()) {
    return fail(invalid_argument(
        why +
        "; Transformers may run it: --python names a Python that has it, --image the AWS "
        "image that the model was made for"));
  }
  MR_ASSIGN(const fs::path runtime, find_python_runtime(program));
  PythonModel out;
  out.model_folder = fs::absolute(folder).lexically_normal();
  out.code_folder = runtime / "transformers_pipeline";
  out.program = "inference.py";
  return out;
}

}  // namespace millrace::jobs
