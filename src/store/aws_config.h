// What the AWS environment variables and profile files say: region, endpoints, CA bundle, and the
// profile in use. One precedence, in one place: option, environment, profile, default.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/env.h"
#include "base/result.h"
#include "base/uri.h"
#include "store/aws_files.h"
#include "store/object_store.h"

namespace millrace::store {

class AwsConfig {
 public:
  // Reads the files. invalid_argument where a profile that was asked for by name is in neither, or
  // a file is there but cannot be read.
  static Result<AwsConfig> load(const S3Options& options, const Env& env);

  const std::string& profile_name() const { return profile_name_; }
  // The profile was named by an option, which makes it win over keys in the environment.
  bool profile_from_option() const { return profile_from_option_; }
  const AwsSection* profile(const std::string& name) const;
  const AwsSection* sso_session(const std::string& name) const;
  // A property of the profile in use, "" where there is none.
  std::string property(const std::string& name) const;

  std::string region() const;
  std::string ca_bundle() const;
  // Where the service ("s3", "sts", "sso") is, if not at Amazon's.
  Result<std::optional<Url>> endpoint(const std::string& service) const;

  std::string env(const std::string& name) const { return env_(name); }
  std::string config_path() const;
  std::string credentials_path() const;
  std::string home() const { return env("HOME"); }
  std::string path_of(const std::string& path) const;  // with "~/" written out

 private:
  AwsConfig(const S3Options& options, Env env) : options_(options), env_(std::move(env)) {}

  S3Options options_;
  Env env_;
  AwsFiles files_;
  std::string profile_name_;
  bool profile_from_option_ = false;
};

// A whole small file; not_found where there is none.
Result<std::string> read_small_file(const std::string& path);

}  // namespace millrace::store
