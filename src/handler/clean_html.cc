// The cleaning step html: what scraped reviews carry, not a browser. A '<' is a tag only before a
// letter, '/' or '!', and only where its '>' follows, so that "I <3 this" and "a < b" stay.
#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include "handler/clean.h"
#include "handler/utf8.h"

namespace millrace::handler {

namespace {

using Entity = std::pair<std::string_view, char32_t>;

// Sorted by name. The Latin-1 letters and the signs that word processors and shops produce.
constexpr auto kEntities = std::to_array<Entity>({
    {"AElig", 0xC6},    {"Aacute", 0xC1},   {"Acirc", 0xC2},    {"Agrave", 0xC0},
    {"Aring", 0xC5},    {"Atilde", 0xC3},   {"Auml", 0xC4},     {"Ccedil", 0xC7},
    {"ETH", 0xD0},      {"Eacute", 0xC9},   {"Ecirc", 0xCA},    {"Egrave", 0xC8},
    {"Euml", 0xCB},     {"Iacute", 0xCD},   {"Icirc", 0xCE},    {"Igrave", 0xCC},
    {"Iuml", 0xCF},     {"Ntilde", 0xD1},   {"OElig", 0x152},   {"Oacute", 0xD3},
    {"Ocirc", 0xD4},    {"Ograve", 0xD2},   {"Oslash", 0xD8},   {"Otilde", 0xD5},
    {"Ouml", 0xD6},     {"Scaron", 0x160},  {"THORN", 0xDE},    {"Uacute", 0xDA},
    {"Ucirc", 0xDB},    {"Ugrave", 0xD9},   {"Uuml", 0xDC},     {"Yacute", 0xDD},
    {"aacute", 0xE1},   {"acirc", 0xE2},    {"acute", 0xB4},    {"aelig", 0xE6},
    {"agrave", 0xE0},   {"amp", '&'},       {"apos", '\''},     {"aring", 0xE5},
    {"atilde", 0xE3},   {"auml", 0xE4},     {"bdquo", 0x201E},  {"brvbar", 0xA6},
    {"bull", 0x2022},   {"ccedil", 0xE7},   {"cedil", 0xB8},    {"cent", 0xA2},
    {"circ", 0x2C6},    {"clubs", 0x2663},  {"copy", 0xA9},     {"curren", 0xA4},
    {"dagger", 0x2020}, {"deg", 0xB0},      {"diams", 0x2666},  {"divide", 0xF7},
    {"eacute", 0xE9},   {"ecirc", 0xEA},    {"egrave", 0xE8},   {"emsp", 0x2003},
    {"ensp", 0x2002},   {"eth", 0xF0},      {"euml", 0xEB},     {"euro", 0x20AC},
    {"frac12", 0xBD},   {"frac14", 0xBC},   {"frac34", 0xBE},   {"gt", '>'},
    {"hearts", 0x2665}, {"hellip", 0x2026}, {"iacute", 0xED},   {"icirc", 0xEE},
    {"iexcl", 0xA1},    {"igrave", 0xEC},   {"iquest", 0xBF},   {"iuml", 0xEF},
    {"laquo", 0xAB},    {"larr", 0x2190},   {"ldquo", 0x201C},  {"lsaquo", 0x2039},
    {"lsquo", 0x2018},  {"lt", '<'},        {"macr", 0xAF},     {"mdash", 0x2014},
    {"micro", 0xB5},    {"middot", 0xB7},   {"nbsp", 0xA0},     {"ndash", 0x2013},
    {"not", 0xAC},      {"ntilde", 0xF1},   {"oacute", 0xF3},   {"ocirc", 0xF4},
    {"oelig", 0x153},   {"ograve", 0xF2},   {"ordf", 0xAA},     {"ordm", 0xBA},
    {"oslash", 0xF8},   {"otilde", 0xF5},   {"ouml", 0xF6},     {"para", 0xB6},
    {"permil", 0x2030}, {"plusmn", 0xB1},   {"pound", 0xA3},    {"quot", '"'},
    {"raquo", 0xBB},    {"rarr", 0x2192},   {"rdquo", 0x201D},  {"reg", 0xAE},
    {"rsaquo", 0x203A}, {"rsquo", 0x2019},  {"sbquo", 0x201A},  {"scaron", 0x161},
    {"sect", 0xA7},     {"shy", 0xAD},      {"spades", 0x2660}, {"sup1", 0xB9},
    {"sup2", 0xB2},     {"sup3", 0xB3},     {"szlig", 0xDF},    {"thinsp", 0x2009},
    {"thorn", 0xFE},    {"tilde", 0x2DC},   {"times", 0xD7},    {"trade", 0x2122},
    {"uacute", 0xFA},   {"ucirc", 0xFB},    {"ugrave", 0xF9},   {"uml", 0xA8},
    {"uuml", 0xFC},     {"yacute", 0xFD},   {"yen", 0xA5},      {"yuml", 0xFF},
    {"zwj", 0x200D},    {"zwnj", 0x200C},
});
static_assert(std::is_sorted(kEntities.begin(), kEntities.end()));
constexpr size_t kEntityNameMax = 8;

// Tags that part what stands before from what stands behind.
constexpr auto kBlocks = std::to_array<std::string_view>(
    {"address", "article", "blockquote", "br",      "dd",    "div",   "dl",    "dt",
     "figure",  "footer",  "h1",         "h2",      "h3",    "h4",    "h5",    "h6",
     "head",    "header",  "hr",         "img",     "li",    "main",  "nav",   "ol",
     "p",       "pre",     "script",     "section", "style", "table", "tbody", "td",
     "tfoot",   "th",      "thead",      "title",   "tr",    "ul"});

bool is_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}
bool is_name(char c) {
  return is_letter(c) || (c >= '0' && c <= '9');
}

std::string lower_name(std::string_view tag) {
  std::string name;
  for (const char c : tag) {
    if (!is_name(c)) break;
    name.push_back(c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c);
  }
  return name;
}

// Behind the element's end tag, or text.size() where it has none.
size_t skip_element(std::string_view text, size_t from, const std::string& name) {
  for (size_t at = text.find("</", from); at != text.npos; at = text.find("</", at + 2)) {
    if (lower_name(text.substr(at + 2)) != name) continue;
    const size_t end = text.find('>', at);
    return end == text.npos ? text.size() : end + 1;
  }
  return text.size();
}

// Where the tag that begins at `at` ends; nullopt: it is no tag. Quoted attributes may hold '>'.
std::optional<size_t> tag_end(std::string_view text, size_t at) {
  if (at + 1 >= text.size()) return std::nullopt;
  const char next = text[at + 1];
  if (!is_letter(next) && next != '/' && next != '!') return std::nullopt;
  char quote = 0;
  for (size_t i = at + 1; i < text.size(); ++i) {
    const char c = text[i];
    if (quote != 0) {
      if (c == quote) quote = 0;
    } else if ((c == '"' || c == '\'') && text[i - 1] == '=') {
      quote = c;
    } else if (c == '>') {
      return i + 1;
    } else if (c == '<') {
      return std::nullopt;  // a new tag begins: this was none
    }
  }
  return std::nullopt;
}

void strip_tags(std::string_view text, std::string* out) {
  bool comments = true;
  for (size_t at = 0; at < text.size();) {
    if (comments && text.substr(at).starts_with("<!--")) {
      const size_t close = text.find("-->", at + 4);
      comments = close != text.npos;  // not closed: nor is any later one, and nobody need look
      if (comments) at = close + 3;
      if (comments) continue;
    }
    const std::optional<size_t> end = text[at] == '<' ? tag_end(text, at) : std::nullopt;
    if (!end) {
      out->push_back(text[at++]);
      continue;
    }
    const bool closes = text[at + 1] == '/';
    const std::string name = lower_name(text.substr(at + (closes ? 2 : 1)));
    const bool block = std::find(kBlocks.begin(), kBlocks.end(), name) != kBlocks.end();
    if (block) out->push_back(' ');
    at = !closes && (name == "script" || name == "style") ? skip_element(text, *end, name) : *end;
  }
}

// What a browser shows for &#N;: windows-1252 for 128 to 159, U+FFFD for what is no character.
void append_numeric(char32_t c, std::string* out) {
  constexpr char32_t kHigh[32] = {0x20AC, 0x81,   0x201A, 0x0192, 0x201E, 0x2026, 0x2020, 0x2021,
                                  0x02C6, 0x2030, 0x0160, 0x2039, 0x0152, 0x8D,   0x017D, 0x8F,
                                  0x90,   0x2018, 0x2019, 0x201C, 0x201D, 0x2022, 0x2013, 0x2014,
                                  0x02DC, 0x2122, 0x0161, 0x203A, 0x0153, 0x9D,   0x017E, 0x0178};
  const bool surrogate = c >= 0xD800 && c <= 0xDFFF;
  if (c == 0 || surrogate || c > 0x10FFFF) c = 0xFFFD;
  if (c >= 0x80 && c < 0xA0) c = kHigh[c - 0x80];
  append_utf8(c, out);
}

// Reads the entity at text[at] == '&' into *out; its length, or 0 where it is none.
size_t read_entity(std::string_view text, std::string* out) {
  constexpr size_t kDigitsMax = 10;  // leading zeros included
  if (text.size() > 2 && text[1] == '#') {
    const bool hex = text[2] == 'x' || text[2] == 'X';
    const size_t begin = hex ? 3 : 2;
    char32_t value = 0;
    size_t i = begin;
    for (; i < text.size() && i < begin + kDigitsMax; ++i) {
      const char c = text[i];
      const bool letter = hex && ((c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'));
      if (!letter && (c < '0' || c > '9')) break;
      const auto digit = static_cast<char32_t>(letter ? (c | 0x20) - 'a' + 10 : c - '0');
      value = std::min<char32_t>(value * (hex ? 16 : 10) + digit, 0x110000);
    }
    if (i == begin || i == text.size() || text[i] != ';') return 0;
    append_numeric(value, out);
    return i + 1;
  }
  size_t end = 1;
  while (end < text.size() && end <= kEntityNameMax && is_name(text[end])) ++end;
  if (end == text.size() || text[end] != ';') return 0;
  const std::string_view name = text.substr(1, end - 1);
  const auto found =
      std::lower_bound(kEntities.begin(), kEntities.end(), name,
                       [](const Entity& e, std::string_view n) { return e.first < n; });
  if (found == kEntities.end() || found->first != name) return 0;
  append_utf8(found->second, out);
  return end + 1;
}

}  // namespace

void clean_html(std::string_view text, std::string* out) {
  std::string untagged;
  strip_tags(text, &untagged);
  // Entities come last, so that "&lt;b&gt;" shows a tag instead of being one.
  const std::string_view rest = untagged;
  for (size_t at = 0; at < rest.size();) {
    const size_t length = rest[at] == '&' ? read_entity(rest.substr(at), out) : 0;
    if (length == 0) out->push_back(rest[at]);
    at += std::max<size_t>(length, 1);
  }
}

}  // namespace millrace::handler
