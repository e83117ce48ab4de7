// AWS's configuration and credentials files: INI text with sections for profiles, SSO sessions and
// services, whose indented lines nest one level. Pure parsing; reading is aws_config.h's.
#pragma once

#include <map>
#include <string>
#include <string_view>

namespace millrace::store {

// A nested property "endpoint_url" under "s3 =" is named "s3.endpoint_url".
using AwsSection = std::map<std::string, std::string>;

struct AwsFiles {
  std::map<std::string, AwsSection> profiles;
  std::map<std::string, AwsSection> sso_sessions;
  std::map<std::string, AwsSection> services;
};

// Sections of ~/.aws/config are "[profile NAME]", "[default]", "[sso-session NAME]" and "[services
// NAME]"; lines that are none of these or of "name = value" are passed over, as AWS's tools do.
void read_aws_config(std::string_view text, AwsFiles* files);
// Sections of ~/.aws/credentials are "[NAME]"; what they say wins over the other file.
void read_aws_credentials(std::string_view text, AwsFiles* files);

}  // namespace millrace::store
