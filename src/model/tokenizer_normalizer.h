// BERT's normaliser as a stream: code points in, normalised code points out, in the library's order
// of steps (clean, spaces around Chinese, decompose, drop marks, lower-case), without a buffer for
// the text. Only marks that wait for their canonical order are held back.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "model/tokenizer_spec.h"
#include "model/tokenizer_utf8.h"
#include "model/unicode_tables.h"

namespace millrace::model {

// Marks that are not dropped, until the next starter: they go out sorted by combining class.
struct PendingMarks {
  struct Mark {
    uint8_t combining_class;
    char32_t c;
  };
  std::vector<Mark> marks;
};

class Normalizer {
 public:
  explicit Normalizer(const NormalizerSettings& settings);

  // Sink: void ascii(char), void code_point(char32_t), bool full(). Stops soon after full() is
  // true.
  template <class Sink>
  void run(std::string_view text, PendingMarks* pending, Sink* sink) const;

 private:
  static constexpr char32_t kHangulFirst = 0xAC00;
  static constexpr char32_t kHangulLast = 0xAC00 + 11171;
  static constexpr uint8_t kDropped = 0x80;
  // How far a run of ASCII goes before full() is asked again.
  static constexpr size_t kAsciiRunBytes = 1024;

  template <class Sink>
  void clean(char32_t c, PendingMarks* pending, Sink* sink) const;
  template <class Sink>
  void decompose(char32_t c, PendingMarks* pending, Sink* sink) const;
  template <class Sink>
  void order(char32_t c, PendingMarks* pending, Sink* sink) const;
  template <class Sink>
  void flush(PendingMarks* pending, Sink* sink) const;
  template <class Sink>
  void lower(char32_t c, Sink* sink) const;

  NormalizerSettings settings_;
  bool strip_accents_;
  std::array<uint8_t, 128> ascii_{};  // what an ASCII character becomes; kDropped: nothing
};

bool is_chinese(char32_t c);
inline bool is_ascii(char byte) {
  return static_cast<uint8_t>(byte) < 0x80;
}

template <class Sink>
void Normalizer::run(std::string_view text, PendingMarks* pending, Sink* sink) const {
  size_t at = 0;
  while (at < text.size() && !sink->full()) {
    // An ASCII character is a starter: with no mark waiting it goes straight out.
    if (!is_ascii(text[at]) || !pending->marks.empty()) {
      clean(next_code_point(text, &at), pending, sink);
      continue;
    }
    const size_t end = std::min(text.size(), at + kAsciiRunBytes);
    for (; at < end && is_ascii(text[at]); ++at) {
      const uint8_t c = ascii_[static_cast<uint8_t>(text[at])];
      if (c != kDropped) sink->ascii(static_cast<char>(c));
    }
  }
  flush(pending, sink);
}

template <class Sink>
void Normalizer::clean(char32_t c, PendingMarks* pending, Sink* sink) const {
  if (settings_.clean_text) {
    const uint8_t flags = unicode::code_point(c).flags;
    if ((flags & unicode::kDropped) != 0) return;
    if ((flags & unicode::kWhiteSpace) != 0) c = ' ';
  }
  const bool apart = settings_.handle_chinese_chars && is_chinese(c);
  if (apart) decompose(' ', pending, sink);
  decompose(c, pending, sink);
  if (apart) decompose(' ', pending, sink);
}

template <class Sink>
void Normalizer::decompose(char32_t c, PendingMarks* pending, Sink* sink) const {
  if (!strip_accents_) return lower(c, sink);
  const unicode::CodePoint& properties = unicode::code_point(c);
  if (properties.decomposed_size > 0) {
    for (size_t i = 0; i < properties.decomposed_size; ++i) {
      order(unicode::kPool[properties.decomposed_at + i], pending, sink);
    }
  } else if (c >= kHangulFirst && c <= kHangulLast) {
    const char32_t index = c - kHangulFirst;
    order(0x1100 + index / 588, pending, sink);
    order(0x1161 + index % 588 / 28, pending, sink);
    if (index % 28 != 0) order(0x11A7 + index % 28, pending, sink);
  } else {
    order(c, pending, sink);
  }
}

template <class Sink>
void Normalizer::order(char32_t c, PendingMarks* pending, Sink* sink) const {
  const unicode::CodePoint& properties = unicode::code_point(c);
  const bool dropped = (properties.flags & unicode::kMark) != 0;
  if (properties.combining_class != 0) {
    // Leaving a mark out does not change the order of the others.
    if (!dropped) pending->marks.push_back({properties.combining_class, c});
    return;
  }
  // A starter ends the reordering even if it is itself dropped.
  flush(pending, sink);
  if (!dropped) lower(c, sink);
}

template <class Sink>
void Normalizer::flush(PendingMarks* pending, Sink* sink) const {
  if (pending->marks.empty()) return;
  std::stable_sort(pending->marks.begin(), pending->marks.end(),
                   [](const PendingMarks::Mark& a, const PendingMarks::Mark& b) {
                     return a.combining_class < b.combining_class;
                   });
  for (const PendingMarks::Mark& mark : pending->marks) lower(mark.c, sink);
  pending->marks.clear();
}

template <class Sink>
void Normalizer::lower(char32_t c, Sink* sink) const {
  const unicode::CodePoint& properties = unicode::code_point(c);
  if (!settings_.lowercase || properties.lowered_size == 0) return sink->code_point(c);
  for (size_t i = 0; i < properties.lowered_size; ++i) {
    sink->code_point(unicode::kPool[properties.lowered_at + i]);
  }
}

}  // namespace millrace::model
