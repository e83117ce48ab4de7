// A server whose S3 requests would come back to itself would wait for itself.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace millrace::server {

// Is it a loopback address or name?
bool is_loopback(std::string_view host);
// Does the http(s) URL `endpoint` lead to a listener on `host` and `port`, on the machine called
// `machine`? False for what is no URL.
bool leads_to_listener(std::string_view endpoint, const std::string& host, uint16_t port,
                       std::string_view machine);

}  // namespace millrace::server
