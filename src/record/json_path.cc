// One parser by recursive descent without recursion: paths do not nest. SageMaker's subset is the
// same grammar with less in it, and with an end of slices that is included.
#include "record/json_path.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/json_check.h"
#include "base/utf8.h"

namespace millrace::record {
namespace {

using Kind = JsonPathSelector::Kind;

// RFC 9535: integers that a double holds exactly.
constexpr int64_t kIntegerMax = (int64_t{1} << 53) - 1;

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
bool is_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}
bool is_blank(char c) {
  return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}
bool is_beyond_ascii(char c) {
  return static_cast<unsigned char>(c) >= 0x80;
}

class Parser {
 public:
  Parser(std::string_view text, JsonPathMode mode)
      : text_(text), sagemaker_(mode == JsonPathMode::kSageMaker) {
    path_.text = text;
    path_.mode = mode;
  }

  Result<JsonPath> parse() {
    if (!is_utf8(text_)) return fail(fault("the path is not valid UTF-8"));
    if (!take('$')) return fail(fault("a path begins with '$'"));
    while (at_ < text_.size()) MR_TRY(segment());
    return std::move(path_);
  }

 private:
  Status segment() {
    skip_blanks();
    if (at_ == text_.size()) return fail(fault("the path ends with a blank"));
    if (take('[')) return bracket();
    if (!take('.')) return fail(fault("expected '.' or '['"));
    if (sagemaker_ && take('[')) return bracket();  // "$.field.['a','b']" stands in its guide
    if (take('*')) {
      path_.segments.push_back({JsonPathSelector{}});
      return {};
    }
    return dot_name();
  }

  Status dot_name() {
    const size_t start = at_;
    while (at_ < text_.size() && is_name_character(text_[at_], at_ == start)) ++at_;
    if (at_ == start) return fail(fault(what_dot_needs()));
    add_name(std::string(text_.substr(start, at_ - start)));
    return {};
  }

  bool is_name_character(char c, bool first) const {
    if (sagemaker_) return is_letter(c) || is_digit(c) || (c == '-' && !first);
    return is_letter(c) || c == '_' || is_beyond_ascii(c) || (!first && is_digit(c));
  }

  std::string what_dot_needs() const {
    if (peek() == '.') return "descendants ('..') are not supported";
    return "expected a name or '*' after '.'";
  }

  void add_name(std::string name) {
    JsonPathSelector selector;
    selector.kind = Kind::kName;
    selector.name = std::move(name);
    path_.segments.push_back({std::move(selector)});
  }

  // After '['.
  Status bracket() {
    const size_t open = at_ - 1;
    JsonPathSegment segment;
    do {
      skip_blanks();
      JsonPathSelector next;
      MR_TRY(selector(open, &next));
      segment.push_back(std::move(next));
      skip_blanks();
    } while (take(','));
    if (peek() == ':' && sagemaker_) return fail(only_single_ranges(open));
    if (!take(']'))
      return fail(fault(at_ < text_.size() ? "expected ',' or ']'" : "']' is missing"));
    if (sagemaker_) MR_TRY(check_union(segment, open));
    path_.segments.push_back(std::move(segment));
    return {};
  }

  // SageMaker has lists of names, lists of indexes, or one range; a range beside something else is
  // what it finds out about only when the job runs.
  Status check_union(const JsonPathSegment& segment, size_t open) {
    if (segment.size() == 1) return {};
    for (const JsonPathSelector& selector : segment) {
      if (selector.kind == Kind::kSlice || selector.kind == Kind::kWildcard) {
        return fail(only_single_ranges(open));
      }
      if (selector.kind != segment.front().kind) {
        at_ = open;
        return fail(fault("names and indexes do not stand in one bracket"));
      }
    }
    return {};
  }

  Error only_single_ranges(size_t open) const {
    const size_t close = text_.find(']', open);
    const size_t count = close == std::string_view::npos ? close : close + 1 - open;
    return invalid_argument(
        fmt::format("Invalid JsonPath: {}: only single range filters of format (eg: [1:5]) are "
                    "supported. Format {} is not supported",
                    text_, text_.substr(open, count)));
  }

  Status selector(size_t open, JsonPathSelector* out) {
    const char c = peek();
    if (c == '\'' || (c == '"' && !sagemaker_)) {
      out->kind = Kind::kName;
      return quoted_name(&out->name);
    }
    if (take('*')) return {};
    if (c == '?') return fail(fault("filters ('?') are not supported"));
    if (is_digit(c) || c == '-' || c == ':') return index_or_slice(open, out);
    return fail(fault(at_ < text_.size() ? "expected a quoted name, an index, a range or '*'"
                                         : "']' is missing"));
  }

  Status index_or_slice(size_t open, JsonPathSelector* out) {
    if (peek() != ':') {
      MR_ASSIGN(out->index, integer());
      const size_t end = at_;
      skip_blanks();
      if (peek() != ':') {
        at_ = end;
        out->kind = Kind::kIndex;
        return {};
      }
      out->start = out->index;
    }
    out->kind = Kind::kSlice;
    out->end_included = sagemaker_;
    take(':');
    MR_TRY(slice_number(&out->end));
    if (peek() != ':') return {};
    if (sagemaker_) return fail(only_single_ranges(open));
    take(':');
    std::optional<int64_t> step;
    MR_TRY(slice_number(&step));
    out->step = step.value_or(1);
    return {};
  }

  // A number that may be absent, and the blanks around it.
  Status slice_number(std::optional<int64_t>* out) {
    skip_blanks();
    if (!is_digit(peek()) && peek() != '-') return {};
    MR_ASSIGN(*out, integer());
    const size_t end = at_;
    skip_blanks();
    if (peek() != ':') at_ = end;
    return {};
  }

  Result<int64_t> integer() {
    const size_t start = at_;
    const bool negative = take('-');
    const size_t digits = at_;
    int64_t value = 0;
    while (is_digit(peek())) {
      value = std::min(value * 10 + (text_[at_] - '0'), kIntegerMax + 1);
      ++at_;
    }
    const auto wrong = [&](std::string_view cause) {
      at_ = start;
      return fail(fault(cause));
    };
    if (at_ == digits) return wrong("expected digits after '-'");
    if (text_[digits] == '0' && (at_ > digits + 1 || negative)) {
      return wrong("a number has no leading zero, and zero no sign");
    }
    if (value > kIntegerMax) return wrong("the number is beyond 2^53 - 1");
    return negative ? -value : value;
  }

  Status quoted_name(std::string* out) {
    const char quote = text_[at_];
    const size_t open = at_++;
    for (;;) {
      if (at_ >= text_.size()) {
        at_ = open;
        return fail(fault("the quote is not closed"));
      }
      const char c = text_[at_];
      if (take(quote)) return {};
      if (static_cast<unsigned char>(c) < 0x20) {
        return fail(fault("a control character stands in a name only as an escape"));
      }
      if (sagemaker_ && c == '.') {
        return fail(fault("a path inside a bracket is not supported"));
      }
      if (c == '\\' && !sagemaker_) {
        MR_TRY(escape(quote, out));
        continue;
      }
      out->push_back(c);
      ++at_;
    }
  }

  // At a backslash. JSON's escapes, and that of the quote in use; JSON's own decoder writes them.
  Status escape(char quote, std::string* out) {
    const char next = at_ + 1 < text_.size() ? text_[at_ + 1] : '\0';
    if (next == quote) {
      out->push_back(quote);
      at_ += 2;
      return {};
    }
    size_t length = 2;
    if (next == 'u') {
      const int first = unicode_escape(at_);
      const int second = first >= 0xD800 && first < 0xDC00 ? unicode_escape(at_ + 6) : 0;
      const bool pair = second >= 0xDC00 && second < 0xE000;
      const bool lone = first >= 0xD800 && first < 0xE000 && !pair;
      if (first < 0 || lone) return fail(fault("not a \\u escape of a character"));
      length = pair ? 12 : 6;
    } else if (std::string_view("\\/bfnrt").find(next) == std::string_view::npos || next == '\0') {
      return fail(fault("there is no such escape"));
    }
    append_json_unescaped(text_.substr(at_, length), out);
    at_ += length;
    return {};
  }

  // The value of the \uXXXX that stands at `at`, or -1.
  int unicode_escape(size_t at) const {
    if (at + 6 > text_.size() || text_[at] != '\\' || text_[at + 1] != 'u') return -1;
    int value = 0;
    for (const char c : text_.substr(at + 2, 4)) {
      const char lower = is_letter(c) ? static_cast<char>(c | 0x20) : c;
      if (!is_digit(c) && (lower < 'a' || lower > 'f')) return -1;
      value = value * 16 + (is_digit(c) ? c - '0' : lower - 'a' + 10);
    }
    return value;
  }

  char peek() const { return at_ < text_.size() ? text_[at_] : '\0'; }

  bool take(char c) {
    if (at_ >= text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }

  void skip_blanks() {
    while (is_blank(peek())) ++at_;
  }

  Error fault(std::string_view cause) const {
    return invalid_argument(fmt::format("Invalid JsonPath: {}: at byte {}: {}", text_, at_, cause));
  }

  const std::string_view text_;
  const bool sagemaker_;
  size_t at_ = 0;
  JsonPath path_;
};

// Length of the character that starts with this byte.
size_t character_length(char lead) {
  const auto byte = static_cast<unsigned char>(lead);
  return byte >= 0xF0 ? 4 : byte >= 0xE0 ? 3 : byte >= 0xC0 ? 2 : 1;
}

size_t character_count(std::string_view text) {
  return static_cast<size_t>(std::count_if(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xC0) != 0x80;
  }));
}

}  // namespace

Result<JsonPath> parse_json_path(std::string_view text, JsonPathMode mode) {
  if (text.empty()) return JsonPath{.text = "$", .mode = mode, .segments = {}};
  return Parser(text, mode).parse();
}

Status check_sagemaker_path(std::string_view member, std::string_view text,
                            std::string_view content_type) {
  constexpr size_t kCharactersMax = 63;
  if (character_count(text) > kCharactersMax) {
    return fail(invalid_argument(fmt::format(
        "1 validation error detected: Value '{}' at 'dataProcessing.{}' failed to satisfy "
        "constraint: Member must have length less than or equal to {}",
        text, member == "InputFilter" ? "inputFilter" : "outputFilter", kCharactersMax)));
  }
  // The list for JSON Lines is SageMaker's. That CSV, whose records have no names, has neither
  // letters nor the quote is deduced.
  const bool csv = content_type.starts_with("text/csv");
  const std::string_view operators = csv ? "$[]*. ,:-" : "$[]*. ,:-'";
  for (size_t at = 0; at < text.size(); ++at) {
    const char c = text[at];
    if (is_digit(c) || (is_letter(c) && !csv)) continue;
    if (operators.find(c) != std::string_view::npos) continue;
    return fail(invalid_argument(fmt::format(
        "Invalid {}: \"{}\". Unexpected \"{}\" in JsonPath. Supported operators for \"{}\" are "
        "['$', '[', ']', '*', '.', ' ', ',', ':', '-'{}]",
        member, text, text.substr(at, character_length(c)), content_type, csv ? "" : ", '''")));
  }
  return {};
}

void select_positions(const JsonPathSelector& selector, size_t size, std::vector<size_t>* out) {
  const auto length = static_cast<int64_t>(size);
  const auto from_front = [&](int64_t i) { return i >= 0 ? i : length + i; };
  if (selector.kind == Kind::kIndex) {
    const int64_t at = from_front(selector.index);
    if (at >= 0 && at < length) out->push_back(static_cast<size_t>(at));
    return;
  }
  const int64_t step = selector.step;
  if (step > 0) {
    const int64_t past = selector.end_included ? 1 : 0;
    const int64_t low = std::clamp(from_front(selector.start.value_or(0)), int64_t{0}, length);
    const int64_t high =
        selector.end ? std::clamp(from_front(*selector.end) + past, int64_t{0}, length) : length;
    for (int64_t i = low; i < high; i += step) out->push_back(static_cast<size_t>(i));
  } else if (step < 0) {
    const int64_t high = std::clamp(selector.start ? from_front(*selector.start) : length - 1,
                                    int64_t{-1}, length - 1);
    const int64_t low =
        selector.end ? std::clamp(from_front(*selector.end), int64_t{-1}, length - 1) : -1;
    for (int64_t i = high; i > low; i += step) out->push_back(static_cast<size_t>(i));
  }
}

}  // namespace millrace::record
