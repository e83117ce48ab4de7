// Unicode's letters, separators and numbers, which tags may be made of.
#pragma once

namespace millrace::server {

// General categories L*, Z* and N*.
bool is_letter_separator_or_number(char32_t character);

}  // namespace millrace::server
