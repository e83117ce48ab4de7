// Counts words, not letters, so that one long foreign name in a short review does not decide.
#include "handler/language.h"

#include <algorithm>
#include <array>
#include <optional>

#include "handler/utf8.h"

namespace millrace::handler {

namespace {

enum Script : uint32_t {
  kLatin = 1U << 0,
  kGreek = 1U << 1,
  kCyrillic = 1U << 2,
  kArmenian = 1U << 3,
  kHebrew = 1U << 4,
  kArabic = 1U << 5,
  kDevanagari = 1U << 6,
  kBengali = 1U << 7,
  kGurmukhi = 1U << 8,
  kGujarati = 1U << 9,
  kOriya = 1U << 10,
  kTamil = 1U << 11,
  kTelugu = 1U << 12,
  kKannada = 1U << 13,
  kMalayalam = 1U << 14,
  kSinhala = 1U << 15,
  kThai = 1U << 16,
  kLao = 1U << 17,
  kMyanmar = 1U << 18,
  kGeorgian = 1U << 19,
  kHangul = 1U << 20,
  kEthiopic = 1U << 21,
  kKhmer = 1U << 22,
  kKana = 1U << 23,
  kHan = 1U << 24,
  kTibetan = 1U << 25,
};

// Scripts that write words without spaces: two characters count as a word.
constexpr uint32_t kUnspaced = kHan | kKana | kThai | kLao | kKhmer | kMyanmar | kTibetan;

struct ScriptRange {
  char32_t first;
  char32_t last;
  uint32_t script;
};

// Letters and vowel signs; in order. What is in none of them (digits, punctuation, emoji, letters
// made for mathematics) is no letter here.
constexpr auto kRanges = std::to_array<ScriptRange>({
    {'A', 'Z', kLatin},          {'a', 'z', kLatin},          {0xC0, 0xD6, kLatin},
    {0xD8, 0xF6, kLatin},        {0xF8, 0x24F, kLatin},       {0x300, 0x36F, 0},
    {0x370, 0x3FF, kGreek},      {0x400, 0x52F, kCyrillic},   {0x531, 0x587, kArmenian},
    {0x5D0, 0x5EA, kHebrew},     {0x620, 0x64A, kArabic},     {0x66E, 0x6D3, kArabic},
    {0x6FA, 0x6FF, kArabic},     {0x750, 0x77F, kArabic},     {0x900, 0x963, kDevanagari},
    {0x980, 0x9E3, kBengali},    {0xA00, 0xA5F, kGurmukhi},   {0xA80, 0xAE3, kGujarati},
    {0xB00, 0xB63, kOriya},      {0xB80, 0xBD7, kTamil},      {0xC00, 0xC63, kTelugu},
    {0xC80, 0xCE3, kKannada},    {0xD00, 0xD63, kMalayalam},  {0xD80, 0xDDF, kSinhala},
    {0xE01, 0xE4E, kThai},       {0xE80, 0xECD, kLao},        {0xF40, 0xFBC, kTibetan},
    {0x1000, 0x103F, kMyanmar},  {0x10A0, 0x10FF, kGeorgian}, {0x1100, 0x11FF, kHangul},
    {0x1200, 0x139F, kEthiopic}, {0x1780, 0x17D3, kKhmer},    {0x1E00, 0x1EFF, kLatin},
    {0x1F00, 0x1FFF, kGreek},    {0x2C60, 0x2C7F, kLatin},    {0x2D80, 0x2DDE, kEthiopic},
    {0x3041, 0x3096, kKana},     {0x30A1, 0x30FA, kKana},     {0x3131, 0x318E, kHangul},
    {0x3400, 0x4DBF, kHan},      {0x4E00, 0x9FFF, kHan},      {0xA640, 0xA69F, kCyrillic},
    {0xA720, 0xA7FF, kLatin},    {0xAB00, 0xAB2F, kEthiopic}, {0xAC00, 0xD7A3, kHangul},
    {0xF900, 0xFAFF, kHan},      {0xFB50, 0xFDFF, kArabic},   {0xFE70, 0xFEFC, kArabic},
    {0xFF21, 0xFF3A, kLatin},    {0xFF41, 0xFF5A, kLatin},    {0xFF66, 0xFF9D, kKana},
    {0x20000, 0x323AF, kHan},
});

constexpr uint32_t kMark = UINT32_MAX;  // a combining accent: belongs to the letter before it

uint32_t script_of(char32_t c) {
  const auto found = std::partition_point(kRanges.begin(), kRanges.end(),
                                          [&](const ScriptRange& r) { return r.last < c; });
  if (found == kRanges.end() || found->first > c) return 0;
  return found->script == 0 ? kMark : found->script;
}

// O and U with horn, every letter of the block that Unicode made for Vietnamese, and its marks
// (horn, hook above, dot below) where they stand alone.
bool is_vietnamese(char32_t c) {
  return c == 0x1A0 || c == 0x1A1 || c == 0x1AF || c == 0x1B0 || (c >= 0x1EA0 && c <= 0x1EF9) ||
         c == 0x309 || c == 0x31B || c == 0x323;
}

struct LanguageScripts {
  std::string_view code;
  uint32_t scripts;
};

// ISO 639-1, and the English name where cards often have it. Sorted.
constexpr auto kLanguages = std::to_array<LanguageScripts>({
    {"af", kLatin},
    {"am", kEthiopic},
    {"ar", kArabic},
    {"as", kBengali},
    {"az", kLatin},
    {"be", kCyrillic},
    {"bg", kCyrillic},
    {"bn", kBengali},
    {"bs", kLatin},
    {"ca", kLatin},
    {"cs", kLatin},
    {"cy", kLatin},
    {"da", kLatin},
    {"de", kLatin},
    {"el", kGreek},
    {"en", kLatin},
    {"eng", kLatin},
    {"english", kLatin},
    {"eo", kLatin},
    {"es", kLatin},
    {"et", kLatin},
    {"eu", kLatin},
    {"fa", kArabic},
    {"fi", kLatin},
    {"fil", kLatin},
    {"fr", kLatin},
    {"ga", kLatin},
    {"gl", kLatin},
    {"gu", kGujarati},
    {"ha", kLatin},
    {"he", kHebrew},
    {"hi", kDevanagari},
    {"hr", kLatin},
    {"hu", kLatin},
    {"hy", kArmenian},
    {"id", kLatin},
    {"ig", kLatin},
    {"is", kLatin},
    {"it", kLatin},
    {"ja", kHan | kKana},
    {"ka", kGeorgian},
    {"kk", kCyrillic},
    {"km", kKhmer},
    {"kn", kKannada},
    {"ko", kHangul | kHan},
    {"lo", kLao},
    {"lt", kLatin},
    {"lv", kLatin},
    {"mk", kCyrillic},
    {"ml", kMalayalam},
    {"mr", kDevanagari},
    {"ms", kLatin},
    {"my", kMyanmar},
    {"nb", kLatin},
    {"ne", kDevanagari},
    {"nl", kLatin},
    {"no", kLatin},
    {"or", kOriya},
    {"pa", kGurmukhi},
    {"pl", kLatin},
    {"pt", kLatin},
    {"ro", kLatin},
    {"ru", kCyrillic},
    {"si", kSinhala},
    {"sk", kLatin},
    {"sl", kLatin},
    {"so", kLatin},
    {"sq", kLatin},
    {"sr", kCyrillic | kLatin},
    {"sv", kLatin},
    {"sw", kLatin},
    {"ta", kTamil},
    {"te", kTelugu},
    {"th", kThai},
    {"ti", kEthiopic},
    {"tl", kLatin},
    {"tr", kLatin},
    {"uk", kCyrillic},
    {"ur", kArabic},
    {"uz", kLatin | kCyrillic},
    {"vi", kLatin},
    {"yo", kLatin},
    {"zh", kHan},
    {"zu", kLatin},
});

constexpr bool in_order() {
  for (size_t i = 1; i < kLanguages.size(); ++i) {
    if (!(kLanguages[i - 1].code < kLanguages[i].code)) return false;
  }
  for (size_t i = 1; i < kRanges.size(); ++i) {
    if (kRanges[i - 1].last >= kRanges[i].first) return false;
  }
  return true;
}
static_assert(in_order());

std::string base_code(std::string_view language) {
  std::string code(language.substr(0, language.find_first_of("-_")));
  for (char& c : code) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return code;
}

std::optional<uint32_t> scripts_of(std::string_view code) {
  const auto found =
      std::partition_point(kLanguages.begin(), kLanguages.end(),
                           [&](const LanguageScripts& entry) { return entry.code < code; });
  if (found == kLanguages.end() || found->code != code) return std::nullopt;
  return found->scripts;
}

// Words so far, and how many of them speak against the model.
struct WordCount {
  size_t words = 0;
  size_t outside = 0;
  size_t vietnamese = 0;

  void add(uint32_t script, size_t letters, bool inside, bool has_vietnamese) {
    if (letters == 0) return;
    // One letter of another script alone is a face (katakana TU) more often than a word.
    const bool unspaced = (script & kUnspaced) != 0;
    if (!inside && letters == 1 && script != kHan) return;
    const size_t count = unspaced ? (letters + 1) / 2 : 1;
    words += count;
    if (!inside) outside += count;
    if (has_vietnamese) ++vietnamese;
  }
};

bool is_ascii(std::string_view text) {
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return static_cast<unsigned char>(c) < 0x80; });
}

}  // namespace

LanguageNotice::LanguageNotice(const std::vector<std::string>& languages) {
  for (const std::string& language : languages) {
    const std::string code = base_code(language);
    const std::optional<uint32_t> scripts = scripts_of(code);
    if (!scripts) return;
    scripts_ |= *scripts;
    vietnamese_ = vietnamese_ || code == "vi";
  }
  watching_ = !languages.empty();
}

bool LanguageNotice::looks_outside(std::string_view text) const {
  if (!watching_) return false;
  if ((scripts_ & kLatin) != 0 && is_ascii(text)) return false;
  WordCount count;
  uint32_t script = 0;
  size_t letters = 0;
  bool vietnamese = false;
  const auto end_word = [&] {
    count.add(script, letters, (script & scripts_) != 0, vietnamese);
    letters = 0;
    vietnamese = false;
  };
  for (size_t at = 0; at < text.size();) {
    const char32_t c = next_code_point(text, &at);
    const uint32_t of_c = script_of(c);
    if (of_c == kMark) {
      vietnamese = vietnamese || (letters > 0 && is_vietnamese(c));
      continue;
    }
    if (of_c != script || of_c == 0) end_word();
    script = of_c;
    if (of_c == 0) continue;
    ++letters;
    vietnamese = vietnamese || is_vietnamese(c);
  }
  end_word();
  if (count.outside * 2 > count.words) return true;
  if (vietnamese_ || (scripts_ & kLatin) == 0) return false;
  // Of 4,222 Vietnamese bank reviews that have such a letter in some word, the median has one in 40
  // % of its words; English with a few Vietnamese names stays below both bounds.
  const size_t seen = count.vietnamese;
  return (seen >= 3 && seen * 4 >= count.words) ||
         (seen * 5 >= count.words * 2 && (seen >= 2 || (seen == 1 && count.words == 1)));
}

}  // namespace millrace::handler
