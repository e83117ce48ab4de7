// A strict JSON validator that says where and why a text is not one JSON document. It is the slow
// twin of what reads JSON fast on the data path: that decides, this one finds the words for the
// user, and tests compare the two. Iterative, so that no nesting can exhaust the stack.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "base/error.h"

namespace millrace {

struct JsonFault {
  size_t position = 0;  // byte in the text
  std::string cause;    // "expected ':' after the key"
};

// Nothing where `text` is exactly one JSON document (RFC 8259; white space around it) nested at
// most `depth_max` deep, in valid UTF-8.
std::optional<JsonFault> find_json_fault(std::string_view text, size_t depth_max);

// bad_input: "invalid JSON at byte 17: expected ':' after the key".
Error json_fault_error(const JsonFault& fault);

// Length of the JSON number that `text` begins with; 0 where it begins with none.
size_t scan_json_number(std::string_view text);

// Length of the escape that `text` begins with (its first character is a backslash); 0 where JSON
// has no such escape.
size_t json_escape_length(std::string_view text);

// Is every backslash between a string's quotes the begin of an escape that JSON knows?
bool json_escapes_valid(std::string_view inside);

// Decodes the escapes between a string's quotes and appends. A surrogate without its other half
// becomes U+FFFD, as in Go's encoding/json. REQUIRES: json_escapes_valid(inside).
void append_json_unescaped(std::string_view inside, std::string* out);

}  // namespace millrace
