#include "store/credential_sources.h"

#include <utility>

#include "base/digest.h"
#include "base/limits.h"
#include "base/sigv4.h"
#include "store/aws_config.h"
#include "store/credential_json.h"
#include "store/credential_process.h"
#include "store/s3_reply.h"

namespace millrace::store {
namespace {

using std::chrono::milliseconds;

// The one place where a credentials service's replies become Errors.
Error service_error(const HttpReply& reply) {
  std::string message = std::to_string(reply.status);
  if (const auto body = parse_error_body(reply.body)) {
    message += " " + body->code + ": " + body->message;
  } else if (!reply.body.empty()) {
    message += " " + reply.body.substr(0, limits::kErrorExcerptBytesMax);
  }
  const bool passing = reply.status >= 500 || reply.status == 429;
  return passing ? unavailable(std::move(message)) : invalid_argument(std::move(message));
}

Result<std::string> call(const SourceContext& context, HttpRequest request,
                         const CancelToken& cancel) {
  request.timeout = milliseconds(limits::kCredentialsTimeoutMs);
  request.reply_bytes_max = limits::kCredentialsBytesMax;
  return retry(context.retrying, cancel, [&]() -> Result<std::string> {
    MR_ASSIGN(HttpReply reply, context.http->send(request, cancel));
    if (reply.status != 200) return fail(service_error(reply));
    return std::move(reply.body);
  });
}

std::string form_text(const std::vector<std::pair<std::string, std::string>>& fields) {
  std::string text;
  for (const auto& [name, value] : fields) {
    if (value.empty()) continue;
    if (!text.empty()) text += '&';
    text += percent_encode(name) + '=' + percent_encode(value);
  }
  return text;
}

std::string role_form(const std::string& action, const RoleOptions& role,
                      const std::string& token) {
  return form_text({{"Action", action},
                    {"Version", "2011-06-15"},
                    {"RoleArn", role.role_arn},
                    {"RoleSessionName", role.session_name.empty() ? "millrace" : role.session_name},
                    {"ExternalId", role.external_id},
                    {"DurationSeconds", role.duration_seconds},
                    {"WebIdentityToken", token}});
}

HttpRequest sts_request(const Sts& sts, const std::string& form) {
  HttpRequest request;
  request.method = "POST";
  request.url = sts.endpoint + "/";
  request.headers = {{"Content-Type", "application/x-www-form-urlencoded; charset=utf-8"}};
  request.body = form;
  return request;
}

Status sign_sts(const Sts& sts, const Credentials& credentials, WallTime now,
                HttpRequest* request) {
  MR_ASSIGN(const Url url, parse_endpoint_url(request->url));
  const std::string time = format_compact_utc(now);
  request->headers.emplace_back("Host", url.authority());
  request->headers.emplace_back("X-Amz-Date", time);
  if (!credentials.session_token.empty()) {
    request->headers.emplace_back("X-Amz-Security-Token", credentials.session_token);
  }
  const SigV4Request to_sign{request->method, url.path + "/", "", request->headers,
                             sha256_hex(request->body)};
  request->headers.emplace_back(
      "Authorization", sigv4_authorization(to_sign, SigV4Path::kNormalized,
                                           {credentials.access_key, credentials.secret_key}, time,
                                           {time.substr(0, 8), sts.region, "sts"}));
  return {};
}

Result<Credentials> from_sts(const Result<std::string>& body) {
  if (!body) return fail(body.error());
  MR_ASSIGN(StsReply reply, parse_sts_reply(*body));
  return Credentials{std::move(reply.access_key), std::move(reply.secret_key),
                     std::move(reply.session_token), parse_iso8601(reply.expiration)};
}

// `source`, its errors told with what was asked.
CredentialsSource told(std::string what, CredentialsSource source) {
  return [what = std::move(what),
          source = std::move(source)](const CancelToken& cancel) -> Result<Credentials> {
    auto result = source(cancel);
    if (!result) return fail(std::move(result).error().within("credentials from " + what));
    return result;
  };
}

std::string stripped(std::string text) {
  while (!text.empty() && static_cast<unsigned char>(text.back()) <= ' ') text.pop_back();
  return text;
}

}  // namespace

CredentialsSource fixed_source(Credentials credentials) {
  return [credentials = std::move(credentials)](const CancelToken&) -> Result<Credentials> {
    return credentials;
  };
}

CredentialsSource process_source(std::string command) {
  // The command is not quoted in messages: it may hold a secret.
  return told("credential_process",
              [command = std::move(command)](const CancelToken& cancel) -> Result<Credentials> {
                MR_ASSIGN(const std::string text,
                          run_credential_process(
                              command, milliseconds(limits::kCredentialProcessTimeoutMs), cancel));
                return parse_credentials_json(text);
              });
}

CredentialsSource assume_role_source(SourceContext context, Sts sts, RoleOptions role,
                                     CredentialsSource base) {
  const std::string what = "AssumeRole of " + role.role_arn;
  return told(what, [=](const CancelToken& cancel) -> Result<Credentials> {
    MR_ASSIGN(const Credentials credentials, base(cancel));
    const std::string form = role_form("AssumeRole", role, "");
    HttpRequest request = sts_request(sts, form);
    MR_TRY(sign_sts(sts, credentials, context.retrying.clock->now(), &request));
    return from_sts(call(context, std::move(request), cancel));
  });
}

CredentialsSource web_identity_source(SourceContext context, Sts sts, RoleOptions role,
                                      std::string token_file) {
  const std::string what = "AssumeRoleWithWebIdentity of " + role.role_arn;
  return told(what, [=](const CancelToken& cancel) -> Result<Credentials> {
    MR_ASSIGN(const std::string token, read_small_file(token_file));
    const std::string form = role_form("AssumeRoleWithWebIdentity", role, stripped(token));
    return from_sts(call(context, sts_request(sts, form), cancel));
  });
}

CredentialsSource container_source(SourceContext context, ContainerOptions options) {
  return told("the container service at " + options.url,
              [=](const CancelToken& cancel) -> Result<Credentials> {
                std::string token = options.token;
                if (!options.token_file.empty()) {
                  MR_ASSIGN(token, read_small_file(options.token_file));
                }
                HttpRequest request;
                request.url = options.url;
                request.direct = true;
                request.connect_timeout = milliseconds(limits::kMetadataTimeoutMs);
                if (!token.empty()) request.headers.emplace_back("Authorization", stripped(token));
                MR_ASSIGN(const std::string body, call(context, std::move(request), cancel));
                return parse_credentials_json(body);
              });
}

CredentialsSource instance_source(SourceContext context, std::string endpoint) {
  // One attempt and a second: on a machine that is no instance nobody answers.
  context.retrying.policy.attempts = 1;
  const auto ask = [context, endpoint](const std::string& method, const std::string& path,
                                       HeaderField header, const CancelToken& cancel) {
    HttpRequest request;
    request.method = method;
    request.url = endpoint + path;
    request.headers.push_back(std::move(header));
    request.direct = true;
    request.connect_timeout = milliseconds(limits::kMetadataTimeoutMs);
    request.idle_timeout = milliseconds(limits::kMetadataTimeoutMs);
    return call(context, std::move(request), cancel);
  };
  return told("the instance metadata service at " + endpoint,
              [ask](const CancelToken& cancel) -> Result<Credentials> {
                const std::string roles = "/latest/meta-data/iam/security-credentials/";
                auto token = ask("PUT", "/latest/api/token",
                                 {"X-aws-ec2-metadata-token-ttl-seconds", "21600"}, cancel);
                if (!token && token.error().code == Code::kUnavailable) {
                  return fail(not_found(token.error().message));
                }
                if (!token) return fail(std::move(token).error());
                const HeaderField header{"X-aws-ec2-metadata-token", stripped(*token)};
                MR_ASSIGN(const std::string names, ask("GET", roles, header, cancel));
                const std::string role = stripped(names.substr(0, names.find('\n')));
                if (role.empty()) return fail(not_found("the instance has no role"));
                MR_ASSIGN(const std::string body,
                          ask("GET", roles + percent_encode(role), header, cancel));
                return parse_credentials_json(body);
              });
}

CredentialsSource sso_source(SourceContext context, SsoOptions options) {
  return told("SSO", [=](const CancelToken& cancel) -> Result<Credentials> {
    const std::string renew = "; renew it with: " + options.login;
    auto text = read_small_file(options.token_file);
    if (!text) return fail(invalid_argument("no token: " + text.error().message + renew));
    auto token = parse_sso_token_json(*text);
    if (!token) {
      return fail(invalid_argument(options.token_file + ": " + token.error().message + renew));
    }
    if (token->expires && *token->expires <= context.retrying.clock->now()) {
      return fail(invalid_argument("the token in " + options.token_file + " has expired" + renew));
    }
    HttpRequest request;
    request.url = options.endpoint + "/federation/credentials?" +
                  form_text({{"account_id", options.account_id}, {"role_name", options.role_name}});
    request.headers.emplace_back("x-amz-sso_bearer_token", token->access_token);
    auto body = call(context, std::move(request), cancel);
    if (!body) return fail(std::move(body).error());
    return parse_sso_credentials_json(*body);
  });
}

}  // namespace millrace::store
