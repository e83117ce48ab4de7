// From normalised characters to token ids: cut at white space and around punctuation, then the
// longest piece of the vocabulary first, a word that cannot be spelt becoming [UNK] as a whole.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "model/tokenizer_spec.h"
#include "model/tokenizer_trie.h"

namespace millrace::model {

// Receives ids and keeps at most `limit` of them, the first or the last; counts them all unless it
// may stop early.
struct TokenSink {
  std::vector<int32_t>* ids;  // not emptied before
  size_t limit;
  bool keep_last = false;
  bool stop_early = false;  // nobody needs the exact count once it is above the limit
  size_t count = 0;

  void push(uint32_t id) {
    ++count;
    if (ids->size() < limit) {
      ids->push_back(static_cast<int32_t>(id));
    } else if (keep_last) {
      push_last(id);
    }
  }
  bool full() const { return stop_early && count > limit; }
  // To be called when all ids are there: drops what is above the limit.
  void finish();

 private:
  void push_last(uint32_t id);
};

class WordPiece {
 public:
  explicit WordPiece(const TokenizerSpec& spec);

  size_t max_input_chars_per_word() const { return max_chars_; }

  // `pieces` is a buffer. REQUIRES: `word` is not empty.
  void tokenize(std::string_view word, size_t chars, std::vector<uint32_t>* pieces,
                TokenSink* sink) const;

 private:
  TokenizerTrie words_;          // pieces that begin a word
  TokenizerTrie continuations_;  // pieces that go on, without their prefix
  uint32_t unk_id_;
  size_t max_chars_;
};

// Buffers of a thread; they grow to the largest word and stay.
struct WordBuffer {
  std::vector<char> bytes;
  std::vector<uint32_t> pieces;
};

// Sink of the normaliser that collects words and has them tokenized.
class WordSplitter {
 public:
  WordSplitter(const WordPiece& word_piece, WordBuffer* buffer, TokenSink* sink);

  void ascii(char c) {
    const CharClass kind = kAscii[static_cast<uint8_t>(c)];
    if (kind == CharClass::kWord) {
      if (size_ == capacity_) grow();
      if (chars_ < max_chars_) bytes_[size_++] = c;
      ++chars_;
      return;
    }
    end_word();
    if (kind == CharClass::kPunctuation) {
      bytes_[0] = c;
      size_ = chars_ = 1;
      end_word();
    }
  }
  void code_point(char32_t c);
  bool full() const { return sink_->full(); }

  // Text that is normalised already.
  void add(std::string_view text);
  void end_word();

 private:
  enum class CharClass : uint8_t { kWord, kSpace, kPunctuation };
  static const std::array<CharClass, 128> kAscii;

  void grow();

  const WordPiece& word_piece_;
  WordBuffer* buffer_;
  TokenSink* sink_;
  char* bytes_;
  size_t capacity_;
  size_t max_chars_;
  size_t size_ = 0;
  size_t chars_ = 0;  // may be above max_chars_; bytes_ holds at most so many
};

}  // namespace millrace::model
