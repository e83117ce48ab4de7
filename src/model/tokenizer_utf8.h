// UTF-8 to code points and back. Text should be valid; what is not becomes U+FFFD byte by byte, so
// that no input can lead a reader out of bounds.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace millrace::model {

constexpr char32_t kReplacement = 0xFFFD;

inline bool is_utf8_continuation(char byte) {
  return (static_cast<uint8_t>(byte) & 0xC0) == 0x80;
}

// Reads the code point at *at and moves *at behind it. REQUIRES: *at < text.size().
inline char32_t next_code_point(std::string_view text, size_t* at) {
  const auto lead = static_cast<uint8_t>(text[*at]);
  ++*at;
  if (lead < 0x80) return lead;
  // What the lead byte announces: how many more bytes, and the least value that needs them.
  const size_t more = lead >= 0xF0 ? 3 : lead >= 0xE0 ? 2 : 1;
  const char32_t least = more == 3 ? 0x10000 : more == 2 ? 0x800 : 0x80;
  if (lead < 0xC2 || lead > 0xF4 || text.size() - *at < more) return kReplacement;
  char32_t c = lead & (0x3Fu >> more);
  for (size_t i = 0; i < more; ++i) {
    if (!is_utf8_continuation(text[*at + i])) return kReplacement;
    c = (c << 6) | (static_cast<uint8_t>(text[*at + i]) & 0x3Fu);
  }
  if (c < least || c > 0x10FFFF || (c >= 0xD800 && c <= 0xDFFF)) return kReplacement;
  *at += more;
  return c;
}

// Writes at most 4 bytes to `out`; returns how many. REQUIRES: c <= 0x10FFFF.
inline size_t encode_utf8(char32_t c, char* out) {
  if (c < 0x80) {
    out[0] = static_cast<char>(c);
    return 1;
  }
  const size_t more = c < 0x800 ? 1 : c < 0x10000 ? 2 : 3;
  static constexpr uint8_t kLead[] = {0, 0xC0, 0xE0, 0xF0};
  out[0] = static_cast<char>(kLead[more] | (c >> (6 * more)));
  for (size_t i = 1; i <= more; ++i) {
    out[i] = static_cast<char>(0x80 | ((c >> (6 * (more - i))) & 0x3F));
  }
  return more + 1;
}

inline void append_utf8(char32_t c, std::string* out) {
  char bytes[4];
  out->append(bytes, encode_utf8(c, bytes));
}

// Where the first byte lies that is not valid UTF-8; npos if there is none.
inline size_t invalid_utf8_at(std::string_view text) {
  for (size_t at = 0; at < text.size();) {
    const size_t start = at;
    // A replacement character that is really there has three bytes.
    if (next_code_point(text, &at) == kReplacement && at - start == 1) return start;
  }
  return std::string_view::npos;
}

}  // namespace millrace::model
