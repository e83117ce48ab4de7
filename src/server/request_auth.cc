#include "server/request_auth.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>
#include <vector>

#include "base/digest.h"
#include "base/limits.h"
#include "base/sigv4.h"

namespace millrace::server {
namespace {

constexpr std::string_view kAlgorithm = "AWS4-HMAC-SHA256";
constexpr std::string_view kMismatch =
    "The request signature we calculated does not match the signature you provided. Check your AWS "
    "Secret Access Key and signing method. Consult the service documentation for details.";

tl::unexpected<ApiError> incomplete(std::string message) {
  return api_fail(400, "IncompleteSignatureException", std::move(message));
}
tl::unexpected<ApiError> invalid(std::string message) {
  return api_fail(403, "InvalidSignatureException", std::move(message));
}

struct Authorization {
  std::string_view credential, signed_headers, signature;
};

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

// "Credential=..., SignedHeaders=..., Signature=..." in any order.
Authorization parse_parameters(std::string_view text) {
  Authorization out;
  while (!text.empty()) {
    const std::string_view one = text.substr(0, text.find(','));
    text.remove_prefix(std::min(one.size() + 1, text.size()));
    const std::string_view parameter = trimmed(one);
    const size_t equals = parameter.find('=');
    if (equals == std::string_view::npos) continue;
    const std::string_view name = parameter.substr(0, equals);
    const std::string_view value = parameter.substr(equals + 1);
    if (name == "Credential") out.credential = value;
    if (name == "SignedHeaders") out.signed_headers = value;
    if (name == "Signature") out.signature = value;
  }
  return out;
}

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  for (;;) {
    const size_t end = text.find(separator);
    parts.push_back(text.substr(0, end));
    if (end == std::string_view::npos) return parts;
    text.remove_prefix(end + 1);
  }
}

// The moment of signing, and how the string to sign spells it.
struct SignedTime {
  WallTime time;
  std::string text;  // "20150830T123600Z"
};

std::optional<SignedTime> parse_time(const std::string& text) {
  if (text.size() == 16 && text[8] == 'T' && text[15] == 'Z') {
    std::string extended = text;
    for (const size_t at : {13U, 11U}) extended.insert(at, ":");
    for (const size_t at : {6U, 4U}) extended.insert(at, "-");
    const auto time = parse_iso8601(extended);
    if (time) return SignedTime{*time, text};
  }
  const auto time = parse_http_date(text);
  if (!time) return std::nullopt;
  return SignedTime{*time, format_compact_utc(*time)};
}

ApiResult<Authorization> read_authorization(const ServerRequest& request, bool has_date) {
  if (request.header_count("authorization") > 1) {
    return incomplete("There is more than one Authorization header.");
  }
  const std::string_view header = trimmed(request.header("authorization"));
  const std::string_view scheme = header.substr(0, header.find(' '));
  if (scheme != kAlgorithm) {
    if (scheme.starts_with("AWS4-")) {
      return incomplete(fmt::format("Unsupported AWS 'algorithm': '{}'.", scheme));
    }
    if (("&" + request.query).find("&X-Amz-Signature=") != std::string::npos) {
      return incomplete("Signatures in the query are not supported here: sign the headers.");
    }
    return api_fail(403, "MissingAuthenticationTokenException", "Missing Authentication Token");
  }
  const Authorization out = parse_parameters(header.substr(scheme.size()));
  std::string missing;
  const auto require = [&missing](std::string_view value, std::string_view name) {
    if (value.empty())
      missing += fmt::format("Authorization header requires '{}' parameter. ", name);
  };
  require(out.credential, "Credential");
  require(out.signature, "Signature");
  require(out.signed_headers, "SignedHeaders");
  if (!has_date) {
    missing +=
        "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header. ";
  }
  if (!missing.empty()) return incomplete(missing.substr(0, missing.size() - 1));
  return out;
}

struct Credential {
  std::string access_key;
  SigV4Scope scope;
};

ApiResult<Credential> check_credential(std::string_view text, const SignedTime& time,
                                       const AuthExpectation& expected) {
  const auto parts = split(text, '/');
  if (parts.size() != 5) {
    return incomplete(
        "Credential must have exactly 5 slash-delimited elements, e.g. "
        "keyid/date/region/service/term");
  }
  Credential out{std::string(parts[0]),
                 {std::string(parts[1]), std::string(parts[2]), std::string(parts[3])}};
  if (parts[4] != "aws4_request") {
    return invalid("Credential should be scoped with a valid terminator: 'aws4_request'.");
  }
  if (out.scope.date != time.text.substr(0, 8)) {
    return invalid(fmt::format(
        "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: "
        "'{}' != '{}', from '{}'.",
        parts[1], time.text.substr(0, 8), time.text));
  }
  if (out.scope.service != expected.service) {
    return invalid(
        fmt::format("Credential should be scoped to correct service: '{}'.", expected.service));
  }
  const bool global = expected.global_service && out.scope.region == "us-east-1";
  if (out.scope.region != expected.region && !global) {
    return invalid(
        fmt::format("Credential should be scoped to a valid region. This server's region is '{}'.",
                    expected.region));
  }
  return out;
}

ApiResult<void> check_time(const SignedTime& time, WallTime now) {
  const auto slack = std::chrono::seconds(limits::kSignatureSkewSeconds);
  const int64_t minutes = limits::kSignatureSkewSeconds / 60;
  if (time.time < now - slack) {
    return invalid(fmt::format("Signature expired: {} is now earlier than {} ({} - {} min.)",
                               time.text, format_compact_utc(now - slack), format_compact_utc(now),
                               minutes));
  }
  if (time.time > now + slack) {
    return invalid(
        fmt::format("Signature not yet current: {} is still later than {} ({} + {} min.)",
                    time.text, format_compact_utc(now + slack), format_compact_utc(now), minutes));
  }
  return {};
}

// What decides about a request must be covered by its signature.
ApiResult<void> check_coverage(const std::vector<std::string_view>& names, bool dated_by_amz,
                               const AuthExpectation& expected) {
  const auto covered = [&names](std::string_view name) {
    return std::find(names.begin(), names.end(), name) != names.end();
  };
  if (!covered("host")) {
    return invalid("'Host' must be a 'SignedHeader' in the AWS Authorization.");
  }
  if (!covered(dated_by_amz ? "x-amz-date" : "date")) {
    return invalid("'X-Amz-Date' must be a 'SignedHeader' in the AWS Authorization.");
  }
  if (expected.needs_signed_target && !covered("x-amz-target")) {
    return invalid("'X-Amz-Target' must be a 'SignedHeader' in the AWS Authorization.");
  }
  return {};
}

SigV4Request signed_part(const ServerRequest& request, const std::vector<std::string_view>& names) {
  SigV4Request out{request.method, request.path, request.query, {}, sha256_hex(request.body)};
  for (const HeaderField& field : request.headers) {
    const bool is_signed = std::any_of(names.begin(), names.end(), [&](std::string_view name) {
      return same_header_name(name, field.first);
    });
    if (is_signed) out.headers.push_back(field);
  }
  return out;
}

}  // namespace

Sha256Digest SigningKeys::find(const std::string& secret_key, const SigV4Scope& scope) {
  const std::lock_guard lock(mutex_);
  const auto place = std::pair(secret_key, scope.text());
  const auto found = keys_.find(place);
  if (found != keys_.end()) return found->second;
  if (keys_.size() >= limits::kSigningKeysMax) keys_.clear();
  return keys_[place] = sigv4_signing_key(secret_key, scope);
}

ApiResult<std::string> authenticate(const ServerRequest& request, const AccessKeys& keys,
                                    const AuthExpectation& expected, WallTime now,
                                    SigningKeys* signing_keys) {
  for (const std::string_view name : {"x-amz-date", "x-amz-target", "x-amz-content-sha256"}) {
    if (request.header_count(name) > 1) {
      return incomplete(fmt::format("There is more than one {} header.", name));
    }
  }
  const std::string amz_date(request.header("x-amz-date"));
  const bool dated_by_amz = !amz_date.empty();
  const auto time = parse_time(dated_by_amz ? amz_date : std::string(request.header("date")));
  const auto authorization = read_authorization(request, time.has_value());
  if (!authorization) return tl::unexpected(authorization.error());
  const auto credential = check_credential(authorization->credential, *time, expected);
  if (!credential) return tl::unexpected(credential.error());
  if (auto ok = check_time(*time, now); !ok) return tl::unexpected(ok.error());
  const auto names = split(authorization->signed_headers, ';');
  if (auto ok = check_coverage(names, dated_by_amz, expected); !ok) {
    return tl::unexpected(ok.error());
  }
  const auto key = keys.find(credential->access_key);
  if (key == keys.end()) {
    return api_fail(403, "UnrecognizedClientException",
                    "The security token included in the request is invalid.");
  }
  const SigV4Request covered = signed_part(request, names);
  const std::string_view stated_digest = request.header("x-amz-content-sha256");
  if (!stated_digest.empty() && stated_digest != covered.payload_sha256) {
    return invalid(std::string(kMismatch));
  }
  // Names that the request has no header for, or that are out of order, belong to no signature.
  std::string signed_headers;
  const std::string canonical =
      sigv4_canonical_request(covered, SigV4Path::kNormalized, &signed_headers);
  if (signed_headers != authorization->signed_headers) return invalid(std::string(kMismatch));
  const std::string wanted =
      sigv4_signature(signing_keys->find(key->second, credential->scope),
                      sigv4_string_to_sign(canonical, time->text, credential->scope));
  if (!equal_in_constant_time(wanted, authorization->signature)) {
    return invalid(std::string(kMismatch));
  }
  return credential->access_key;
}

}  // namespace millrace::server
