// What surrounds an added token: word characters and white space, as the library's regexes see
// them.
#include "model/tokenizer_added_tokens.h"

#include <algorithm>

#include "model/tokenizer_utf8.h"
#include "model/unicode_tables.h"

namespace millrace::model {

namespace {

// Start of the code point that ends before `at`. REQUIRES: at > 0.
size_t previous(std::string_view text, size_t at) {
  size_t start = at - 1;
  while (start > 0 && at - start < 4 && is_utf8_continuation(text[start])) --start;
  return start;
}

bool has_flag(std::string_view text, size_t at, uint8_t flag) {
  return (unicode::code_point(next_code_point(text, &at)).flags & flag) != 0;
}

}  // namespace

void AddedTokenMatcher::build(std::vector<Pattern> patterns) {
  patterns_ = std::move(patterns);
  std::vector<TokenizerTrie::Entry> entries;
  for (size_t i = 0; i < patterns_.size(); ++i) {
    entries.emplace_back(patterns_[i].text, static_cast<uint32_t>(i));
    begins_[static_cast<uint8_t>(patterns_[i].text[0])] = true;
  }
  trie_.build(std::move(entries));
  if (std::count(begins_.begin(), begins_.end(), true) == 1) {
    only_begin_ = static_cast<uint8_t>(patterns_[0].text[0]);
  }
}

size_t AddedTokenMatcher::next_candidate(std::string_view text, size_t from) const {
  if (from >= text.size()) return text.size();
  if (only_begin_ >= 0) {
    const void* found = std::memchr(text.data() + from, only_begin_, text.size() - from);
    if (found == nullptr) return text.size();
    return static_cast<size_t>(static_cast<const char*>(found) - text.data());
  }
  while (from < text.size() && !begins_[static_cast<uint8_t>(text[from])]) ++from;
  return from;
}

bool AddedTokenMatcher::word_before(std::string_view text, size_t at) {
  return at > 0 && has_flag(text, previous(text, at), unicode::kWord);
}

bool AddedTokenMatcher::word_after(std::string_view text, size_t at) {
  return at < text.size() && has_flag(text, at, unicode::kWord);
}

size_t AddedTokenMatcher::space_before(std::string_view text, size_t at) {
  while (at > 0 && has_flag(text, previous(text, at), unicode::kWhiteSpace)) {
    at = previous(text, at);
  }
  return at;
}

size_t AddedTokenMatcher::space_after(std::string_view text, size_t at) {
  while (at < text.size() && has_flag(text, at, unicode::kWhiteSpace)) next_code_point(text, &at);
  return at;
}

}  // namespace millrace::model
