// Words for command lines that /bin/sh reads.
#pragma once

#include <string>
#include <string_view>

namespace millrace {

// The text as one word in which nothing means anything.
inline std::string shell_word(std::string_view text) {
  std::string out = "'";
  for (const char c : text) {
    if (c == '\'') {
      out += "'\\''";
    } else {
      out += c;
    }
  }
  return out + "'";
}

}  // namespace millrace
