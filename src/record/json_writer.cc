// The text is copied once into a buffer that ends in zeros, where every scan stops by itself, and
// where short slices are copied without asking how short they are.
#include "record/json_writer.h"

#include <simdjson.h>

#include <algorithm>
#include <cstring>

#include "base/json_check.h"
#include "base/limits.h"
#include "record/json_scan.h"

namespace millrace::record {

namespace {

// What copy() takes at once.
constexpr size_t kStep = 16;
constexpr size_t kPadding = std::max(kJsonScanPadding, kStep);
// Keys that open_member() adds, their quotes and commas, and room for a step of copy().
constexpr size_t kSlack = 512;
constexpr size_t kIdleBufferBytesMax = 8 * 1024 * 1024;

uint64_t load8(const char* at) {
  uint64_t word = 0;
  std::memcpy(&word, at, sizeof word);
  return word;
}

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

// `at`: after the opening quote. The closing one; null where there is none, or an escape or a
// character that JSON does not have.
const char* find_end_of_string(const char* at, const char* end, bool* escaped) {
  for (;;) {
    at = find_json_special(at);
    if (*at == '"') return at;
    if (*at != '\\') return nullptr;
    *escaped = true;
    const size_t length = json_escape_length({at, static_cast<size_t>(end - at)});
    if (length == 0) return nullptr;
    at += length;
  }
}

// Null: no number.
const char* find_end_of_number(const char* at) {
  const auto digits = [&] {
    if (!is_digit(*at)) return false;
    while (is_digit(*at)) ++at;
    return true;
  };
  if (*at == '-') ++at;
  if (*at == '0') {
    ++at;
  } else if (!digits()) {
    return nullptr;
  }
  if (*at == '.') {
    ++at;
    if (!digits()) return nullptr;
  }
  if (*at == 'e' || *at == 'E') {
    ++at;
    if (*at == '+' || *at == '-') ++at;
    if (!digits()) return nullptr;
  }
  return at;
}

// So that most keys are told apart by one comparison. `key` is followed by eight bytes at least.
uint64_t order_of(const char* key, size_t length) {
  const uint64_t word = __builtin_bswap64(load8(key));
  return length >= 8 ? word : length == 0 ? 0 : word & (~uint64_t{0} << (64 - 8 * length));
}

}  // namespace

void JsonWriter::begin(std::string* out, size_t bytes_max) {
  out_ = out;
  base_ = out->size();
  out->resize(base_ + bytes_max + kSlack);
  begin_ = out->data() + base_;
  to_ = begin_;
  members_.clear();
  decoded_.clear();
}

void JsonWriter::end() {
  out_->resize(base_ + position());
}

void JsonWriter::drop() {
  out_->resize(base_);
}

bool JsonWriter::load(std::string_view text) {
  padded_.resize(text.size() + kPadding);
  if (!text.empty()) std::memcpy(padded_.data(), text.data(), text.size());
  std::memset(padded_.data() + text.size(), 0, kPadding);
  at_ = padded_.data();
  end_ = at_ + text.size();
  return simdjson::validate_utf8(text.data(), text.size());
}

bool JsonWriter::at_end() {
  skip_space();
  return at_ == end_;
}

void JsonWriter::skip_space() {
  while (*at_ == ' ' || *at_ == '\n' || *at_ == '\t' || *at_ == '\r') ++at_;
}

// Most slices are short: a call of memcpy would cost more than they do.
void JsonWriter::copy(const char* from, const char* to) {
  const auto length = static_cast<size_t>(to - from);
  if (length <= kStep) {
    std::memcpy(to_, from, kStep);
  } else if (length <= 2 * kStep) {
    std::memcpy(to_, from, kStep);
    std::memcpy(to_ + length - kStep, to - kStep, kStep);
  } else {
    std::memcpy(to_, from, length);
  }
  to_ += length;
}

bool JsonWriter::document(std::string_view text) {
  if (!load(text)) return false;
  skip_space();
  return value(0) && at_end();
}

bool JsonWriter::members_of(std::string_view text, Object* object) {
  if (!load(text)) return false;
  skip_space();
  if (*at_ != '{') return false;
  ++at_;
  return members(1, object) && at_end();
}

// `depth`: how many containers it stands in.
bool JsonWriter::value(size_t depth) {
  switch (*at_) {
    case '"':
      return string();
    case '{':
      return object(depth + 1);
    case '[':
      return array(depth + 1);
    case 't':
      return literal("true");
    case 'f':
      return literal("false");
    case 'n':
      return literal("null");
    default:
      return number();
  }
}

bool JsonWriter::string() {
  bool escaped = false;
  const char* const quote = find_end_of_string(at_ + 1, end_, &escaped);
  if (quote == nullptr) return false;
  copy(at_, quote + 1);
  at_ = quote + 1;
  return true;
}

bool JsonWriter::number() {
  const char* const end = find_end_of_number(at_);
  if (end == nullptr) return false;
  copy(at_, end);
  at_ = end;
  return true;
}

bool JsonWriter::literal(std::string_view word) {
  if (std::memcmp(at_, word.data(), word.size()) != 0) return false;
  copy(at_, at_ + word.size());
  at_ += word.size();
  return true;
}

bool JsonWriter::array(size_t depth) {
  if (depth > limits::kJsonDepthMax) return false;
  ++at_;
  *to_++ = '[';
  skip_space();
  if (*at_ == ']') {
    ++at_;
    *to_++ = ']';
    return true;
  }
  for (;;) {
    if (!value(depth)) return false;
    skip_space();
    const char next = *at_;
    if (next != ',' && next != ']') return false;
    ++at_;
    *to_++ = next;
    if (next == ']') return true;
    skip_space();
  }
}

bool JsonWriter::object(size_t depth) {
  if (depth > limits::kJsonDepthMax) return false;
  ++at_;
  Object object = open_object();
  if (!members(depth, &object)) return false;
  close_object(object);
  return true;
}

// Up to and with the closing brace, which is not written.
bool JsonWriter::members(size_t depth, Object* object) {
  skip_space();
  if (*at_ == '}') {
    ++at_;
    return true;
  }
  for (;;) {
    start_member(*object);
    if (!key(object)) return false;
    if (!value(depth)) return false;
    close_member();
    skip_space();
    const char next = *at_;
    if (next != ',' && next != '}') return false;
    ++at_;
    if (next == '}') return true;
    skip_space();
  }
}

// With the colon.
bool JsonWriter::key(Object* object) {
  if (*at_ != '"') return false;
  bool escaped = false;
  const char* const quote = find_end_of_string(at_ + 1, end_, &escaped);
  if (quote == nullptr) return false;
  name_member(at_ + 1, quote, escaped, object);
  at_ = quote + 1;
  skip_space();
  if (*at_ != ':') return false;
  ++at_;
  skip_space();
  return true;
}

// `key`: padded, as the text is.
void JsonWriter::name_member(const char* key, const char* end, bool escaped, Object* object) {
  Member& member = members_.back();
  *to_++ = '"';
  if (escaped) {
    member.key_decoded = true;
    member.key = static_cast<uint32_t>(decoded_.size());
    append_json_unescaped({key, static_cast<size_t>(end - key)}, &decoded_);
    member.key_length = static_cast<uint32_t>(decoded_.size()) - member.key;
    decoded_.append(kPadding, '\0');
    member.order = order_of(decoded_.data() + member.key, member.key_length);
    copy(key, end);
  } else {
    member.key = position();
    member.key_length = static_cast<uint32_t>(end - key);
    member.order = order_of(key, member.key_length);
    copy(key, end);
  }
  *to_++ = '"';
  *to_++ = ':';
  if (object->sorted && members_.size() - object->first_member > 1) {
    object->sorted = is_before(members_[members_.size() - 2], member);
  }
}

JsonWriter::Object JsonWriter::open_object() {
  *to_++ = '{';
  return {members_.size(), decoded_.size(), position(), true};
}

void JsonWriter::start_member(const Object& object) {
  if (members_.size() > object.first_member) *to_++ = ',';
  members_.emplace_back().start = position();
}

void JsonWriter::open_member(std::string_view key, Object* object) {
  start_member(*object);
  const bool escaped = key.find('\\') != std::string_view::npos;
  own_key_.assign(key).append(kPadding, '\0');
  name_member(own_key_.data(), own_key_.data() + key.size(), escaped, object);
}

void JsonWriter::close_member() {
  members_.back().end = position();
}

std::string_view JsonWriter::key_of(const Member& member) const {
  const char* const from = member.key_decoded ? decoded_.data() : begin_;
  return {from + member.key, member.key_length};
}

bool JsonWriter::is_before(const Member& a, const Member& b) const {
  if (a.order != b.order) return a.order < b.order;
  return key_of(a) < key_of(b);
}

void JsonWriter::close_object(const Object& object) {
  if (!object.sorted) sort_members(object);
  members_.resize(object.first_member);
  decoded_.resize(object.decoded_start);
  *to_++ = '}';
}

void JsonWriter::sort_members(const Object& object) {
  const auto first = members_.begin() + static_cast<std::ptrdiff_t>(object.first_member);
  std::sort(first, members_.end(), [this](const Member& a, const Member& b) {
    if (a.order != b.order) return a.order < b.order;
    const int order = key_of(a).compare(key_of(b));
    return order != 0 ? order < 0 : a.start < b.start;
  });
  const auto is_last_of_equals = [&](auto it) {
    return it + 1 == members_.end() || it->order != (it + 1)->order ||
           key_of(*it) != key_of(*(it + 1));
  };
  sorted_.resize(position() - object.content_start);
  char* to = sorted_.data();
  for (auto it = first; it != members_.end(); ++it) {
    if (!is_last_of_equals(it)) continue;
    if (to != sorted_.data()) *to++ = ',';
    std::memcpy(to, begin_ + it->start, it->end - it->start);
    to += it->end - it->start;
  }
  const auto length = static_cast<size_t>(to - sorted_.data());
  std::memcpy(begin_ + object.content_start, sorted_.data(), length);
  to_ = begin_ + object.content_start + length;
}

void JsonWriter::release_if_huge() {
  if (padded_.capacity() <= kIdleBufferBytesMax &&
      members_.capacity() * sizeof(Member) <= kIdleBufferBytesMax) {
    return;
  }
  padded_ = {};
  members_ = {};
  decoded_ = {};
  sorted_ = {};
}

}  // namespace millrace::record
