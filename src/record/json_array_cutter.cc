// SplitType JsonArray: an object that is one JSON array; each element is a record. The cutter knows
// brackets and strings and nothing else: whether an element is JSON is for whoever reads it. What
// stands between elements is cut off as pieces that are no records, however long it is.
#include <fmt/format.h>

#include <array>

#include "record/cutter.h"

namespace millrace::record {

namespace {

constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

bool is_space(char c) {
  return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

// Bytes at which the scan of an object or array stops.
constexpr std::array<bool, 256> make_structural() {
  std::array<bool, 256> table{};
  for (const char c : {'"', '{', '}', '[', ']'}) table[static_cast<uint8_t>(c)] = true;
  return table;
}
constexpr std::array<bool, 256> kStructural = make_structural();

class JsonArrayCutter final : public Cutter {
 public:
  size_t find_end(std::string_view pending, bool whole) override {
    if (in_element_) return element_end(pending);
    size_t at = scanned_;
    while (at < pending.size() && is_space(pending[at])) ++at;
    scanned_ = at;
    if (at == pending.size()) {
      if (place_ == Place::kObject && at > 0) next_ = Place::kStart;
      return at == 0 ? kNotYet : at;
    }
    return step(pending, at, whole);
  }

  Status check_end(std::string_view, uint64_t offset) override {
    if (place_ == Place::kEnd) return {};
    if (place_ <= Place::kStart) {
      return fail(bad_input("the object is no JSON array: it has no '['"));
    }
    return fail(bad_input(
        fmt::format("the object ends inside its JSON array, in what begins at byte {}", offset)));
  }

  bool is_record(std::string_view framed) override { return in_element_ && !framed.empty(); }

  void taken(size_t bytes) override {
    // An element was taken, or what leads to one.
    if (in_element_ && bytes > 0) next_ = Place::kAfterElement;
    in_element_ = next_ == Place::kElement;
    place_ = next_;
    scanned_ = 0;
    depth_ = 0;
  }

  std::string cause(uint64_t offset) const override {
    return fmt::format("at byte {}: {}", offset + scanned_, cause_);
  }

 private:
  enum class Place {
    kObject,        // at the object's first byte
    kStart,         // before '['
    kFirst,         // behind '[': an element or ']'
    kNext,          // behind ',': an element
    kElement,       // at an element's first byte
    kAfterElement,  // ',' or ']'
    kEnd            // behind ']'
  };

  size_t go_to(Place next, size_t end) {
    next_ = next;
    return end;
  }

  size_t broken(const char* cause) {
    cause_ = cause;
    return kBroken;
  }

  // The first byte between elements that is no space stands at `at`.
  size_t step(std::string_view pending, size_t at, bool whole) {
    const char c = pending[at];
    switch (place_) {
      case Place::kObject:
      case Place::kStart:
        return step_into(pending, at, whole);
      case Place::kFirst:
        if (c == ']') return go_to(Place::kEnd, at + 1);
        [[fallthrough]];
      case Place::kNext:
        if (c == ',' || c == ']') return broken("expected an element of the JSON array");
        return begin_element(pending, at);
      case Place::kAfterElement:
        if (c == ',') return go_to(Place::kNext, at + 1);
        if (c == ']') return go_to(Place::kEnd, at + 1);
        return broken("expected ',' or ']' behind an element of the JSON array");
      case Place::kElement:
      case Place::kEnd:
        break;
    }
    return broken("the object goes on behind its JSON array");
  }

  size_t step_into(std::string_view pending, size_t at, bool whole) {
    const std::string_view rest = pending.substr(at);
    if (rest.front() == '[') return go_to(Place::kFirst, at + 1);
    const bool may_be_mark = at == 0 && place_ == Place::kObject;
    if (may_be_mark && rest.starts_with(kByteOrderMark)) return go_to(Place::kStart, 3);
    if (may_be_mark && !whole && kByteOrderMark.starts_with(rest)) return kNotYet;
    return broken("expected '[': the object is no JSON array");
  }

  // Spaces before an element are a piece of their own; without any the element begins here.
  size_t begin_element(std::string_view pending, size_t at) {
    next_ = Place::kElement;
    if (at > 0) return at;
    place_ = Place::kElement;
    in_element_ = true;
    return element_end(pending);
  }

  size_t element_end(std::string_view pending) {
    const char first = pending.empty() ? '\0' : pending.front();
    if (first == '{' || first == '[') return container_end(pending);
    if (first == '"') {
      if (scanned_ == 0) scanned_ = 1;
      return skip_string(pending) ? scanned_ : kNotYet;
    }
    while (scanned_ < pending.size()) {
      const char c = pending[scanned_];
      if (c == ',' || c == ']' || is_space(c)) return scanned_;
      ++scanned_;
    }
    return kNotYet;
  }

  size_t container_end(std::string_view pending) {
    if (in_string_ && !skip_string(pending)) return kNotYet;
    const char* const bytes = pending.data();
    const size_t size = pending.size();
    size_t at = scanned_;
    while (at < size) {
      const char c = bytes[at];
      ++at;
      if (!kStructural[static_cast<uint8_t>(c)]) continue;
      if (c == '"') {
        scanned_ = at;
        if (!skip_string(pending)) return kNotYet;
        at = scanned_;
      } else if (c == '{' || c == '[') {
        ++depth_;
      } else if (--depth_ == 0) {
        return at;
      }
    }
    scanned_ = at;
    return kNotYet;
  }

  // From inside a string to behind its closing quote. False: it is not there yet.
  bool skip_string(std::string_view pending) {
    in_string_ = true;
    for (;;) {
      const size_t left = pending.size() - scanned_;
      const char* from = pending.data() + scanned_;
      const void* hit = left == 0 ? nullptr : std::memchr(from, '"', left);
      if (hit == nullptr) {
        scanned_ = pending.size();
        return false;
      }
      const auto quote = static_cast<size_t>(static_cast<const char*>(hit) - pending.data());
      size_t slashes = 0;
      while (pending[quote - slashes - 1] == '\\') ++slashes;  // a quote stands before them
      scanned_ = quote + 1;
      if (slashes % 2 == 0) {
        in_string_ = false;
        return true;
      }
    }
  }

  Place place_ = Place::kObject;  // where `pending` begins
  Place next_ = Place::kObject;   // where what find_end() cut off ends
  bool in_element_ = false;       // `pending` begins with an element
  bool in_string_ = false;        // scanned_ stands in a string
  size_t depth_ = 0;              // of brackets at scanned_
  size_t scanned_ = 0;            // no need to look before it
  const char* cause_ = "";
};

}  // namespace

std::unique_ptr<Cutter> make_json_array_cutter() {
  return std::make_unique<JsonArrayCutter>();
}

}  // namespace millrace::record
