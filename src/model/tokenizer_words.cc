// Words and their pieces. The two tries make "longest first" one walk along the word.
#include "model/tokenizer_words.h"

#include <algorithm>

#include "model/tokenizer_utf8.h"
#include "model/unicode_tables.h"

namespace millrace::model {

namespace {

constexpr size_t kUtf8BytesMax = 4;
constexpr size_t kFirstCapacity = 512;

}  // namespace

void TokenSink::push_last(uint32_t id) {
  // Twice the limit before the first half goes: each id is moved once.
  if (ids->size() >= 2 * limit) finish();
  ids->push_back(static_cast<int32_t>(id));
}

void TokenSink::finish() {
  if (ids->size() <= limit) return;
  ids->erase(ids->begin(), ids->end() - static_cast<std::ptrdiff_t>(limit));
}

WordPiece::WordPiece(const TokenizerSpec& spec)
    : unk_id_(spec.vocabulary.at(spec.unk_token)), max_chars_(spec.max_input_chars_per_word) {
  std::vector<TokenizerTrie::Entry> words;
  std::vector<TokenizerTrie::Entry> continuations;
  words.reserve(spec.vocabulary.size());
  const std::string_view prefix = spec.continuing_subword_prefix;
  for (const auto& [token, id] : spec.vocabulary) {
    words.emplace_back(token, id);
    if (token.starts_with(prefix)) {
      continuations.emplace_back(std::string_view(token).substr(prefix.size()), id);
    }
  }
  words_.build(std::move(words));
  continuations_.build(std::move(continuations));
}

void WordPiece::tokenize(std::string_view word, size_t chars, std::vector<uint32_t>* pieces,
                         TokenSink* sink) const {
  if (chars > max_chars_) return sink->push(unk_id_);
  TokenizerTrie::Match match = words_.longest_prefix(word);
  if (match.bytes == word.size()) return sink->push(match.value);
  pieces->clear();
  while (match.bytes > 0) {
    pieces->push_back(match.value);
    word.remove_prefix(match.bytes);
    if (word.empty()) {
      for (const uint32_t id : *pieces) sink->push(id);
      return;
    }
    match = continuations_.longest_prefix(word);
  }
  sink->push(unk_id_);
}

const std::array<WordSplitter::CharClass, 128> WordSplitter::kAscii = [] {
  std::array<CharClass, 128> classes{};
  for (char32_t c = 0; c < classes.size(); ++c) {
    const uint8_t flags = unicode::code_point(c).flags;
    classes[c] = (flags & unicode::kWhiteSpace) != 0    ? CharClass::kSpace
                 : (flags & unicode::kPunctuation) != 0 ? CharClass::kPunctuation
                                                        : CharClass::kWord;
  }
  return classes;
}();

WordSplitter::WordSplitter(const WordPiece& word_piece, WordBuffer* buffer, TokenSink* sink)
    : word_piece_(word_piece),
      buffer_(buffer),
      sink_(sink),
      max_chars_(word_piece.max_input_chars_per_word()) {
  if (buffer->bytes.size() < kFirstCapacity) buffer->bytes.resize(kFirstCapacity);
  bytes_ = buffer->bytes.data();
  capacity_ = buffer->bytes.size() - kUtf8BytesMax;
}

void WordSplitter::grow() {
  buffer_->bytes.resize(buffer_->bytes.size() * 2);
  bytes_ = buffer_->bytes.data();
  capacity_ = buffer_->bytes.size() - kUtf8BytesMax;
}

void WordSplitter::code_point(char32_t c) {
  if (c < 0x80) return ascii(static_cast<char>(c));
  const uint8_t flags = unicode::code_point(c).flags;
  if ((flags & (unicode::kWhiteSpace | unicode::kPunctuation)) != 0) end_word();
  if ((flags & unicode::kWhiteSpace) != 0) return;
  if (size_ >= capacity_) grow();
  if (chars_ < max_chars_) size_ += encode_utf8(c, bytes_ + size_);
  ++chars_;
  if ((flags & unicode::kPunctuation) != 0) end_word();
}

void WordSplitter::add(std::string_view text) {
  for (size_t at = 0; at < text.size() && !full();) code_point(next_code_point(text, &at));
}

void WordSplitter::end_word() {
  if (chars_ == 0) return;
  word_piece_.tokenize({bytes_, size_}, chars_, &buffer_->pieces, sink_);
  size_ = chars_ = 0;
}

}  // namespace millrace::model
