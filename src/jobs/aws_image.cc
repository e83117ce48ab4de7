#include "jobs/aws_image.h"

#include <fmt/format.h>

#include <array>

namespace millrace::jobs {
namespace {

struct Framework {
  std::string_view repository;  // the last component of the URI's path
  std::string_view package;
  // Images of these are named by two numbers of the version only.
  bool any_patch;
  std::string_view with;  // what else such an image always has; "": nothing
};

constexpr std::array<Framework, 8> kFrameworks = {{
    {"pytorch-inference", "torch", false, "numpy"},
    {"pytorch-training", "torch", false, "numpy"},
    {"sagemaker-pytorch", "torch", false, "numpy"},
    {"huggingface-pytorch-inference", "torch", false, "transformers"},
    {"huggingface-pytorch-inference-neuronx", "torch", false, "transformers"},
    {"sagemaker-scikit-learn", "scikit-learn", true, "pandas"},
    {"sagemaker-xgboost", "xgboost", true, "pandas"},
    {"mxnet-inference", "mxnet", false, "numpy"},
}};

// "2.1.0" at the beginning of the text.
std::string_view version_at(std::string_view text) {
  const size_t end = text.find_first_not_of("0123456789.");
  return text.substr(0, end);
}

Error unknown_image(std::string_view uri, std::string_view why) {
  std::string names;
  for (const Framework& framework : kFrameworks) {
    names += fmt::format("{}{}", names.empty() ? "" : ", ", framework.repository);
  }
  return invalid_argument(fmt::format("--image: {} {}; known are {}", uri, why, names));
}

}  // namespace

Result<std::vector<std::string>> packages_of_image(std::string_view uri) {
  const size_t slash = uri.rfind('/');
  const std::string_view name = slash == std::string_view::npos ? uri : uri.substr(slash + 1);
  const size_t colon = name.find(':');
  const std::string_view tag = colon == std::string_view::npos ? "" : name.substr(colon + 1);
  for (const Framework& framework : kFrameworks) {
    if (name.substr(0, colon) != framework.repository) continue;
    const std::string_view version = version_at(tag);
    if (version.empty()) return fail(unknown_image(uri, "has no version in its tag"));
    std::vector<std::string> packages = {
        fmt::format("{}=={}{}", framework.package, version, framework.any_patch ? ".*" : "")};
    const size_t transformers = tag.find("transformers");
    if (framework.with == "transformers" && transformers != std::string_view::npos) {
      packages.push_back(
          fmt::format("transformers=={}", version_at(tag.substr(transformers + 12))));
    } else {
      packages.emplace_back(framework.with);
    }
    return packages;
  }
  return fail(unknown_image(uri, "is no image whose packages are known"));
}

}  // namespace millrace::jobs
