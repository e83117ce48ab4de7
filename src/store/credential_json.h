// The JSON in which credentials arrive: from a credential_process, a container or instance service,
// the SSO portal, and the SSO token cache. Foreign bytes in, values or an Error out.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/result.h"
#include "store/credentials.h"

namespace millrace::store {

// {"AccessKeyId", "SecretAccessKey", "SessionToken" or "Token", "Expiration"}; a "Code" other than
// "Success" or a "Version" other than 1 is an error.
Result<Credentials> parse_credentials_json(std::string_view text);

// {"roleCredentials": {"accessKeyId", "secretAccessKey", "sessionToken", "expiration": ms}}
Result<Credentials> parse_sso_credentials_json(std::string_view text);

struct SsoToken {
  std::string access_token;
  std::optional<WallTime> expires;
};
// {"accessToken", "expiresAt"}
Result<SsoToken> parse_sso_token_json(std::string_view text);

}  // namespace millrace::store
