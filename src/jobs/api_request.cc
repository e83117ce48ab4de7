#include "jobs/api_request.h"

#include <fmt/format.h>

#include <array>
#include <nlohmann/json.hpp>

namespace millrace::jobs {
namespace {

using nlohmann::json;

struct Member {
  std::string_view path;    // dotted, as in the API reference
  std::string_view option;  // our name; empty: accepted without effect
};

// Everything CreateTransformJob takes, member by member.
constexpr std::array<Member, 28> kMembers = {{
    {"TransformJobName", "JOB_NAME"},
    {"ModelName", "MODEL"},
    {"MaxConcurrentTransforms", "MAX_CONCURRENT_TRANSFORMS"},
    {"MaxPayloadInMB", "MAX_PAYLOAD_IN_MB"},
    {"BatchStrategy", "BATCH_STRATEGY"},
    {"TransformInput.DataSource.S3DataSource.S3DataType", "DATA_TYPE"},
    {"TransformInput.DataSource.S3DataSource.S3Uri", "INPUT"},
    {"TransformInput.ContentType", "CONTENT_TYPE"},
    {"TransformInput.CompressionType", "COMPRESSION_TYPE"},
    {"TransformInput.SplitType", "SPLIT_TYPE"},
    {"TransformOutput.S3OutputPath", "OUTPUT"},
    {"TransformOutput.Accept", "ACCEPT"},
    {"TransformOutput.AssembleWith", "ASSEMBLE_WITH"},
    {"TransformOutput.KmsKeyId", "KMS_KEY_ID"},
    {"DataCaptureConfig.DestinationS3Uri", "DATA_CAPTURE_DESTINATION"},
    {"DataCaptureConfig.KmsKeyId", "DATA_CAPTURE_KMS_KEY_ID"},
    {"DataCaptureConfig.GenerateInferenceId", "GENERATE_INFERENCE_ID"},
    {"DataProcessing.InputFilter", "INPUT_FILTER"},
    {"DataProcessing.OutputFilter", "OUTPUT_FILTER"},
    {"DataProcessing.JoinSource", "JOIN_SOURCE"},
    {"ModelClientConfig.InvocationsTimeoutInSeconds", "INVOCATIONS_TIMEOUT_IN_SECONDS"},
    {"ModelClientConfig.InvocationsMaxRetries", "INVOCATIONS_MAX_RETRIES"},
    {"TransformResources.InstanceType", ""},
    {"TransformResources.InstanceCount", ""},
    {"TransformResources.VolumeKmsKeyId", ""},
    {"TransformResources.TransformAmiVersion", ""},
    {"ExperimentConfig", ""},
    {"Tags", ""},
}};

const Member* find_member(std::string_view path) {
  for (const Member& member : kMembers) {
    if (member.path == path) return &member;
  }
  return nullptr;
}

bool has_members_below(std::string_view path) {
  for (const Member& member : kMembers) {
    if (member.path.size() > path.size() && member.path.starts_with(path) &&
        member.path[path.size()] == '.') {
      return true;
    }
  }
  return false;
}

Result<std::string> scalar(const std::string& path, const json& value) {
  if (value.is_string()) return value.get<std::string>();
  if (value.is_number_integer()) return value.dump();
  if (value.is_boolean()) return value.dump();
  return fail(invalid_argument(path + ": expected a string, a whole number, true or false"));
}

// Values of ours in a member of the API: boto3 and the CLI would not send them, and what is read as
// a request of Amazon's must mean the same there.
Status refuse_own_values(const std::string& path, const std::string& text) {
  if (path != "TransformInput.SplitType" || (text != "JsonArray" && text != "Parquet")) return {};
  return fail(invalid_argument(
      fmt::format("{}: '{}' is not a value of the API; set MILLRACE_SPLIT_TYPE={} in Environment",
                  path, text, text)));
}

Status take(const std::string& path, const Member& member, const json& value, ApiRequest* out) {
  if (member.option.empty()) return {};
  MR_ASSIGN(const std::string text, scalar(path, value));
  if (member.option.front() == '*') {  // the one value that has no effect
    if (text == member.option.substr(1)) return {};
    return fail(invalid_argument(
        fmt::format("{}: '{}' is not supported by this version of Millrace", path, text)));
  }
  MR_TRY(refuse_own_values(path, text));
  out->members[std::string(member.option)] = text;
  return {};
}

Status take_environment(const json& value, ApiRequest* out) {
  if (!value.is_object()) return fail(invalid_argument("Environment: expected an object"));
  for (const auto& [key, item] : value.items()) {
    if (!item.is_string()) {
      return fail(invalid_argument("Environment." + key + ": expected a string"));
    }
    out->environment[key] = item.get<std::string>();
  }
  return {};
}

// Depth is that of the table's paths, three levels at most.
Status take_object(const std::string& parent, const json& object, ApiRequest* out) {
  for (const auto& [key, value] : object.items()) {
    const std::string path = parent.empty() ? key : parent + "." + key;
    if (value.is_null()) continue;
    if (path == "Environment") {
      MR_TRY(take_environment(value, out));
    } else if (const Member* member = find_member(path)) {
      MR_TRY(take(path, *member, value, out));
    } else if (has_members_below(path)) {
      if (!value.is_object()) return fail(invalid_argument(path + ": expected an object"));
      MR_TRY(take_object(path, value, out));
    } else {
      return fail(invalid_argument(path + ": not a member of CreateTransformJob that this version "
                                          "of Millrace supports"));
    }
  }
  return {};
}

}  // namespace

Result<ApiRequest> parse_api_request(std::string_view text) {
  const json request = json::parse(text, nullptr, false);
  if (!request.is_object()) {
    return fail(invalid_argument("expected a CreateTransformJob request as a JSON object"));
  }
  ApiRequest out;
  MR_TRY(take_object("", request, &out));
  return out;
}

}  // namespace millrace::jobs
