// Which credentials are used: the order in which AWS's own tools look for them.
#pragma once

#include "store/aws_config.h"
#include "store/credential_sources.h"

namespace millrace::store {

// Environment keys (unless a profile was named by an option); the profile: role, web identity, SSO,
// keys, credential_process; web identity of the environment; container; instance. invalid_argument
// where what is set is contradictory. Nothing set: the instance, whose source then says where was
// looked.
Result<CredentialsSource> find_credentials(const AwsConfig& config, const SourceContext& context);

}  // namespace millrace::store
