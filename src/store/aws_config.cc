#include "store/aws_config.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

#include "base/limits.h"
#include "base/unique_fd.h"

namespace millrace::store {
namespace {

// The first that is not empty.
std::string first_of(std::initializer_list<std::string> candidates) {
  for (const std::string& candidate : candidates) {
    if (!candidate.empty()) return candidate;
  }
  return "";
}

std::string upper(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
  }
  return out;
}

const AwsSection* find(const std::map<std::string, AwsSection>& sections, const std::string& name) {
  const auto found = sections.find(name);
  return found == sections.end() ? nullptr : &found->second;
}

std::string value_of(const AwsSection* section, const std::string& name) {
  if (section == nullptr) return "";
  const auto found = section->find(name);
  return found == section->end() ? "" : found->second;
}

// "" where the file is missing: it need not exist.
Result<std::string> read_optional(const std::string& path) {
  auto text = read_small_file(path);
  if (!text && text.error().code == Code::kNotFound) return "";
  if (!text) return fail(invalid_argument(text.error().message));
  return text;
}

}  // namespace

Result<std::string> read_small_file(const std::string& path) {
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY));
  if (!fd.valid()) return fail(errno_error("read " + path, errno));
  std::string text;
  char block[4096];
  while (true) {
    const ssize_t got = ::read(fd.get(), block, sizeof block);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fail(errno_error("read " + path, errno));
    if (got == 0) return text;
    text.append(block, static_cast<size_t>(got));
    if (text.size() > limits::kCredentialsBytesMax) {
      return fail(invalid_argument("read " + path + ": larger than " +
                                   std::to_string(limits::kCredentialsBytesMax) + " bytes"));
    }
  }
}

Result<AwsConfig> AwsConfig::load(const S3Options& options, const Env& env) {
  AwsConfig config(options, env);
  MR_ASSIGN(const std::string text, read_optional(config.config_path()));
  read_aws_config(text, &config.files_);
  MR_ASSIGN(const std::string keys, read_optional(config.credentials_path()));
  read_aws_credentials(keys, &config.files_);

  config.profile_from_option_ = !options.profile.empty();
  const std::string asked =
      first_of({options.profile, env("AWS_PROFILE"), env("AWS_DEFAULT_PROFILE")});
  config.profile_name_ = first_of({asked, "default"});
  if (!asked.empty() && asked != "default" && config.profile(asked) == nullptr) {
    return fail(invalid_argument("AWS profile '" + asked + "' is neither in " +
                                 config.config_path() + " nor in " + config.credentials_path()));
  }
  return config;
}

const AwsSection* AwsConfig::profile(const std::string& name) const {
  return find(files_.profiles, name);
}

const AwsSection* AwsConfig::sso_session(const std::string& name) const {
  return find(files_.sso_sessions, name);
}

std::string AwsConfig::property(const std::string& name) const {
  return value_of(profile(profile_name_), name);
}

std::string AwsConfig::region() const {
  return first_of({options_.region, env("AWS_REGION"), env("AWS_DEFAULT_REGION"),
                   property("region"), "us-east-1"});
}

std::string AwsConfig::ca_bundle() const {
  return first_of({env("AWS_CA_BUNDLE"), property("ca_bundle")});
}

Result<std::optional<Url>> AwsConfig::endpoint(const std::string& service) const {
  const bool configured = first_of({env("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS"),
                                    property("ignore_configured_endpoint_urls")}) != "true";
  std::string text = service == "s3" ? options_.endpoint_url : "";
  if (text.empty() && configured) {
    const AwsSection* const services = find(files_.services, property("services"));
    text = first_of({env("AWS_ENDPOINT_URL_" + upper(service)), env("AWS_ENDPOINT_URL"),
                     value_of(services, service + ".endpoint_url"), property("endpoint_url")});
  }
  if (text.empty()) return std::optional<Url>();
  MR_ASSIGN(Url url, parse_endpoint_url(text));
  return std::optional<Url>(std::move(url));
}

std::string AwsConfig::path_of(const std::string& path) const {
  return path.substr(0, 2) == "~/" ? home() + path.substr(1) : path;
}

std::string AwsConfig::config_path() const {
  return path_of(first_of({env("AWS_CONFIG_FILE"), "~/.aws/config"}));
}

std::string AwsConfig::credentials_path() const {
  return path_of(first_of({env("AWS_SHARED_CREDENTIALS_FILE"), "~/.aws/credentials"}));
}

}  // namespace millrace::store
