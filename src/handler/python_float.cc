// std::to_chars finds the digits; only Python's layout is made here.
#include "handler/python_float.h"

#include <charconv>
#include <cmath>
#include <string_view>

namespace millrace::handler {

namespace {

// The shortest digits without point, and the exponent of the first of them.
struct Digits {
  char text[24];
  size_t count = 0;
  int exponent = 0;
  std::string_view view() const { return {text, count}; }
};

Digits shortest_digits(double magnitude) {
  char buffer[32];
  const auto end =
      std::to_chars(buffer, buffer + sizeof buffer, magnitude, std::chars_format::scientific);
  Digits digits;
  const char* at = buffer;
  for (; at != end.ptr && *at != 'e'; ++at) {
    if (*at != '.') digits.text[digits.count++] = *at;
  }
  ++at;                  // 'e'
  if (*at == '+') ++at;  // from_chars knows no plus sign
  std::from_chars(at, end.ptr, digits.exponent);
  return digits;
}

void append_exponent(int exponent, std::string* out) {
  out->append(exponent < 0 ? "e-" : "e+");
  const std::string magnitude = std::to_string(std::abs(exponent));
  if (magnitude.size() < 2) out->push_back('0');
  out->append(magnitude);
}

}  // namespace

void append_python_float(double value, std::string* out) {
  if (std::signbit(value)) out->push_back('-');
  const Digits digits = shortest_digits(std::fabs(value));
  const std::string_view text = digits.view();
  if (digits.exponent < -4 || digits.exponent >= 16) {
    out->push_back(text[0]);
    if (text.size() > 1) out->append(".").append(text.substr(1));
    append_exponent(digits.exponent, out);
    return;
  }
  if (digits.exponent < 0) {
    out->append("0.").append(static_cast<size_t>(-digits.exponent - 1), '0').append(text);
    return;
  }
  const size_t whole = static_cast<size_t>(digits.exponent) + 1;
  if (text.size() <= whole) {
    out->append(text).append(whole - text.size(), '0').append(".0");
  } else {
    out->append(text.substr(0, whole)).append(".").append(text.substr(whole));
  }
}

double python_round(double value, int digits) {
  char buffer[64];
  const auto end =
      std::to_chars(buffer, buffer + sizeof buffer, value, std::chars_format::fixed, digits);
  double rounded = value;
  std::from_chars(buffer, end.ptr, rounded);
  return rounded;
}

}  // namespace millrace::handler
