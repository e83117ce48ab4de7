// Finds added tokens in a text: leftmost first, the longest of those that begin there, never
// overlapping; then single_word, lstrip and rstrip, with the library's own order of steps.
#pragma once

#include <array>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "model/tokenizer_spec.h"
#include "model/tokenizer_trie.h"

namespace millrace::model {

class AddedTokenMatcher {
 public:
  struct Pattern {
    std::string text;
    uint32_t id;
    AddedToken token;
  };

  // REQUIRES: the patterns' texts differ and are not empty.
  void build(std::vector<Pattern> patterns);

  bool empty() const { return patterns_.empty(); }

  // Calls text_between(std::string_view) and token(id) in the order of the text, until one of them
  // returns false.
  template <class TextBetween, class Token>
  void split(std::string_view text, TextBetween&& text_between, Token&& token) const;

 private:
  size_t next_candidate(std::string_view text, size_t from) const;
  static bool word_before(std::string_view text, size_t at);
  static bool word_after(std::string_view text, size_t at);
  static size_t space_before(std::string_view text, size_t at);
  static size_t space_after(std::string_view text, size_t at);

  std::vector<Pattern> patterns_;
  TokenizerTrie trie_;  // values are indexes of patterns_
  std::array<bool, 256> begins_{};
  int only_begin_ = -1;  // the one byte that all patterns begin with: memchr finds it
};

template <class TextBetween, class Token>
void AddedTokenMatcher::split(std::string_view text, TextBetween&& text_between,
                              Token&& token) const {
  size_t done = 0;
  size_t at = next_candidate(text, 0);
  while (at < text.size()) {
    const TokenizerTrie::Match match = trie_.longest_prefix(text.substr(at));
    if (match.bytes == 0) {
      at = next_candidate(text, at + 1);
      continue;
    }
    const Pattern& pattern = patterns_[match.value];
    size_t start = at;
    size_t stop = at + match.bytes;
    at = next_candidate(text, stop);
    if (pattern.token.single_word && (word_before(text, start) || word_after(text, stop))) continue;
    // A match may lie in the space that the one before took along; it is found nevertheless.
    if (pattern.token.lstrip) start = std::max(space_before(text, start), done);
    if (pattern.token.rstrip) stop = space_after(text, stop);
    if (done < start && !text_between(text.substr(done, start - done))) return;
    if (start < stop && !token(pattern.id)) return;
    done = stop;
  }
  if (done < text.size()) text_between(text.substr(done));
}

}  // namespace millrace::model
