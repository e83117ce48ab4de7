#include "server/http_message.h"

#include <algorithm>

namespace millrace::server {
namespace {

char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

}  // namespace

bool same_header_name(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](char x, char y) { return lower(x) == lower(y); });
}

std::string_view ServerRequest::header(std::string_view name) const {
  for (const auto& [field, value] : headers) {
    if (same_header_name(field, name)) return value;
  }
  return {};
}

size_t ServerRequest::header_count(std::string_view name) const {
  return static_cast<size_t>(std::count_if(
      headers.begin(), headers.end(),
      [name](const HeaderField& field) { return same_header_name(field.first, name); }));
}

}  // namespace millrace::server
