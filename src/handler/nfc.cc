// Decompose, order the marks, compose (Unicode Standard Annex 15). Text below U+0300, which is most
// text, is NFC as it stands.
#include "handler/nfc.h"

#include <algorithm>
#include <span>
#include <vector>

#include "handler/nfc_tables.h"
#include "handler/utf8.h"

namespace millrace::handler {

namespace {

// Hangul syllables follow from arithmetic.
constexpr char32_t kSyllables = 0xAC00;
constexpr char32_t kLeads = 0x1100;
constexpr char32_t kVowels = 0x1161;
constexpr char32_t kTails = 0x11A7;  // one before the first tail
constexpr char32_t kLeadCount = 19;
constexpr char32_t kVowelCount = 21;
constexpr char32_t kTailCount = 28;
constexpr char32_t kSyllableCount = kLeadCount * kVowelCount * kTailCount;

constexpr char32_t kFirstMark = 0x300;

struct Unit {
  char32_t c;
  uint8_t combining_class;
};

uint8_t combining_class(char32_t c) {
  if (c < kFirstMark) return 0;
  const std::span ranges(nfc::kClassRanges, nfc::kClassRangesSize);
  const auto found = std::partition_point(ranges.begin(), ranges.end(),
                                          [&](const nfc::ClassRange& r) { return r.last < c; });
  return found != ranges.end() && found->first <= c ? found->combining_class : uint8_t{0};
}

void decompose(char32_t c, std::vector<Unit>* out) {
  if (c - kSyllables < kSyllableCount && c >= kSyllables) {
    const char32_t index = c - kSyllables;
    out->push_back({kLeads + index / (kVowelCount * kTailCount), 0});
    out->push_back({kVowels + index % (kVowelCount * kTailCount) / kTailCount, 0});
    if (index % kTailCount != 0) out->push_back({kTails + index % kTailCount, 0});
    return;
  }
  const std::span table(nfc::kDecompositions, nfc::kDecompositionsSize);
  const auto found = std::partition_point(table.begin(), table.end(),
                                          [&](const auto& entry) { return entry.composed < c; });
  if (c < 0xC0 || found == table.end() || found->composed != c) {
    out->push_back({c, combining_class(c)});
    return;
  }
  decompose(found->first, out);  // at most four deep in Unicode's data
  if (found->second != 0) decompose(found->second, out);
}

// Entries that compose, by (first, second).
const std::vector<nfc::Decomposition>& compositions() {
  static const std::vector<nfc::Decomposition> sorted = [] {
    std::vector<nfc::Decomposition> entries;
    for (size_t i = 0; i < nfc::kDecompositionsSize; ++i) {
      if (nfc::kDecompositions[i].one_way == 0) entries.push_back(nfc::kDecompositions[i]);
    }
    std::sort(entries.begin(), entries.end(), [](const auto& a, const auto& b) {
      return std::pair(a.first, a.second) < std::pair(b.first, b.second);
    });
    return entries;
  }();
  return sorted;
}

// 0: the two do not compose.
char32_t compose(char32_t first, char32_t second) {
  if (first - kLeads < kLeadCount && second - kVowels < kVowelCount) {
    return kSyllables + ((first - kLeads) * kVowelCount + (second - kVowels)) * kTailCount;
  }
  if (first - kSyllables < kSyllableCount && (first - kSyllables) % kTailCount == 0 &&
      second > kTails && second - kTails < kTailCount) {
    return first + (second - kTails);
  }
  const auto& table = compositions();
  const auto found = std::partition_point(table.begin(), table.end(), [&](const auto& entry) {
    return std::pair<char32_t, char32_t>(entry.first, entry.second) < std::pair(first, second);
  });
  const bool hit = found != table.end() && found->first == first && found->second == second;
  return hit ? found->composed : 0;
}

// Marks between two starters stand in order of their classes.
void order_marks(std::vector<Unit>* units) {
  for (auto begin = units->begin(); begin != units->end();) {
    if (begin->combining_class == 0) {
      ++begin;
      continue;
    }
    const auto end = std::find_if(begin, units->end(),
                                  [](const Unit& unit) { return unit.combining_class == 0; });
    std::stable_sort(begin, end, [](const Unit& a, const Unit& b) {
      return a.combining_class < b.combining_class;
    });
    begin = end;
  }
}

// Each unit joins the last starter unless a mark of its own or a higher class stands between.
void compose_units(std::vector<Unit>* units) {
  size_t size = 0;
  size_t starter = units->size();  // none yet
  for (const Unit unit : *units) {
    const bool free = starter < size && (size - 1 == starter ||
                                         (*units)[size - 1].combining_class < unit.combining_class);
    const char32_t composed = free ? compose((*units)[starter].c, unit.c) : 0;
    if (composed != 0) {
      (*units)[starter].c = composed;
      continue;
    }
    if (unit.combining_class == 0) starter = size;
    (*units)[size++] = unit;
  }
  units->resize(size);
}

}  // namespace

void to_nfc(std::string_view text, std::string* out) {
  out->clear();
  std::vector<Unit> units;
  bool plain = true;
  for (size_t at = 0; at < text.size();) {
    const char32_t c = next_code_point(text, &at);
    plain = plain && c < kFirstMark;
    if (!plain) break;
  }
  if (plain) {
    out->assign(text);
    return;
  }
  for (size_t at = 0; at < text.size();) decompose(next_code_point(text, &at), &units);
  order_marks(&units);
  compose_units(&units);
  for (const Unit& unit : units) append_utf8(unit.c, out);
}

}  // namespace millrace::handler
