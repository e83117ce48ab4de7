// Walks over JSON that JsonJoiner has written: compact, sorted, known to be valid. So ends are
// found by jumping from quote to quote and from bracket to bracket, without recursion.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "base/json_check.h"

namespace millrace::record {

// `at`: after the opening quote. Where the string ends: after its closing quote.
inline size_t end_of_string(std::string_view text, size_t at) {
  for (;;) {
    const size_t quote = text.find('"', at);
    size_t slashes = 0;
    while (text[quote - 1 - slashes] == '\\')
      ++slashes;  // stops at the opening quote at the latest
    if (slashes % 2 == 0) return quote + 1;
    at = quote + 1;
  }
}

inline size_t end_of_container(std::string_view text, size_t at) {
  size_t depth = 0;
  for (;;) {
    switch (text[at]) {
      case '"':
        at = end_of_string(text, at + 1);
        continue;
      case '{':
      case '[':
        ++depth;
        break;
      case '}':
      case ']':
        if (--depth == 0) return at + 1;
        break;
      default:
        break;
    }
    ++at;
  }
}

inline size_t end_of_value(std::string_view text, size_t at) {
  const char c = text[at];
  if (c == '"') return end_of_string(text, at + 1);
  if (c == '{' || c == '[') return end_of_container(text, at);
  while (at < text.size() && text[at] != ',' && text[at] != '}' && text[at] != ']') ++at;
  return at;
}

// Calls visit(key, value) for each member, the key as it stands between its quotes; false stops.
template <class Visit>
void for_each_json_member(std::string_view object, Visit visit) {
  if (object[1] == '}') return;
  for (size_t at = 1;;) {
    const size_t key_end = end_of_string(object, at + 1);
    const size_t value_end = end_of_value(object, key_end + 1);
    const std::string_view key = object.substr(at + 1, key_end - at - 2);
    if (!visit(key, object.substr(key_end + 1, value_end - key_end - 1))) return;
    if (object[value_end] == '}') return;
    at = value_end + 1;
  }
}

template <class Visit>
void for_each_json_element(std::string_view array, Visit visit) {
  if (array[1] == ']') return;
  for (size_t at = 1;;) {
    const size_t end = end_of_value(array, at);
    if (!visit(array.substr(at, end - at))) return;
    if (array[end] == ']') return;
    at = end + 1;
  }
}

inline bool json_key_is(std::string_view key, std::string_view name) {
  if (key.size() < name.size()) return false;  // an escape is longer than what it stands for
  if (key.find('\\') == std::string_view::npos) return key == name;
  std::string decoded;
  append_json_unescaped(key, &decoded);
  return decoded == name;
}

}  // namespace millrace::record
