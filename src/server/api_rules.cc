#include "server/api_rules.h"

#include <fmt/format.h>

#include <cstdint>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <string_view>

#include "base/limits.h"

namespace millrace::server {
namespace {

using nlohmann::json;

ApiResult<void> check_s3_uri(const json& uri, std::string_view member) {
  if (uri.get_ref<const std::string&>().starts_with("s3://")) return {};
  return validation_fail(fmt::format("{}: only s3:// URIs are supported.", member));
}

ApiResult<void> check_locations(const json& request) {
  const json& source = request["TransformInput"]["DataSource"]["S3DataSource"];
  const auto type = source["S3DataType"].get<std::string>();
  if (type != "S3Prefix" && type != "ManifestFile") {
    return validation_fail(fmt::format(
        "S3DataType {} is not compatible with batch transform. Use S3Prefix or ManifestFile.",
        type));
  }
  if (auto ok = check_s3_uri(source["S3Uri"], "S3Uri"); !ok) return ok;
  if (auto ok = check_s3_uri(request["TransformOutput"]["S3OutputPath"], "S3OutputPath"); !ok) {
    return ok;
  }
  if (!request.contains("DataCaptureConfig")) return {};
  return check_s3_uri(request["DataCaptureConfig"]["DestinationS3Uri"], "DestinationS3Uri");
}

ApiResult<void> check_sizes(const json& request) {
  constexpr auto kPayloadMax = static_cast<int64_t>(limits::kPayloadBytesMax / limits::kMiB);
  const int64_t payload = request.value("MaxPayloadInMB", int64_t{0});
  const int64_t transforms = request.value("MaxConcurrentTransforms", int64_t{0});
  if (payload > kPayloadMax) {
    return validation_fail(fmt::format("MaxPayloadInMB must be less than or equal to {}, was {}.",
                                       kPayloadMax, payload));
  }
  if (payload * transforms > kPayloadMax) {
    return validation_fail(
        fmt::format("MaxConcurrentTransforms * MaxPayloadInMB must be less than or equal to {} MB, "
                    "was {} * {} = {}.",
                    kPayloadMax, transforms, payload, transforms * payload));
  }
  const auto instances = request["TransformResources"]["InstanceCount"].get<int64_t>();
  if (instances > limits::kTransformInstancesMax) {
    return validation_fail(fmt::format("InstanceCount must be less than or equal to {}, was {}.",
                                       limits::kTransformInstancesMax, instances));
  }
  return {};
}

ApiResult<void> check_container(const json& container) {
  if (!container.contains("Environment")) return {};
  size_t bytes = 0;
  for (const auto& [name, value] : container["Environment"].items()) {
    bytes += name.size() + value.get_ref<const std::string&>().size();
  }
  if (bytes <= limits::kModelEnvironmentBytesMax) return {};
  return validation_fail(
      fmt::format("The Environment of a container must not exceed {} KB in total, was {} bytes.",
                  limits::kModelEnvironmentBytesMax / 1024, bytes));
}

}  // namespace

ApiResult<void> check_tag_rules(const json& request) {
  if (!request.contains("Tags")) return {};
  std::set<std::string> keys;
  for (const json& tag : request["Tags"]) {
    const auto& key = tag["Key"].get_ref<const std::string&>();
    if (key.starts_with("aws:")) {
      return validation_fail("aws: prefixed tag key names are not allowed for external use.");
    }
    if (!keys.insert(key).second) {
      return validation_fail("Duplicate tag key '" + key + "': tag keys must be unique.");
    }
  }
  return {};
}

ApiResult<void> check_job_rules(const json& request) {
  if (auto ok = check_locations(request); !ok) return ok;
  if (auto ok = check_sizes(request); !ok) return ok;
  return check_tag_rules(request);
}

ApiResult<void> check_model_rules(const json& request) {
  const bool one = request.contains("PrimaryContainer");
  const bool several = request.contains("Containers") && !request["Containers"].empty();
  if (one == several) {
    return validation_fail("Exactly one of PrimaryContainer and Containers must be specified.");
  }
  if (one) {
    if (auto ok = check_container(request["PrimaryContainer"]); !ok) return ok;
  } else {
    for (const json& container : request["Containers"]) {
      if (auto ok = check_container(container); !ok) return ok;
    }
  }
  return check_tag_rules(request);
}

}  // namespace millrace::server
