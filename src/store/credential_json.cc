#include "store/credential_json.h"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace millrace::store {
namespace {

using Json = nlohmann::json;

// An object, or null where the text is none.
Json parse_object(std::string_view text) {
  Json json = Json::parse(text, nullptr, false);
  return json.is_object() ? json : Json();
}

// "" where the member is missing or no string.
std::string text_of(const Json& json, const char* name) {
  const auto found = json.find(name);
  if (found == json.end() || !found->is_string()) return "";
  return found->get<std::string>();
}

Error not_credentials(std::string_view why) {
  return invalid_argument("what was answered are no credentials: " + std::string(why));
}

}  // namespace

Result<Credentials> parse_credentials_json(std::string_view text) {
  const Json json = parse_object(text);
  if (json.is_null()) return fail(not_credentials("no JSON object"));
  const std::string code = text_of(json, "Code");
  if (!code.empty() && code != "Success") {
    return fail(not_credentials(code + ": " + text_of(json, "Message")));
  }
  const auto version = json.find("Version");
  if (version != json.end() && *version != 1) return fail(not_credentials("Version is not 1"));
  Credentials credentials{text_of(json, "AccessKeyId"), text_of(json, "SecretAccessKey"),
                          text_of(json, "SessionToken"), std::nullopt};
  if (credentials.session_token.empty()) credentials.session_token = text_of(json, "Token");
  if (credentials.access_key.empty() || credentials.secret_key.empty()) {
    return fail(not_credentials("no AccessKeyId or no SecretAccessKey"));
  }
  const std::string expiration = text_of(json, "Expiration");
  if (expiration.empty()) return credentials;
  credentials.expires = parse_iso8601(expiration);
  if (!credentials.expires) return fail(not_credentials("Expiration is no time: " + expiration));
  return credentials;
}

Result<Credentials> parse_sso_credentials_json(std::string_view text) {
  const Json json = parse_object(text);
  const auto role = json.find("roleCredentials");
  if (json.is_null() || role == json.end() || !role->is_object()) {
    return fail(not_credentials("no roleCredentials"));
  }
  Credentials credentials{text_of(*role, "accessKeyId"), text_of(*role, "secretAccessKey"),
                          text_of(*role, "sessionToken"), std::nullopt};
  if (credentials.access_key.empty() || credentials.secret_key.empty()) {
    return fail(not_credentials("no accessKeyId or no secretAccessKey"));
  }
  const auto expiration = role->find("expiration");
  if (expiration != role->end() && expiration->is_number_unsigned()) {
    // The clock counts nanoseconds and ends in 2262.
    constexpr uint64_t kYear2200Ms = 7258118400000;
    const std::chrono::milliseconds since_epoch(
        static_cast<int64_t>(std::min(expiration->get<uint64_t>(), kYear2200Ms)));
    credentials.expires = WallTime(std::chrono::duration_cast<WallTime::duration>(since_epoch));
  }
  return credentials;
}

Result<SsoToken> parse_sso_token_json(std::string_view text) {
  const Json json = parse_object(text);
  SsoToken token;
  if (!json.is_null()) token.access_token = text_of(json, "accessToken");
  if (token.access_token.empty()) return fail(invalid_argument("it holds no accessToken"));
  token.expires = parse_iso8601(text_of(json, "expiresAt"));
  return token;
}

}  // namespace millrace::store
