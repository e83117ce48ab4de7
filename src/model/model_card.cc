// Front matter as the Hugging Face hub writes it: YAML between two lines of three dashes, of which
// one top-level key is read.
#include "model/model_card.h"

#include <cstddef>

namespace millrace::model {
namespace {

constexpr std::string_view kBlank = " \t\r";

std::string_view trim(std::string_view text) {
  const size_t first = text.find_first_not_of(kBlank);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kBlank) - first + 1);
}

// Takes the first line off `text`.
std::string_view take_line(std::string_view& text) {
  const size_t end = text.find('\n');
  const std::string_view line = text.substr(0, end);
  text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  return line;
}

// Without a comment, blanks and quotes.
std::string_view scalar(std::string_view text) {
  const size_t comment = text.find(" #");
  text = trim(text.substr(0, comment));
  if (text.size() >= 2 && (text.front() == '"' || text.front() == '\'') &&
      text.back() == text.front()) {
    text = text.substr(1, text.size() - 2);
  }
  return text;
}

void add_scalar(std::string_view text, std::vector<std::string>& values) {
  const std::string_view value = scalar(text);
  if (!value.empty() && value != "null" && value != "~") values.emplace_back(value);
}

// "en", "[en, vi]": what stands behind the key on its own line.
void add_inline(std::string_view text, std::vector<std::string>& values) {
  text = trim(text.substr(0, text.find(" #")));
  if (!text.starts_with('[')) return add_scalar(text, values);
  text.remove_prefix(1);
  if (text.ends_with(']')) text.remove_suffix(1);
  while (!text.empty()) {
    const size_t comma = text.find(',');
    add_scalar(text.substr(0, comma), values);
    text.remove_prefix(comma == std::string_view::npos ? text.size() : comma + 1);
  }
}

}  // namespace

std::vector<std::string> card_languages(std::string_view card) {
  constexpr std::string_view kKey = "language:";
  if (card.starts_with("\xEF\xBB\xBF")) card.remove_prefix(3);  // a byte order mark
  std::vector<std::string> languages;
  if (trim(take_line(card)) != "---") return languages;
  bool in_list = false;
  while (!card.empty()) {
    const std::string_view line = take_line(card);
    const std::string_view text = trim(line);
    if (text == "---") return languages;
    if (in_list && (text.starts_with("- ") || text == "-")) {
      add_scalar(text.substr(1), languages);
    } else if (line.starts_with(kKey)) {
      add_inline(line.substr(kKey.size()), languages);
      in_list = languages.empty();
    } else if (!text.empty() && !text.starts_with('#')) {
      in_list = false;
    }
  }
  return {};  // the front matter never ends: it is none
}

}  // namespace millrace::model
