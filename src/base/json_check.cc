// A state for what may come next and a stack of open containers; one token a step.
#include "base/json_check.h"

#include <fmt/format.h>

#include <cstdint>
#include <vector>

namespace millrace {

namespace {

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

bool is_space(char c) {
  return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

// Value of four hexadecimal digits, or -1.
int hex4(std::string_view text) {
  if (text.size() < 4) return -1;
  int value = 0;
  for (const char c : text.substr(0, 4)) {
    int digit = 0;
    if (is_digit(c)) {
      digit = c - '0';
    } else if (c >= 'a' && c <= 'f') {
      digit = c - 'a' + 10;
    } else if (c >= 'A' && c <= 'F') {
      digit = c - 'A' + 10;
    } else {
      return -1;
    }
    value = value * 16 + digit;
  }
  return value;
}

// Length of the UTF-8 sequence that begins with a byte >= 0x80, 0 where it is none.
size_t utf8_length(std::string_view text) {
  const auto byte = [&](size_t i) { return static_cast<uint8_t>(text[i]); };
  const uint8_t lead = byte(0);
  size_t length = 0;
  if (lead >= 0xC2 && lead <= 0xDF) length = 2;
  if (lead >= 0xE0 && lead <= 0xEF) length = 3;
  if (lead >= 0xF0 && lead <= 0xF4) length = 4;
  if (length == 0 || text.size() < length) return 0;
  for (size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xC0) != 0x80) return 0;
  }
  if (lead == 0xE0 && byte(1) < 0xA0) return 0;  // overlong
  if (lead == 0xED && byte(1) > 0x9F) return 0;  // surrogate
  if (lead == 0xF0 && byte(1) < 0x90) return 0;  // overlong
  if (lead == 0xF4 && byte(1) > 0x8F) return 0;  // beyond U+10FFFF
  return length;
}

void append_utf8(uint32_t code, std::string* out) {
  const auto put = [&](uint32_t byte) { out->push_back(static_cast<char>(byte)); };
  if (code < 0x80) {
    put(code);
  } else if (code < 0x800) {
    put(0xC0 | code >> 6);
    put(0x80 | (code & 0x3F));
  } else if (code < 0x10000) {
    put(0xE0 | code >> 12);
    put(0x80 | (code >> 6 & 0x3F));
    put(0x80 | (code & 0x3F));
  } else {
    put(0xF0 | code >> 18);
    put(0x80 | (code >> 12 & 0x3F));
    put(0x80 | (code >> 6 & 0x3F));
    put(0x80 | (code & 0x3F));
  }
}

class Checker {
 public:
  Checker(std::string_view text, size_t depth_max) : text_(text), depth_max_(depth_max) {}

  std::optional<JsonFault> run() {
    while (!fault_ && !done_) step();
    return fault_;
  }

 private:
  enum class Expect { kValue, kValueOrEnd, kKey, kKeyOrEnd, kColon, kCommaOrEnd, kNothing };

  // One token.
  void step() {
    while (at_ < text_.size() && is_space(text_[at_])) ++at_;
    if (at_ == text_.size()) return end_of_text();
    const char c = text_[at_];
    switch (expect_) {
      case Expect::kValueOrEnd:
        if (c == ']') return close();
        return value(c);
      case Expect::kValue:
        return value(c);
      case Expect::kKeyOrEnd:
        if (c == '}') return close();
        return key(c);
      case Expect::kKey:
        return key(c);
      case Expect::kColon:
        if (c != ':') return set_fault("expected ':' after the key");
        ++at_;
        expect_ = Expect::kValue;
        return;
      case Expect::kCommaOrEnd:
        return comma_or_end(c);
      case Expect::kNothing:
        return set_fault("there is more after the end of the JSON document");
    }
  }

  void end_of_text() {
    if (expect_ == Expect::kNothing) {
      done_ = true;
      return;
    }
    set_fault(text_.find_first_not_of(" \t\n\r") == std::string_view::npos
                  ? "there is no JSON document, only white space"
                  : "the text ends before the JSON document does");
  }

  void value(char c) {
    if (c == '{' || c == '[') return open(c);
    if (c == '"') {
      string();
    } else if (c == '-' || is_digit(c)) {
      const size_t length = scan_json_number(text_.substr(at_));
      if (length == 0) return set_fault("this is not a JSON number");
      at_ += length;
    } else if (!literal("true") && !literal("false") && !literal("null")) {
      return set_fault("expected a JSON value");
    }
    after_value();
  }

  void after_value() { expect_ = in_object_.empty() ? Expect::kNothing : Expect::kCommaOrEnd; }

  void key(char c) {
    if (c != '"') return set_fault("expected a key in double quotes");
    string();
    expect_ = Expect::kColon;
  }

  void comma_or_end(char c) {
    const bool object = in_object_.back();
    if (c == (object ? '}' : ']')) return close();
    if (c != ',') {
      return set_fault(object ? "expected ',' or '}' after the value"
                              : "expected ',' or ']' after the value");
    }
    ++at_;
    expect_ = object ? Expect::kKey : Expect::kValue;
  }

  void open(char c) {
    if (in_object_.size() == depth_max_) {
      return set_fault(fmt::format("nested more than {} deep", depth_max_));
    }
    in_object_.push_back(c == '{');
    expect_ = c == '{' ? Expect::kKeyOrEnd : Expect::kValueOrEnd;
    ++at_;
  }

  void close() {
    in_object_.pop_back();
    ++at_;
    after_value();
  }

  bool literal(std::string_view word) {
    if (!text_.substr(at_).starts_with(word)) return false;
    at_ += word.size();
    return true;
  }

  void string() {
    ++at_;
    for (;;) {
      if (at_ == text_.size()) return set_fault("the text ends inside a string");
      const auto c = static_cast<uint8_t>(text_[at_]);
      size_t length = 1;
      if (c == '"') break;
      if (c < 0x20) {
        return set_fault(fmt::format("control character 0x{:02X} in a string, not escaped", c));
      }
      if (c == '\\') length = json_escape_length(text_.substr(at_));
      if (c >= 0x80) length = utf8_length(text_.substr(at_));
      if (length == 0) {
        return set_fault(c == '\\' ? std::string("unknown escape in a string")
                                   : fmt::format("invalid UTF-8 (byte 0x{:02X})", c));
      }
      at_ += length;
    }
    ++at_;
  }

  void set_fault(std::string cause) {
    if (!fault_) fault_ = JsonFault{at_, std::move(cause)};
  }

  const std::string_view text_;
  const size_t depth_max_;
  size_t at_ = 0;
  Expect expect_ = Expect::kValue;
  std::vector<bool> in_object_;  // one for each open container
  std::optional<JsonFault> fault_;
  bool done_ = false;
};

}  // namespace

std::optional<JsonFault> find_json_fault(std::string_view text, size_t depth_max) {
  return Checker(text, depth_max).run();
}

Error json_fault_error(const JsonFault& fault) {
  return bad_input(fmt::format("invalid JSON at byte {}: {}", fault.position, fault.cause));
}

size_t scan_json_number(std::string_view text) {
  size_t at = 0;
  const auto here = [&](char c) { return at < text.size() && text[at] == c; };
  const auto digits = [&] {
    const size_t start = at;
    while (at < text.size() && is_digit(text[at])) ++at;
    return at > start;
  };
  if (here('-')) ++at;
  if (here('0')) {
    ++at;
  } else if (!digits()) {
    return 0;
  }
  if (here('.')) {
    ++at;
    if (!digits()) return 0;
  }
  if (here('e') || here('E')) {
    ++at;
    if (here('+') || here('-')) ++at;
    if (!digits()) return 0;
  }
  return at;
}

size_t json_escape_length(std::string_view text) {
  if (text.size() < 2) return 0;
  if (text[1] == 'u') return hex4(text.substr(2)) < 0 ? 0 : 6;
  return std::string_view("\"\\/bfnrt").find(text[1]) == std::string_view::npos ? 0 : 2;
}

bool json_escapes_valid(std::string_view inside) {
  size_t at = inside.find('\\');
  while (at != std::string_view::npos) {
    const size_t length = json_escape_length(inside.substr(at));
    if (length == 0) return false;
    at = inside.find('\\', at + length);
  }
  return true;
}

void append_json_unescaped(std::string_view inside, std::string* out) {
  constexpr std::string_view kPlain = "\"\\/bfnrt";
  constexpr std::string_view kMeant = "\"\\/\b\f\n\r\t";
  constexpr uint32_t kReplacement = 0xFFFD;
  size_t at = 0;
  while (at < inside.size()) {
    const size_t backslash = inside.find('\\', at);
    out->append(inside.substr(at, backslash - at));
    if (backslash == std::string_view::npos) return;
    at = backslash + 2;
    if (inside[backslash + 1] != 'u') {
      out->push_back(kMeant[kPlain.find(inside[backslash + 1])]);
      continue;
    }
    auto code = static_cast<uint32_t>(hex4(inside.substr(at)));
    at += 4;
    if (code >= 0xD800 && code <= 0xDFFF) {
      const bool pair = code <= 0xDBFF && inside.substr(at).starts_with("\\u");
      const int low = pair ? hex4(inside.substr(at + 2)) : -1;
      if (low >= 0xDC00 && low <= 0xDFFF) {
        code = 0x10000 + ((code - 0xD800) << 10) + (static_cast<uint32_t>(low) - 0xDC00);
        at += 6;
      } else {
        code = kReplacement;
      }
    }
    append_utf8(code, out);
  }
}

}  // namespace millrace
