#include "jobs/without_effect.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

namespace millrace::jobs {

std::string members_without_effect(const nlohmann::json& request) {
  using nlohmann::json;
  static constexpr std::array kPointers = {"/TransformResources/InstanceType",
                                           "/TransformResources/InstanceCount",
                                           "/TransformResources/VolumeKmsKeyId",
                                           "/TransformResources/TransformAmiVersion",
                                           "/ExperimentConfig",
                                           "/VpcConfig",
                                           "/ExecutionRoleArn",
                                           "/InferenceExecutionConfig"};
  std::string out;
  for (const char* const text : kPointers) {
    const json::json_pointer pointer(text);
    if (!request.contains(pointer)) continue;
    const json& value = request[pointer];
    std::string name(text + 1);
    std::replace(name.begin(), name.end(), '/', '.');
    if (!out.empty()) out += ", ";
    out += name + '=' + (value.is_string() ? value.get<std::string>() : value.dump());
  }
  return out;
}

}  // namespace millrace::jobs
