// Cutter: where does the next record end? The one thing in which splitters differ. Cutters remember
// how far they have looked, so that a record that comes in many blocks is still scanned once.
#pragma once

#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"

namespace millrace::record {

class Cutter {
 public:
  static constexpr size_t kNotYet = static_cast<size_t>(-1);
  static constexpr size_t kBroken = static_cast<size_t>(-2);

  virtual ~Cutter() = default;
  // Length of the record (with its line end) that `pending` begins with, or kNotYet. Where framing
  // tells it, it may be more than `pending` has. Between two calls of taken(), `pending` only grows
  // at its end. `whole`: nothing will follow `pending`. kBroken: it is not what the SplitType says,
  // and no later record can be found; cause() says why.
  virtual size_t find_end(std::string_view pending, bool whole) = 0;
  // The object ends here although find_end() found no end: is `pending` a record as it stands?
  virtual Status check_end(std::string_view /*pending*/, uint64_t /*offset*/) { return {}; }
  // False for bytes that are cut but make no record: blank lines in CSV, nothing at an object's
  // end.
  virtual bool is_record(std::string_view framed) = 0;
  // What of a framed record is the record, where more than a line end frames it.
  virtual std::string_view unframed(std::string_view framed) const { return framed; }
  // Why the bytes of a framed record are not what was written; empty: they may well be.
  virtual std::string_view fault(std::string_view /*framed*/) const { return {}; }
  // After kBroken: what is wrong, with the byte; `offset` is that of `pending`.
  virtual std::string cause(uint64_t /*offset*/) const { return {}; }
  // The first `bytes` of `pending` are gone.
  virtual void taken(size_t bytes) = 0;
  // Whether drop() can: else a record that cannot be used cannot be passed over either.
  virtual bool can_drop() const { return false; }
  // The record that `pending` begins with is not wanted and has not ended: how many of its first
  // bytes the search for its end needs no more. They are gone then. REQUIRES: can_drop().
  virtual size_t drop(std::string_view /*pending*/) { return 0; }
  // Why a record may have become too large, for the message; `offset` is the record's.
  virtual std::string too_large_hint(uint64_t /*offset*/) const { return {}; }
};

std::unique_ptr<Cutter> make_csv_cutter(char delimiter, bool starts_object);
std::unique_ptr<Cutter> make_record_io_cutter();
std::unique_ptr<Cutter> make_tf_record_cutter();
std::unique_ptr<Cutter> make_json_array_cutter();

// Finds one byte by memchr and remembers the answer: no byte is looked at twice, although the
// caller asks again from every place where it stopped.
class ByteFinder {
 public:
  static constexpr size_t kNone = static_cast<size_t>(-1);

  explicit ByteFinder(char byte) : byte_(byte) {}

  // Where the byte stands first in text[from...]. Between two calls of shift(), `text` only grows
  // and `from` does not fall.
  size_t find(std::string_view text, size_t from) {
    if (found_ != kNone && found_ >= from) return found_;
    if (from < searched_) from = searched_;
    found_ = kNone;
    if (from >= text.size()) return kNone;
    const void* hit = std::memchr(text.data() + from, byte_, text.size() - from);
    searched_ = text.size();
    if (hit == nullptr) return kNone;
    found_ = static_cast<size_t>(static_cast<const char*>(hit) - text.data());
    searched_ = found_ + 1;
    return found_;
  }

  void shift(size_t bytes) {
    searched_ = searched_ > bytes ? searched_ - bytes : 0;
    if (found_ != kNone) found_ = found_ >= bytes ? found_ - bytes : kNone;
  }

 private:
  const int byte_;
  size_t found_ = kNone;
  size_t searched_ = 0;  // everything before it, from `from` on, has been looked at
};

}  // namespace millrace::record
