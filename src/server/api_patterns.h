// The regular expressions of the SageMaker API as functions: each says whether the whole text
// matches. By hand, because they are few and simple, and a general engine's time or stack grows
// with hostile input.
#pragma once

#include <string_view>

namespace millrace::server {

inline constexpr std::string_view kEntityNamePattern = "[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}";
bool matches_entity_name(std::string_view text);
inline constexpr std::string_view kExperimentNamePattern = "[a-zA-Z0-9](-*[a-zA-Z0-9]){0,119}";
bool matches_experiment_name(std::string_view text);
inline constexpr std::string_view kModelNamePattern = R"([a-zA-Z0-9]([\-a-zA-Z0-9]*[a-zA-Z0-9])?)";
bool matches_model_name(std::string_view text);
inline constexpr std::string_view kJobEnvironmentKeyPattern = "[a-zA-Z_][a-zA-Z0-9_]{0,1023}";
bool matches_job_environment_key(std::string_view text);
inline constexpr std::string_view kEnvironmentKeyPattern = "[a-zA-Z_][a-zA-Z0-9_]*";
bool matches_environment_key(std::string_view text);
inline constexpr std::string_view kAnythingPattern = R"([\S\s]*)";
bool matches_anything(std::string_view text);
inline constexpr std::string_view kLinePattern = ".*";  // no line end
bool matches_line(std::string_view text);
inline constexpr std::string_view kUriPattern = "(https|s3)://([^/]+)/?(.*)";
bool matches_uri(std::string_view text);
inline constexpr std::string_view kKmsKeyPattern = "[a-zA-Z0-9:/_-]*";
bool matches_kms_key(std::string_view text);
inline constexpr std::string_view kAmiVersionPattern = "[a-zA-Z0-9]+(-[a-zA-Z0-9]+)*";
bool matches_ami_version(std::string_view text);
inline constexpr std::string_view kTagPattern = R"(([\p{L}\p{Z}\p{N}_.:/=+\-@]*))";
bool matches_tag(std::string_view text);
inline constexpr std::string_view kNameContainsPattern = R"([a-zA-Z0-9\-]+)";
inline constexpr std::string_view kModelNameContainsPattern = "[a-zA-Z0-9-]+";
bool matches_name_contains(std::string_view text);
inline constexpr std::string_view kVpcIdPattern = "[-0-9a-zA-Z]+";
inline constexpr std::string_view kImagePattern = R"([\S]+)";
bool matches_image(std::string_view text);
inline constexpr std::string_view kChannelPattern = R"([A-Za-z0-9\.\-_]+)";
bool matches_channel(std::string_view text);
inline constexpr std::string_view kPackagePattern =
    R"((arn:aws[a-z\-]*:sagemaker:[a-z0-9\-]*:[0-9]{12}:[a-z\-]*\/)?)"
    R"(([a-zA-Z0-9]([a-zA-Z0-9-]){0,62})(?<!-)(\/[0-9]{1,9})?)";
bool matches_package(std::string_view text);
inline constexpr std::string_view kMetricsPathPattern = R"(/(?!.*\.\.)[a-zA-Z0-9/_.\-]+)";
bool matches_metrics_path(std::string_view text);
inline constexpr std::string_view kRolePattern =
    R"(arn:aws[a-z\-]*:iam::\d{12}:role/?[a-zA-Z_0-9+=,.@\-_/]+)";
bool matches_role(std::string_view text);
inline constexpr std::string_view kResourceArnPattern =
    "arn:aws[a-z-]*:sagemaker:[a-z0-9-]*:[0-9]{12}:.+";
bool matches_resource_arn(std::string_view text);
inline constexpr std::string_view kLogGroupPattern = R"([\.\-_/#A-Za-z0-9]+)";
bool matches_log_group(std::string_view text);
inline constexpr std::string_view kLogGroupIdPattern = R"([\w#+=/:,.@-]*)";
bool matches_log_group_id(std::string_view text);
inline constexpr std::string_view kLogStreamPattern = "[^:*]*";
bool matches_log_stream(std::string_view text);

}  // namespace millrace::server
