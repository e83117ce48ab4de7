#include "store/credential_chain.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "base/digest.h"
#include "base/limits.h"
#include "store/s3_address.h"

namespace millrace::store {
namespace {

std::string value_of(const AwsSection& section, const std::string& name) {
  const auto found = section.find(name);
  return found == section.end() ? "" : found->second;
}

class Chain {
 public:
  Chain(const AwsConfig& config, const SourceContext& context)
      : config_(config), context_(context) {}

  Result<CredentialsSource> find();

 private:
  // A null source: nothing is set there.
  Result<CredentialsSource> from_environment_keys() const;
  Result<CredentialsSource> from_profile(const std::string& name);
  Result<CredentialsSource> from_role(const std::string& name, const AwsSection& profile);
  Result<CredentialsSource> role_base(const std::string& name, const AwsSection& profile);
  Result<CredentialsSource> from_credential_source(const std::string& kind) const;
  Result<CredentialsSource> from_sso(const std::string& name, const AwsSection& profile) const;
  Result<CredentialsSource> from_keys(const std::string& name, const AwsSection& profile) const;
  Result<CredentialsSource> from_web_identity() const;
  Result<CredentialsSource> from_container() const;
  CredentialsSource from_instance() const;
  Result<Sts> sts() const;
  std::string places() const;

  const AwsConfig& config_;
  const SourceContext context_;
  std::vector<std::string> visited_;  // profiles that source_profile led through
};

Result<CredentialsSource> Chain::find() {
  if (!config_.profile_from_option()) {
    MR_ASSIGN(CredentialsSource keys, from_environment_keys());
    if (keys) return keys;
  }
  MR_ASSIGN(CredentialsSource profile, from_profile(config_.profile_name()));
  if (profile) return profile;
  MR_ASSIGN(CredentialsSource web, from_web_identity());
  if (web) return web;
  MR_ASSIGN(CredentialsSource container, from_container());
  if (container) return container;
  return from_instance();
}

Result<CredentialsSource> Chain::from_environment_keys() const {
  const std::string access = config_.env("AWS_ACCESS_KEY_ID");
  const std::string secret = config_.env("AWS_SECRET_ACCESS_KEY");
  if (access.empty() && secret.empty()) return CredentialsSource();
  if (access.empty() || secret.empty()) {
    return fail(invalid_argument(access.empty()
                                     ? "AWS_SECRET_ACCESS_KEY is set, AWS_ACCESS_KEY_ID is not"
                                     : "AWS_ACCESS_KEY_ID is set, AWS_SECRET_ACCESS_KEY is not"));
  }
  return fixed_source({access, secret, config_.env("AWS_SESSION_TOKEN"), std::nullopt});
}

Result<CredentialsSource> Chain::from_profile(const std::string& name) {
  const AwsSection* const profile = config_.profile(name);
  if (profile == nullptr) return CredentialsSource();
  if (!value_of(*profile, "role_arn").empty()) return from_role(name, *profile);
  if (!value_of(*profile, "sso_account_id").empty()) return from_sso(name, *profile);
  MR_ASSIGN(CredentialsSource keys, from_keys(name, *profile));
  if (keys) return keys;
  const std::string command = value_of(*profile, "credential_process");
  return command.empty() ? CredentialsSource() : process_source(command);
}

Result<CredentialsSource> Chain::from_role(const std::string& name, const AwsSection& profile) {
  if (!value_of(profile, "mfa_serial").empty()) {
    return fail(invalid_argument("AWS profile '" + name +
                                 "' asks for an MFA code (mfa_serial), which is not supported: "
                                 "use aws sts assume-role and the environment"));
  }
  const RoleOptions role{value_of(profile, "role_arn"), value_of(profile, "role_session_name"),
                         value_of(profile, "external_id"), value_of(profile, "duration_seconds")};
  MR_ASSIGN(Sts service, sts());
  const std::string token_file = value_of(profile, "web_identity_token_file");
  if (!token_file.empty()) {
    return web_identity_source(context_, std::move(service), role, config_.path_of(token_file));
  }
  MR_ASSIGN(CredentialsSource base, role_base(name, profile));
  return assume_role_source(context_, std::move(service), role, std::move(base));
}

// What the role is assumed with.
Result<CredentialsSource> Chain::role_base(const std::string& name, const AwsSection& profile) {
  const std::string what = "AWS profile '" + name + "': ";
  const std::string kind = value_of(profile, "credential_source");
  const std::string source = value_of(profile, "source_profile");
  if (!kind.empty()) {
    auto base = from_credential_source(kind);
    if (!base) return fail(std::move(base).error().within("AWS profile '" + name + "'"));
    return base;
  }
  if (source.empty()) {
    return fail(invalid_argument(
        what + "role_arn without source_profile, credential_source or web_identity_token_file"));
  }
  const AwsSection* const section = config_.profile(source);
  if (section == nullptr) {
    return fail(invalid_argument(what + "source_profile '" + source + "' does not exist"));
  }
  // A profile may be its own source: its keys, then.
  if (source == name) {
    MR_ASSIGN(CredentialsSource keys, from_keys(name, profile));
    if (keys) return keys;
  }
  visited_.push_back(name);
  const bool circle = std::find(visited_.begin(), visited_.end(), source) != visited_.end();
  if (circle || visited_.size() > limits::kProfileChainMax) {
    return fail(invalid_argument(what + "source_profile leads round in a circle"));
  }
  MR_ASSIGN(CredentialsSource base, from_profile(source));
  if (!base) {
    return fail(invalid_argument(what + "source_profile '" + source + "' holds no credentials"));
  }
  return base;
}

Result<CredentialsSource> Chain::from_credential_source(const std::string& kind) const {
  if (kind == "Ec2InstanceMetadata") return from_instance();
  if (kind != "Environment" && kind != "EcsContainer") {
    return fail(invalid_argument("credential_source '" + kind +
                                 "' is none of Environment, Ec2InstanceMetadata, EcsContainer"));
  }
  MR_ASSIGN(CredentialsSource source,
            kind == "Environment" ? from_environment_keys() : from_container());
  if (!source) return fail(invalid_argument("credential_source " + kind + " holds no credentials"));
  return source;
}

Result<CredentialsSource> Chain::from_sso(const std::string& name,
                                          const AwsSection& profile) const {
  const std::string session = value_of(profile, "sso_session");
  const AwsSection* const section = session.empty() ? &profile : config_.sso_session(session);
  if (section == nullptr) {
    return fail(invalid_argument("AWS profile '" + name + "': [sso-session " + session +
                                 "] does not exist"));
  }
  const std::string region = value_of(*section, "sso_region");
  const std::string start_url = value_of(*section, "sso_start_url");
  const std::string role = value_of(profile, "sso_role_name");
  if (region.empty() || start_url.empty() || role.empty()) {
    return fail(invalid_argument("AWS profile '" + name +
                                 "': sso_region, sso_start_url or sso_role_name is missing"));
  }
  MR_ASSIGN(const auto endpoint, config_.endpoint("sso"));
  SsoOptions options;
  options.endpoint =
      endpoint ? endpoint->text() : "https://portal.sso." + region + "." + amazon_domain(region);
  options.token_file = config_.home() + "/.aws/sso/cache/" +
                       sha1_hex(session.empty() ? start_url : session) + ".json";
  options.account_id = value_of(profile, "sso_account_id");
  options.role_name = role;
  options.login = "aws sso login --profile " + name;
  return sso_source(context_, std::move(options));
}

Result<CredentialsSource> Chain::from_keys(const std::string& name,
                                           const AwsSection& profile) const {
  const std::string access = value_of(profile, "aws_access_key_id");
  const std::string secret = value_of(profile, "aws_secret_access_key");
  if (access.empty() && secret.empty()) return CredentialsSource();
  if (access.empty() || secret.empty()) {
    return fail(invalid_argument("AWS profile '" + name +
                                 "' holds only one of aws_access_key_id and "
                                 "aws_secret_access_key"));
  }
  return fixed_source({access, secret, value_of(profile, "aws_session_token"), std::nullopt});
}

Result<CredentialsSource> Chain::from_web_identity() const {
  const std::string file = config_.env("AWS_WEB_IDENTITY_TOKEN_FILE");
  if (file.empty()) return CredentialsSource();
  const RoleOptions role{config_.env("AWS_ROLE_ARN"), config_.env("AWS_ROLE_SESSION_NAME"), "", ""};
  if (role.role_arn.empty()) {
    return fail(invalid_argument("AWS_WEB_IDENTITY_TOKEN_FILE is set, AWS_ROLE_ARN is not"));
  }
  MR_ASSIGN(Sts service, sts());
  return web_identity_source(context_, std::move(service), role, file);
}

Result<CredentialsSource> Chain::from_container() const {
  ContainerOptions options;
  options.token = config_.env("AWS_CONTAINER_AUTHORIZATION_TOKEN");
  options.token_file = config_.env("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE");
  const std::string relative = config_.env("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI");
  const std::string full = config_.env("AWS_CONTAINER_CREDENTIALS_FULL_URI");
  if (relative.empty() && full.empty()) return CredentialsSource();
  if (!relative.empty()) {
    options.url = "http://169.254.170.2" + relative;
    return container_source(context_, std::move(options));
  }
  options.url = full;
  MR_ASSIGN(const Url url, parse_endpoint_url(full.substr(0, full.find('?'))));
  // The token must not travel in the clear but to this machine and to the services of ECS and EKS.
  const bool near = url.host == "localhost" || url.host.substr(0, 4) == "127." ||
                    url.host == "[::1]" || url.host == "169.254.170.2" ||
                    url.host == "169.254.170.23" || url.host == "[fd00:ec2::23]";
  if (url.scheme != "https" && !near) {
    return fail(invalid_argument("AWS_CONTAINER_CREDENTIALS_FULL_URI '" + full +
                                 "' is neither https nor on this machine"));
  }
  return container_source(context_, std::move(options));
}

std::string Chain::places() const {
  return "no AWS credentials: none in AWS_ACCESS_KEY_ID, AWS_WEB_IDENTITY_TOKEN_FILE and "
         "AWS_CONTAINER_CREDENTIALS_*_URI of the environment, none in profile '" +
         config_.profile_name() + "' of " + config_.config_path() + " and " +
         config_.credentials_path() + ", ";
}

CredentialsSource Chain::from_instance() const {
  const std::string looked = places();
  if (config_.env("AWS_EC2_METADATA_DISABLED") == "true") {
    return [looked](const CancelToken&) -> Result<Credentials> {
      return fail(
          invalid_argument(looked + "and AWS_EC2_METADATA_DISABLED forbids asking the instance"));
    };
  }
  std::string endpoint = config_.env("AWS_EC2_METADATA_SERVICE_ENDPOINT");
  if (endpoint.empty()) endpoint = "http://169.254.169.254";
  while (endpoint.back() == '/') endpoint.pop_back();
  const CredentialsSource source = instance_source(context_, endpoint);
  return [looked, source](const CancelToken& cancel) -> Result<Credentials> {
    auto credentials = source(cancel);
    if (credentials || credentials.error().code == Code::kCancelled) return credentials;
    return fail(invalid_argument(looked + "and no " + credentials.error().message));
  };
}

Result<Sts> Chain::sts() const {
  MR_ASSIGN(const auto endpoint, config_.endpoint("sts"));
  const std::string region = config_.region();
  if (endpoint) return Sts{endpoint->text(), region};
  return Sts{"https://sts." + region + "." + amazon_domain(region), region};
}

}  // namespace

Result<CredentialsSource> find_credentials(const AwsConfig& config, const SourceContext& context) {
  return Chain(config, context).find();
}

}  // namespace millrace::store
