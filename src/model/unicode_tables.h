// What Hugging Face `tokenizers` believes about each code point, asked of the library itself: its
// crates mix several ages of Unicode data, so no release of Unicode gives the same ids.
#pragma once

#include <cstddef>
#include <cstdint>

namespace millrace::model::unicode {

constexpr uint8_t kWhiteSpace = 1;   // the pre-tokenizer splits here; clean text makes it a space
constexpr uint8_t kDropped = 2;      // clean text removes it
constexpr uint8_t kMark = 4;         // strip accents removes it (after decomposition)
constexpr uint8_t kPunctuation = 8;  // a word of its own
constexpr uint8_t kWord = 16;        // \w of the regex that guards added tokens with single_word

struct CodePoint {
  uint8_t flags;
  uint8_t combining_class;
  uint8_t decomposed_size;  // 0: decomposes to itself (Hangul too: see decompose_hangul)
  uint8_t lowered_size;     // 0: lower-cases to itself
  uint16_t decomposed_at;   // first code point in kPool
  uint16_t lowered_at;
};

constexpr size_t kBlock = 64;
extern const uint16_t kFirstStage[];
extern const uint16_t kSecondStage[];
extern const CodePoint kRecords[];
extern const char32_t kPool[];

// REQUIRES: c <= 0x10FFFF.
inline const CodePoint& code_point(char32_t c) {
  return kRecords[kSecondStage[kFirstStage[c / kBlock] * kBlock + c % kBlock]];
}

}  // namespace millrace::model::unicode
