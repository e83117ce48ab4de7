// Apart from json_join.cc, so that whoever writes a string need not have simdjson.
#include "record/join.h"

namespace millrace::record {

void append_json_string(std::string_view text, std::string* out) {
  constexpr char kHex[] = "0123456789abcdef";
  out->push_back('"');
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out->append({'\\', c});
    } else if (byte >= 0x20) {
      out->push_back(c);
    } else {
      out->append({'\\', 'u', '0', '0', kHex[byte >> 4], kHex[byte & 15]});
    }
  }
  out->push_back('"');
}

}  // namespace millrace::record
