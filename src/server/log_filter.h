// CloudWatch Logs' filter patterns for plain text: words that a line must have, "quoted phrases",
// -words that it must not have, ?words of which it must have one.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace millrace::server {

class LogFilter {
 public:
  explicit LogFilter(std::string_view pattern);

  // Why the pattern cannot be followed ({...} and [...] pick members of JSON and columns apart);
  // "": it can.
  const std::string& problem() const { return problem_; }
  bool matches(std::string_view line) const;

 private:
  std::string problem_;
  std::vector<std::string> all_, none_, any_;
};

}  // namespace millrace::server
