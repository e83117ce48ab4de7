#include "handler/echoed_texts.h"

#include "base/json_write.h"
#include "handler/utf8.h"
#include "record/join.h"

namespace millrace::handler {
namespace {

// In place, or replaced in *buffer.
std::string_view as_utf8(std::string_view text, std::string* buffer) {
  if (valid_utf8_prefix(text) == text.size()) return text;
  replace_invalid_utf8(text, buffer);
  return *buffer;
}

void append_member(std::string_view name, const std::string_view* value, std::string* out) {
  millrace::append_json_string(name, out);
  out->push_back(':');
  if (value == nullptr) {
    out->append("null");
  } else {
    millrace::append_json_string(*value, out);
  }
  out->push_back(',');
}

}  // namespace

void EchoedTexts::add(const RowText& text, bool csv, char csv_delimiter) {
  std::string first_buffer;
  std::string second_buffer;
  const std::string_view first = as_utf8(text.text, &first_buffer);
  if (csv) {
    if (!text.null) record::append_csv_field(first, csv_delimiter, &bytes_);
    bytes_.push_back(csv_delimiter);
  } else {
    append_member(kEchoColumn, text.null ? nullptr : &first, &bytes_);
    const std::string_view second = as_utf8(text.pair, &second_buffer);
    if (text.has_pair) append_member("text_pair", &second, &bytes_);
  }
  ends_.push_back(bytes_.size());
}

void EchoedTexts::shrink(size_t count) {
  if (count >= ends_.size()) return;
  bytes_.resize(count == 0 ? 0 : ends_[count - 1]);
  ends_.resize(count);
}

std::string_view EchoedTexts::of(size_t row) const {
  const size_t begin = row == 0 ? 0 : ends_[row - 1];
  return std::string_view(bytes_).substr(begin, ends_[row] - begin);
}

}  // namespace millrace::handler
