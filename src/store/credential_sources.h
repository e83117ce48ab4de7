// Where credentials can come from: one function for each kind, which answers a source that fetches
// them anew whenever it is called. Which kinds are asked, and in which order, is
// credential_chain.h's business.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "base/http_client.h"
#include "base/retry.h"
#include "base/uri.h"
#include "store/credentials.h"

namespace millrace::store {

struct SourceContext {
  std::shared_ptr<HttpClient> http;
  Retrying retrying;
};

CredentialsSource fixed_source(Credentials credentials);
CredentialsSource process_source(std::string command);

struct Sts {
  std::string endpoint;  // URL without a trailing '/'
  std::string region;
};
struct RoleOptions {
  std::string role_arn;
  std::string session_name;
  std::string external_id;
  std::string duration_seconds;
};
// AssumeRole with the credentials of `base`.
CredentialsSource assume_role_source(SourceContext context, Sts sts, RoleOptions role,
                                     CredentialsSource base);
// AssumeRoleWithWebIdentity; the token file is read each time (it is replaced as it expires).
CredentialsSource web_identity_source(SourceContext context, Sts sts, RoleOptions role,
                                      std::string token_file);

struct ContainerOptions {
  std::string url;
  std::string token;       // Authorization header, "": none
  std::string token_file;  // wins over token
};
// The credentials endpoint of ECS tasks and EKS pods.
CredentialsSource container_source(SourceContext context, ContainerOptions options);

// EC2's instance metadata, version 2. not_found where nothing answers there.
CredentialsSource instance_source(SourceContext context, std::string endpoint);

struct SsoOptions {
  std::string endpoint;    // the portal's URL without a trailing '/'
  std::string token_file;  // ~/.aws/sso/cache/<sha1>.json
  std::string account_id;
  std::string role_name;
  std::string login;  // the command that renews the token, for messages
};
CredentialsSource sso_source(SourceContext context, SsoOptions options);

}  // namespace millrace::store
