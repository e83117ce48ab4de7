// UTF-8: is it valid, what stands in it, and Python's way to replace what is not valid.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace millrace::handler {

// Length of the longest valid beginning: text.size() where all of it is valid UTF-8.
size_t valid_utf8_prefix(std::string_view text);

// Replaces *out by `text`, each maximal invalid part as one U+FFFD: what Python's
// bytes.decode(errors="replace") gives.
void replace_invalid_utf8(std::string_view text, std::string* out);

void append_utf8(char32_t c, std::string* out);

// The code point that begins at text[*at]; moves *at behind it.
// REQUIRES: `text` is valid UTF-8 and *at < text.size() is where a code point begins.
inline char32_t next_code_point(std::string_view text, size_t* at) {
  const auto byte = [&](size_t i) -> char32_t { return static_cast<unsigned char>(text[i]); };
  const size_t i = *at;
  const char32_t lead = byte(i);
  if (lead < 0x80) {
    *at = i + 1;
    return lead;
  }
  if (lead < 0xE0) {
    *at = i + 2;
    return (lead & 0x1F) << 6 | (byte(i + 1) & 0x3F);
  }
  if (lead < 0xF0) {
    *at = i + 3;
    return (lead & 0x0F) << 12 | (byte(i + 1) & 0x3F) << 6 | (byte(i + 2) & 0x3F);
  }
  *at = i + 4;
  return (lead & 0x07) << 18 | (byte(i + 1) & 0x3F) << 12 | (byte(i + 2) & 0x3F) << 6 |
         (byte(i + 3) & 0x3F);
}

// Whitespace as Unicode has it (White_Space=yes).
bool is_unicode_space(char32_t c);

// True where nothing but whitespace stands in `text`, which is valid UTF-8.
bool is_blank(std::string_view text);

}  // namespace millrace::handler
