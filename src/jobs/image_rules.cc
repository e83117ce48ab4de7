// "763104351884.dkr.ecr.us-east-1.amazonaws.com/huggingface-pytorch-inference:2.1.0-..." -> native.
#include "jobs/image_rules.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>
#include <string_view>

#include "jobs/backends.h"

namespace millrace::jobs {
namespace {

// "repository" of "account.dkr.ecr.region.amazonaws.com/repository:tag"; "" for other registries.
std::string_view aws_repository(std::string_view image) {
  const size_t slash = image.find('/');
  if (slash == image.npos) return {};
  const std::string_view host = image.substr(0, slash);
  if (host.find(".dkr.ecr.") == host.npos || host.find(".amazonaws.com") == host.npos) return {};
  std::string_view repository = image.substr(slash + 1);
  repository = repository.substr(0, repository.find('@'));
  return repository.substr(0, repository.find(':'));
}

struct Rule {
  std::string_view begins;  // of the repository's name
  ModelBinding::Kind kind;
};
constexpr std::array<Rule, 6> kRules = {{
    {"huggingface-pytorch-inference", ModelBinding::Kind::kNative},
    {"huggingface-tensorflow-inference", ModelBinding::Kind::kNative},
    {"pytorch-inference", ModelBinding::Kind::kPython},
    {"sagemaker-pytorch", ModelBinding::Kind::kPython},
    {"sagemaker-scikit-learn", ModelBinding::Kind::kPython},
    {"sagemaker-xgboost", ModelBinding::Kind::kPython},
}};

// The image without its tag or digest. A registry's port is no tag.
std::string without_tag(const std::string& image) {
  const size_t at = image.find('@');
  if (at != std::string::npos) return image.substr(0, at);
  const size_t colon = image.rfind(':');
  const size_t slash = image.rfind('/');
  if (colon == std::string::npos || (slash != std::string::npos && colon < slash)) return image;
  return image.substr(0, colon);
}

std::optional<ModelBinding> binding_of_word(const std::string& word) {
  if (word == "native") return ModelBinding{ModelBinding::Kind::kNative, ""};
  if (word == "python") return ModelBinding{ModelBinding::Kind::kPython, ""};
  if (word == "container") return ModelBinding{ModelBinding::Kind::kContainer, ""};
  if (is_model_url(word)) return ModelBinding{ModelBinding::Kind::kServer, word};
  return std::nullopt;
}

}  // namespace

Result<ModelBinding> bind_image(const std::string& image,
                                const std::map<std::string, std::string>& images, bool run_others) {
  for (const std::string& name : {image, without_tag(image)}) {
    const auto said = images.find(name);
    if (said == images.end()) continue;
    if (const auto binding = binding_of_word(said->second)) return *binding;
    return fail(invalid_argument(fmt::format(
        "image {}: this server maps it to '{}', which is neither native, python, container nor "
        "http://...",
        image, said->second)));
  }
  const std::string_view repository = aws_repository(image);
  for (const Rule& rule : kRules) {
    if (repository.starts_with(rule.begins)) return ModelBinding{rule.kind, ""};
  }
  if (run_others) return ModelBinding{ModelBinding::Kind::kContainer, ""};
  return fail(invalid_argument(fmt::format(
      "Image '{}': no handler of this server fits it. It serves AWS's Hugging Face, PyTorch, "
      "scikit-learn and XGBoost inference images, and what its operator maps with --image "
      "NAME=native|python|container|http://host:port; with --allow-images it runs any image",
      image)));
}

Result<std::string> model_location(const ContainerRecord& container, const ModelBinding& binding) {
  if (binding.kind == ModelBinding::Kind::kServer) return binding.url;
  if (!container.model_data_url.empty() || binding.kind == ModelBinding::Kind::kContainer) {
    return container.model_data_url;
  }
  const auto hub = container.environment.find("HF_MODEL_ID");
  if (hub != container.environment.end()) {
    // Shipped models have the hub's names, without their organisation.
    return hub->second.substr(hub->second.rfind('/') + 1);
  }
  if (binding.kind == ModelBinding::Kind::kNative) return std::string(kDefaultModel);
  return fail(invalid_argument(fmt::format(
      "Image '{}' needs a ModelDataUrl: an archive with code/inference.py", container.image)));
}

}  // namespace millrace::jobs
