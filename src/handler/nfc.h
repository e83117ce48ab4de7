// Unicode normalization form C: letters and their accents in one code point where there is one.
#pragma once

#include <string>
#include <string_view>

namespace millrace::handler {

// Replaces *out by the NFC of `text`. REQUIRES: valid UTF-8.
void to_nfc(std::string_view text, std::string* out);

}  // namespace millrace::handler
