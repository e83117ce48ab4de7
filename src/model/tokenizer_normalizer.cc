// The normaliser's table for ASCII, made once from the same steps that other characters take.
#include "model/tokenizer_normalizer.h"

namespace millrace::model {

Normalizer::Normalizer(const NormalizerSettings& settings)
    : settings_(settings), strip_accents_(settings.strips_accents()) {
  for (char32_t c = 0; c < ascii_.size(); ++c) {
    const unicode::CodePoint& properties = unicode::code_point(c);
    auto becomes = static_cast<uint8_t>(c);
    if (settings_.lowercase && properties.lowered_size > 0) {
      becomes = static_cast<uint8_t>(unicode::kPool[properties.lowered_at]);
    }
    if (settings_.clean_text) {
      if ((properties.flags & unicode::kWhiteSpace) != 0) becomes = ' ';
      if ((properties.flags & unicode::kDropped) != 0) becomes = kDropped;
    }
    ascii_[c] = becomes;
  }
}

// The library's own list, with its gap at 2B820 (which Unicode's block fills): parity, not blocks.
bool is_chinese(char32_t c) {
  return (c >= 0x4E00 && c <= 0x9FFF) || (c >= 0x3400 && c <= 0x4DBF) ||
         (c >= 0x20000 && c <= 0x2A6DF) || (c >= 0x2A700 && c <= 0x2B73F) ||
         (c >= 0x2B740 && c <= 0x2B81F) || (c >= 0x2B920 && c <= 0x2CEAF) ||
         (c >= 0xF900 && c <= 0xFAFF) || (c >= 0x2F800 && c <= 0x2FA1F);
}

}  // namespace millrace::model
