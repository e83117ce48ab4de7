// Writing JSON where a library's document would cost more than the text: strings, appended.
#pragma once

#include <string>
#include <string_view>

namespace millrace {

// `text` as a JSON string, quotes included. Bytes that are no UTF-8 become U+FFFD.
void append_json_string(std::string_view text, std::string* out);

}  // namespace millrace
