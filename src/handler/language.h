// Does a text look as if it were in none of the model's languages? Known by its script, and by the
// letters that only Vietnamese has: a cheap look that says no when in doubt. A model answers for
// such a text too, confidently and wrongly, so a job counts them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace millrace::handler {

class LanguageNotice {
 public:
  // `languages` as the model card states them ("en", "pt-BR"). None, or one that is not known here:
  // nothing is ever outside.
  explicit LanguageNotice(const std::vector<std::string>& languages);

  // REQUIRES: valid UTF-8. Thread-safe.
  bool looks_outside(std::string_view text) const;

 private:
  bool watching_ = false;
  uint32_t scripts_ = 0;     // bits of the languages' scripts
  bool vietnamese_ = false;  // one of the languages
};

}  // namespace millrace::handler
