// UTF-16 and two of Windows' code pages become UTF-8. Runs of ASCII are copied.
#include <algorithm>
#include <array>
#include <cstring>
#include <optional>
#include <string>
#include <utility>

#include "base/check.h"
#include "record/code_pages.h"
#include "record/decoder.h"

namespace millrace::record {

namespace {

constexpr char kMeansNothing = '\xFF';
// The longest that one step writes: a character, and another before it.
constexpr size_t kStepBytesMax = 8;
static_assert(kStepBytesMax <= kDecodeBytesMin);

// Bytes of one character in UTF-8.
struct Utf8Bytes {
  std::array<char, 4> bytes{};
  uint8_t size = 0;
};

Utf8Bytes utf8_of(uint32_t c) {
  const auto tail = [](uint32_t bits) { return static_cast<char>(0x80 | (bits & 0x3F)); };
  if (c < 0x80) return {{static_cast<char>(c)}, 1};
  if (c < 0x800) return {{static_cast<char>(0xC0 | c >> 6), tail(c)}, 2};
  if (c < 0x10000) return {{static_cast<char>(0xE0 | c >> 12), tail(c >> 6), tail(c)}, 3};
  return {{static_cast<char>(0xF0 | c >> 18), tail(c >> 12), tail(c >> 6), tail(c)}, 4};
}

// Appends to a span, which has room for what is appended.
class Writer {
 public:
  explicit Writer(std::span<char> out) : out_(out) {}
  bool has_room() const { return out_.size() - size_ >= kStepBytesMax; }
  size_t room() const { return out_.size() - size_; }
  size_t size() const { return size_; }
  void put(const Utf8Bytes& c) {
    std::memcpy(out_.data() + size_, c.bytes.data(), c.bytes.size());
    size_ += c.size;
  }
  void put(std::string_view bytes) {
    std::memcpy(out_.data() + size_, bytes.data(), bytes.size());
    size_ += bytes.size();
  }
  void put(char byte) { out_[size_++] = byte; }

 private:
  const std::span<char> out_;
  size_t size_ = 0;
};

size_t ascii_run(std::string_view text) {
  size_t at = 0;
  for (; at + 8 <= text.size(); at += 8) {
    uint64_t word;
    std::memcpy(&word, text.data() + at, sizeof word);
    if ((word & 0x8080808080808080) != 0) break;
  }
  while (at < text.size() && static_cast<uint8_t>(text[at]) < 0x80) ++at;
  return at;
}

// --- code pages ---

class CodePageDecoder final : public Decoder {
 public:
  explicit CodePageDecoder(const uint16_t (&upper)[128], std::span<const Composition> compositions)
      : compositions_(compositions) {
    for (size_t byte = 0; byte < 256; ++byte) {
      characters_[byte] = static_cast<uint16_t>(byte < 128 ? byte : upper[byte - 128]);
      utf8_[byte] = utf8_of(characters_[byte]);
      if (byte >= 128 && characters_[byte] == 0) utf8_[byte] = {{kMeansNothing}, 1};
      for (const Composition& c : compositions) is_mark_[byte] |= c.mark == characters_[byte];
    }
  }

  Result<size_t> decode(std::string_view* in, bool whole, std::span<char> out) override {
    Writer writer(out);
    if (held_ && (!in->empty() || whole)) {
      const uint8_t letter = *held_;
      held_.reset();
      put(letter, in, &writer);
    }
    while (!in->empty() && writer.has_room()) {
      copy_ascii(in, &writer);
      if (in->empty() || !writer.has_room()) break;
      const auto byte = static_cast<uint8_t>(in->front());
      in->remove_prefix(1);
      if (in->empty() && !whole && !compositions_.empty()) {
        held_ = byte;  // a mark may follow
        break;
      }
      put(byte, in, &writer);
    }
    return writer.size();
  }

 private:
  // All but the last character of a run: a mark may follow that one.
  void copy_ascii(std::string_view* in, Writer* writer) const {
    size_t run = ascii_run(in->substr(0, writer->room() - kStepBytesMax));
    if (run > 0 && !compositions_.empty()) --run;
    writer->put(in->substr(0, run));
    in->remove_prefix(run);
  }

  // The character of `byte`, with the mark behind it where the two are one.
  void put(uint8_t byte, std::string_view* in, Writer* writer) const {
    if (!in->empty() && is_mark_[static_cast<uint8_t>(in->front())]) {
      const uint16_t mark = characters_[static_cast<uint8_t>(in->front())];
      if (const uint16_t both = compose(characters_[byte], mark); both != 0) {
        in->remove_prefix(1);
        writer->put(utf8_of(both));
        return;
      }
    }
    writer->put(utf8_[byte]);
  }

  uint16_t compose(uint16_t letter, uint16_t mark) const {
    const auto before = [](const Composition& c, std::pair<uint16_t, uint16_t> key) {
      return std::pair(c.letter, c.mark) < key;
    };
    const auto found = std::lower_bound(compositions_.begin(), compositions_.end(),
                                        std::pair(letter, mark), before);
    const bool is_it =
        found != compositions_.end() && found->letter == letter && found->mark == mark;
    return is_it ? found->both : 0;
  }

  const std::span<const Composition> compositions_;
  std::array<uint16_t, 256> characters_{};
  std::array<Utf8Bytes, 256> utf8_{};
  std::array<bool, 256> is_mark_{};
  std::optional<uint8_t> held_;  // the last byte of what came
};

// --- UTF-16 ---

enum class ByteOrder { kUnknown, kLittle, kBig };

class Utf16Decoder final : public Decoder {
 public:
  explicit Utf16Decoder(ByteOrder order) : order_(order) {}

  Result<size_t> decode(std::string_view* in, bool whole, std::span<char> out) override {
    Writer writer(out);
    if (!begun_) {
      MR_ASSIGN(const bool begun, begin(in, whole));
      if (!begun) return size_t{0};
    }
    while (writer.has_room()) {
      const std::optional<uint16_t> unit = next_unit(in);
      if (!unit) break;
      put(*unit, &writer);
    }
    if (in->empty() && whole && writer.has_room()) {
      if (high_ != 0) writer.put(kMeansNothing);
      if (first_) writer.put(kMeansNothing);
      high_ = 0;
      first_.reset();
    }
    return writer.size();
  }

 private:
  // Takes the byte order mark. False: more bytes are needed.
  Result<bool> begin(std::string_view* in, bool whole) {
    while (mark_.size() < 2 && !in->empty()) {
      mark_ += in->front();
      in->remove_prefix(1);
    }
    if (mark_.size() < 2 && !whole) return false;
    begun_ = true;
    const bool little = mark_ == "\xFF\xFE";
    const bool big = mark_ == "\xFE\xFF";
    if (order_ == ByteOrder::kUnknown) {
      if (mark_.empty()) {
        order_ = ByteOrder::kLittle;  // of an empty text
      } else if (!little && !big) {
        return fail(bad_input(
            "it is said to be UTF-16 but does not begin with a byte order mark (FF FE or FE FF); "
            "utf-16le and utf-16be say the order"));
      } else {
        order_ = little ? ByteOrder::kLittle : ByteOrder::kBig;
      }
      mark_.clear();
    } else if (order_ == (little ? ByteOrder::kLittle : ByteOrder::kBig) && (little || big)) {
      mark_.clear();
    }
    return true;
  }

  std::optional<uint16_t> next_unit(std::string_view* in) {
    if (!mark_.empty() && mark_.size() == 2) {  // what was no mark is text
      const uint16_t unit = unit_of(mark_[0], mark_[1]);
      mark_.clear();
      return unit;
    }
    if (!mark_.empty()) {
      first_ = mark_[0];
      mark_.clear();
    }
    if (in->empty()) return std::nullopt;
    if (!first_ && in->size() == 1) {
      first_ = in->front();
      in->remove_prefix(1);
      return std::nullopt;
    }
    const char a = first_.value_or(in->front());
    if (!first_) in->remove_prefix(1);
    first_.reset();
    const char b = in->front();
    in->remove_prefix(1);
    return unit_of(a, b);
  }

  uint16_t unit_of(char a, char b) const {
    const auto x = static_cast<uint8_t>(a);
    const auto y = static_cast<uint8_t>(b);
    return static_cast<uint16_t>(order_ == ByteOrder::kLittle ? x | y << 8 : x << 8 | y);
  }

  void put(uint16_t unit, Writer* writer) {
    const bool low = unit >= 0xDC00 && unit < 0xE000;
    if (high_ != 0 && low) {
      writer->put(utf8_of(0x10000 + ((high_ - 0xD800U) << 10) + (unit - 0xDC00U)));
      high_ = 0;
      return;
    }
    if (high_ != 0) writer->put(kMeansNothing);
    high_ = 0;
    if (unit >= 0xD800 && unit < 0xDC00) {
      high_ = unit;
    } else if (low) {
      writer->put(kMeansNothing);
    } else {
      writer->put(utf8_of(unit));
    }
  }

  ByteOrder order_;
  bool begun_ = false;
  std::string mark_;           // the first two bytes, before it is known what they are
  std::optional<char> first_;  // of a unit whose second byte has not come
  uint16_t high_ = 0;          // surrogate that waits for the other half
};

}  // namespace

std::string with_replacements(std::string_view decoded) {
  std::string text;
  for (const char c : decoded) {
    if (c == kMeansNothing) {
      text += "\xEF\xBF\xBD";
    } else {
      text += c;
    }
  }
  return text;
}

std::unique_ptr<Decoder> make_text_decoder(TextEncoding encoding) {
  switch (encoding) {
    case TextEncoding::kCp1252:
      return std::make_unique<CodePageDecoder>(kCodePage1252, std::span<const Composition>());
    case TextEncoding::kCp1258:
      return std::make_unique<CodePageDecoder>(
          kCodePage1258, std::span(kCompositions1258, kCompositions1258Count));
    case TextEncoding::kUtf16:
      return std::make_unique<Utf16Decoder>(ByteOrder::kUnknown);
    case TextEncoding::kUtf16Le:
      return std::make_unique<Utf16Decoder>(ByteOrder::kLittle);
    case TextEncoding::kUtf16Be:
      return std::make_unique<Utf16Decoder>(ByteOrder::kBig);
    case TextEncoding::kUtf8:
      break;
  }
  MR_CHECK(false);
  return nullptr;
}

}  // namespace millrace::record
