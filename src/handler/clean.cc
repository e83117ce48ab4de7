// Each step reads the text from left to right and writes what remains; none needs more memory than
// that, and none can grow a text by more than a constant factor.
#include "handler/clean.h"

#include <algorithm>

#include "handler/nfc.h"
#include "handler/utf8.h"

namespace millrace::handler {

namespace {

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
bool is_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}
// Characters of names and words; every byte beyond ASCII counts as one.
bool is_word(char c) {
  return is_letter(c) || is_digit(c) || c == '_' || static_cast<unsigned char>(c) >= 0x80;
}

bool starts_with_ignoring_case(std::string_view text, std::string_view lower) {
  if (text.size() < lower.size()) return false;
  return std::equal(lower.begin(), lower.end(), text.begin(), [](char a, char b) {
    return a == (b >= 'A' && b <= 'Z' ? static_cast<char>(b - 'A' + 'a') : b);
  });
}

// Length of the URL that `text` begins with, or 0. Punctuation at its end belongs to the sentence.
size_t url_length(std::string_view text) {
  size_t scheme = 0;
  for (const std::string_view prefix : {"http://", "https://", "ftp://", "www."}) {
    if (starts_with_ignoring_case(text, prefix)) scheme = prefix.size();
  }
  if (scheme == 0) return 0;
  size_t end = scheme;
  while (end < text.size() && static_cast<unsigned char>(text[end]) > 0x20 &&
         std::string_view("<>\"").find(text[end]) == std::string_view::npos) {
    // A no-break or ideographic space ends a URL as any other does.
    size_t after = end;
    if (static_cast<unsigned char>(text[end]) < 0x80) {
      ++after;
    } else if (is_unicode_space(next_code_point(text, &after))) {
      break;
    }
    end = after;
  }
  while (end > scheme &&
         std::string_view(".,;:!?)]}'*").find(text[end - 1]) != std::string_view::npos) {
    --end;
  }
  return end > scheme ? end : 0;
}

void clean_urls(std::string_view text, std::string* out) {
  for (size_t at = 0; at < text.size();) {
    const bool at_word = at == 0 || !is_word(text[at - 1]);
    const size_t length = at_word ? url_length(text.substr(at)) : 0;
    if (length == 0) out->push_back(text[at]);
    at += std::max<size_t>(length, 1);
  }
}

// '@' or '#' where it begins a word, so that mail@example.org and C# stay.
bool begins_tag(std::string_view text, size_t at, char sign) {
  return text[at] == sign && (at == 0 || (!is_word(text[at - 1]) && text[at - 1] != sign &&
                                          text[at - 1] != '.' && text[at - 1] != '&'));
}

void clean_mentions(std::string_view text, std::string* out) {
  for (size_t at = 0; at < text.size();) {
    size_t end = at + 1;
    if (begins_tag(text, at, '@')) {
      while (end < text.size() &&
             (is_letter(text[end]) || is_digit(text[end]) || text[end] == '_')) {
        ++end;
      }
    }
    if (end == at + 1) out->push_back(text[at]);
    at = end;
  }
}

// "#word" becomes "word"; "#1" is a rank, not a hashtag.
void clean_hashtags(std::string_view text, std::string* out) {
  for (size_t at = 0; at < text.size(); ++at) {
    if (begins_tag(text, at, '#')) {
      const size_t word = std::min(text.find_first_not_of("0123456789", at + 1), text.size());
      if (word < text.size() && is_word(text[word])) continue;
    }
    out->push_back(text[at]);
  }
}

void clean_control(std::string_view text, std::string* out) {
  for (size_t at = 0; at < text.size();) {
    const size_t begin = at;
    const char32_t c = next_code_point(text, &at);
    const bool line = c == '\t' || c == '\n' || c == '\r';
    if ((c < 0x20 && !line) || (c >= 0x7F && c <= 0x9F)) continue;
    out->append(text.substr(begin, at - begin));
  }
}

void clean_whitespace(std::string_view text, std::string* out) {
  bool pending = false;
  for (size_t at = 0; at < text.size();) {
    const size_t begin = at;
    if (is_unicode_space(next_code_point(text, &at))) {
      pending = true;
      continue;
    }
    if (pending && !out->empty()) out->push_back(' ');
    pending = false;
    out->append(text.substr(begin, at - begin));
  }
}

// More than three of a character become three. Digits stay: 10000 is not 1000.
void clean_repeats(std::string_view text, std::string* out) {
  char32_t last = 0;
  size_t count = 0;
  for (size_t at = 0; at < text.size();) {
    const size_t begin = at;
    const char32_t c = next_code_point(text, &at);
    count = c == last ? count + 1 : 1;
    last = c;
    const bool keeps = c <= 0x20 || (c >= '0' && c <= '9');
    if (count <= 3 || keeps) out->append(text.substr(begin, at - begin));
  }
}

// The byte that cp1252 has for a code point; -1: none. The five bytes that it leaves undefined
// stand for themselves, as browsers read them.
int cp1252_byte(char32_t c) {
  constexpr char32_t kHigh[32] = {0x20AC, 0x81,   0x201A, 0x0192, 0x201E, 0x2026, 0x2020, 0x2021,
                                  0x02C6, 0x2030, 0x0160, 0x2039, 0x0152, 0x8D,   0x017D, 0x8F,
                                  0x90,   0x2018, 0x2019, 0x201C, 0x201D, 0x2022, 0x2013, 0x2014,
                                  0x02DC, 0x2122, 0x0161, 0x203A, 0x0153, 0x9D,   0x017E, 0x0178};
  if (c < 0x80 || (c >= 0xA0 && c <= 0xFF)) return static_cast<int>(c);
  const auto* found = std::find(std::begin(kHigh), std::end(kHigh), c);
  return found == std::end(kHigh) ? -1 : static_cast<int>(0x80 + (found - kHigh));
}

// UTF-8 that was read as cp1252, as a whole: read it back. Anything else stays.
void clean_mojibake(std::string_view text, std::string* out) {
  for (size_t at = 0; at < text.size();) {
    const int byte = cp1252_byte(next_code_point(text, &at));
    if (byte < 0) {
      out->assign(text);
      return;
    }
    out->push_back(static_cast<char>(byte));
  }
  if (valid_utf8_prefix(*out) != out->size()) out->assign(text);
}

}  // namespace

void apply_clean_step(CleanStep step, std::string_view text, std::string* out) {
  out->clear();
  switch (step) {
    case CleanStep::kHtml:
      return clean_html(text, out);
    case CleanStep::kUrls:
      return clean_urls(text, out);
    case CleanStep::kMentions:
      return clean_mentions(text, out);
    case CleanStep::kHashtags:
      return clean_hashtags(text, out);
    case CleanStep::kControl:
      return clean_control(text, out);
    case CleanStep::kWhitespace:
      return clean_whitespace(text, out);
    case CleanStep::kRepeats:
      return clean_repeats(text, out);
    case CleanStep::kNfc:
      return to_nfc(text, out);
    case CleanStep::kMojibake:
      return clean_mojibake(text, out);
  }
}

std::string_view Cleaner::clean(std::string_view text, std::array<uint64_t, kCleanSteps>* counts) {
  for (const CleanStep step : steps_) {
    apply_clean_step(step, text, &next_);
    if (next_ == text) continue;
    ++(*counts)[static_cast<size_t>(step)];
    current_.swap(next_);
    text = current_;
  }
  return text;
}

}  // namespace millrace::handler
