#include "server/log_filter.h"

#include <algorithm>

namespace millrace::server {

LogFilter::LogFilter(std::string_view pattern) {
  const size_t begin = pattern.find_first_not_of(' ');
  if (begin != pattern.npos && (pattern[begin] == '{' || pattern[begin] == '[')) {
    problem_ = "Filter patterns of JSON members and columns are not supported, only words.";
    return;
  }
  while (true) {
    pattern.remove_prefix(std::min(pattern.find_first_not_of(' '), pattern.size()));
    if (pattern.empty()) return;
    std::vector<std::string>* list = &all_;
    if (pattern.front() == '-' || pattern.front() == '?') {
      list = pattern.front() == '-' ? &none_ : &any_;
      pattern.remove_prefix(1);
    }
    const bool quoted = !pattern.empty() && pattern.front() == '"';
    if (quoted) pattern.remove_prefix(1);
    const size_t end = std::min(pattern.find(quoted ? '"' : ' '), pattern.size());
    if (end > 0) list->emplace_back(pattern.substr(0, end));
    pattern.remove_prefix(std::min(end + 1, pattern.size()));
  }
}

bool LogFilter::matches(std::string_view line) const {
  const auto in_line = [line](const std::string& word) { return line.find(word) != line.npos; };
  return std::all_of(all_.begin(), all_.end(), in_line) &&
         std::none_of(none_.begin(), none_.end(), in_line) &&
         (any_.empty() || std::any_of(any_.begin(), any_.end(), in_line));
}

}  // namespace millrace::server
