#include "base/sigv4.h"

#include <algorithm>

#include "base/digest.h"
#include "base/uri.h"

namespace millrace {
namespace {

constexpr std::string_view kAlgorithm = "AWS4-HMAC-SHA256";
constexpr std::string_view kTerminator = "aws4_request";

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return out;
}

// Without spaces at the ends, runs of spaces inside as one.
std::string trimmed(std::string_view value) {
  std::string out;
  for (const char c : value) {
    const bool space = c == ' ' || c == '\t';
    if (space && (out.empty() || out.back() == ' ')) continue;
    out += space ? ' ' : c;
  }
  if (!out.empty() && out.back() == ' ') out.pop_back();
  return out;
}

// Lower-case names in order, the values of one name joined with commas in their own order.
std::vector<HeaderField> canonical_headers(const std::vector<HeaderField>& headers) {
  std::vector<HeaderField> sorted;
  for (const auto& [name, value] : headers) sorted.emplace_back(lower(name), trimmed(value));
  std::stable_sort(sorted.begin(), sorted.end(),
                   [](const auto& a, const auto& b) { return a.first < b.first; });
  std::vector<HeaderField> joined;
  for (HeaderField& field : sorted) {
    if (!joined.empty() && joined.back().first == field.first) {
      joined.back().second += "," + field.second;
    } else {
      joined.push_back(std::move(field));
    }
  }
  return joined;
}

std::string names_of(const std::vector<HeaderField>& canonical) {
  std::string names;
  for (const auto& [name, value] : canonical) {
    if (!names.empty()) names += ';';
    names += name;
  }
  return names;
}

// Decoded, so that what was encoded loosely (or not at all) is encoded SigV4's way.
std::string encode_again(std::string_view text) {
  const auto decoded = percent_decode(text);
  return percent_encode(decoded ? std::string_view(*decoded) : text);
}

std::string canonical_query(std::string_view query) {
  std::vector<HeaderField> parameters;
  while (!query.empty()) {
    const std::string_view one = query.substr(0, query.find('&'));
    query.remove_prefix(std::min(one.size() + 1, query.size()));
    if (one.empty()) continue;
    const size_t equals = std::min(one.find('='), one.size());
    parameters.emplace_back(encode_again(one.substr(0, equals)),
                            equals < one.size() ? encode_again(one.substr(equals + 1)) : "");
  }
  std::sort(parameters.begin(), parameters.end());
  std::string out;
  for (const auto& [name, value] : parameters) {
    if (!out.empty()) out += '&';
    out += name + '=' + value;
  }
  return out;
}

std::string normalized(std::string_view path) {
  std::vector<std::string_view> kept;
  bool folder = true;  // the path ends at a '/'
  while (!path.empty()) {
    const std::string_view segment = path.substr(0, path.find('/'));
    folder = segment.size() < path.size() || segment == "." || segment == "..";
    path.remove_prefix(std::min(segment.size() + 1, path.size()));
    if (segment == ".." && !kept.empty()) kept.pop_back();
    if (!segment.empty() && segment != "." && segment != "..") kept.push_back(segment);
  }
  std::string out;
  for (const std::string_view segment : kept) out += '/' + std::string(segment);
  if (folder || out.empty()) out += '/';
  return out;
}

}  // namespace

std::string SigV4Scope::text() const {
  return date + '/' + region + '/' + service + '/' + std::string(kTerminator);
}

std::string sigv4_signed_headers(const std::vector<HeaderField>& headers) {
  return names_of(canonical_headers(headers));
}

std::string sigv4_canonical_request(const SigV4Request& request, SigV4Path path,
                                    std::string* signed_headers) {
  const std::vector<HeaderField> headers = canonical_headers(request.headers);
  const std::string names = names_of(headers);
  std::string out = request.method + '\n';
  out += path == SigV4Path::kAsSent ? request.path : percent_encode(normalized(request.path), true);
  out += '\n' + canonical_query(request.query) + '\n';
  for (const auto& [name, value] : headers) out += name + ':' + value + '\n';
  out += '\n' + names + '\n' + request.payload_sha256;
  if (signed_headers != nullptr) *signed_headers = names;
  return out;
}

std::string sigv4_string_to_sign(std::string_view canonical_request, std::string_view time,
                                 const SigV4Scope& scope) {
  std::string out(kAlgorithm);
  out += '\n' + std::string(time) + '\n' + scope.text() + '\n' + sha256_hex(canonical_request);
  return out;
}

Sha256Digest sigv4_signing_key(std::string_view secret_key, const SigV4Scope& scope) {
  Sha256Digest key = hmac_sha256("AWS4" + std::string(secret_key), scope.date);
  key = hmac_sha256(as_bytes(key), scope.region);
  key = hmac_sha256(as_bytes(key), scope.service);
  return hmac_sha256(as_bytes(key), kTerminator);
}

std::string sigv4_signature(const Sha256Digest& signing_key, std::string_view string_to_sign) {
  return hex(hmac_sha256(as_bytes(signing_key), string_to_sign));
}

std::string sigv4_authorization(const SigV4Request& request, SigV4Path path, const SigV4Key& key,
                                std::string_view time, const SigV4Scope& scope) {
  std::string signed_headers;
  const std::string to_sign =
      sigv4_string_to_sign(sigv4_canonical_request(request, path, &signed_headers), time, scope);
  return std::string(kAlgorithm) + " Credential=" + key.access_key + '/' + scope.text() +
         ", SignedHeaders=" + signed_headers +
         ", Signature=" + sigv4_signature(sigv4_signing_key(key.secret_key, scope), to_sign);
}

}  // namespace millrace
