#include "base/uri.h"

#include <algorithm>
#include <charconv>

namespace millrace {
namespace {

bool unreserved(char c) {
  return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' ||
         c == '.' || c == '_' || c == '~';
}

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

Error bad_url(std::string_view text, std::string_view why) {
  return invalid_argument("URL '" + std::string(text) + "': " + std::string(why));
}

// A name, an IPv4 address, or an IPv6 address in brackets. A ':' or a bracket anywhere else would
// make another host and port of the URL when it is written again.
bool is_host(std::string_view host) {
  const bool bracketed = host.size() > 2 && host.front() == '[' && host.back() == ']';
  if (bracketed) host = host.substr(1, host.size() - 2);
  return std::all_of(host.begin(), host.end(),
                     [&](char c) { return unreserved(c) || (bracketed && c == ':'); });
}

// "host", "host:port" or "[v6]:port" into url.
Status take_authority(std::string_view text, std::string_view authority, Url* url) {
  const size_t bracket = authority.rfind(']');
  const size_t colon = authority.rfind(':');
  const bool has_port =
      colon != std::string_view::npos && (bracket == std::string_view::npos || colon > bracket);
  const std::string_view host = authority.substr(0, has_port ? colon : authority.size());
  if (host.empty()) return fail(bad_url(text, "no host"));
  if (!is_host(host)) return fail(bad_url(text, "a character that no host name has"));
  for (const char c : host) url->host += lower(c);
  if (!has_port) return {};
  const std::string_view port = authority.substr(colon + 1);
  const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), url->port);
  if (error != std::errc() || end != port.data() + port.size() || url->port < 1 ||
      url->port > 65535) {
    return fail(bad_url(text, "the port is not a number from 1 to 65535"));
  }
  return {};
}

}  // namespace

std::string percent_encode(std::string_view text, bool keep_slash) {
  static constexpr char kDigits[] = "0123456789ABCDEF";
  std::string out;
  out.reserve(text.size() + text.size() / 4);
  for (const char c : text) {
    if (unreserved(c) || (keep_slash && c == '/')) {
      out += c;
      continue;
    }
    const auto byte = static_cast<unsigned char>(c);
    out += '%';
    out += kDigits[byte >> 4];
    out += kDigits[byte & 15];
  }
  return out;
}

Result<std::string> percent_decode(std::string_view text, bool plus_is_space) {
  std::string out;
  out.reserve(text.size());
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      out += plus_is_space && text[i] == '+' ? ' ' : text[i];
      continue;
    }
    const int high = i + 1 < text.size() ? hex_value(text[i + 1]) : -1;
    const int low = i + 2 < text.size() ? hex_value(text[i + 2]) : -1;
    if (high < 0 || low < 0) {
      return fail(
          invalid_argument("'%' without two hexadecimal digits in '" + std::string(text) + "'"));
    }
    out += static_cast<char>(high * 16 + low);
    i += 2;
  }
  return out;
}

std::string Url::authority() const {
  return port == 0 ? host : host + ":" + std::to_string(port);
}

Result<Url> parse_endpoint_url(std::string_view text) {
  Url url;
  const size_t mark = text.find("://");
  if (mark == std::string_view::npos)
    return fail(bad_url(text, "no http:// or https:// before it"));
  for (const char c : text.substr(0, mark)) url.scheme += lower(c);
  if (url.scheme != "http" && url.scheme != "https") {
    return fail(bad_url(text, "neither http nor https"));
  }
  const std::string_view rest = text.substr(mark + 3);
  if (rest.find_first_of("?#") != std::string_view::npos) {
    return fail(bad_url(text, "a query or fragment is not part of an endpoint"));
  }
  const size_t slash = std::min(rest.find('/'), rest.size());
  if (rest.substr(0, slash).find('@') != std::string_view::npos) {
    // Not quoted in full: what stands before '@' may be a password.
    return fail(invalid_argument("an endpoint URL may not hold a user name or password"));
  }
  MR_TRY(take_authority(text, rest.substr(0, slash), &url));
  url.path = rest.substr(slash);
  while (!url.path.empty() && url.path.back() == '/') url.path.pop_back();
  for (const char c : url.path) {
    if (!unreserved(c) && c != '/' && c != '%') {
      return fail(bad_url(text, "a character that must be percent-encoded"));
    }
  }
  if ((url.scheme == "http" && url.port == 80) || (url.scheme == "https" && url.port == 443)) {
    url.port = 0;
  }
  return url;
}

}  // namespace millrace
