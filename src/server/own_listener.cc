#include "server/own_listener.h"

#include "base/uri.h"

namespace millrace::server {

bool is_loopback(std::string_view host) {
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  return host == "localhost" || host.ends_with(".localhost") || host == "::1" ||
         host.starts_with("127.");
}

bool leads_to_listener(std::string_view endpoint, const std::string& host, uint16_t port,
                       std::string_view machine) {
  const auto url = parse_endpoint_url(endpoint);
  if (!url) return false;
  const int url_port = url->port != 0 ? url->port : url->scheme == "https" ? 443 : 80;
  if (url_port != port) return false;
  std::string_view target = url->host;
  if (target.starts_with('[')) target = target.substr(1, target.size() - 2);
  if (target == host) return true;
  const bool everywhere = host == "0.0.0.0" || host == "::";
  if (is_loopback(target)) return everywhere || is_loopback(host);
  return everywhere && target == machine;
}

}  // namespace millrace::server
