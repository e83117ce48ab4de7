// Cuts CSV as RFC 4180 reads it: line ends and delimiters inside a quoted field are text. The scan
// jumps from quote to quote and from line end to line end with memchr; a quote opens a field only
// where a field begins, elsewhere it is a character like any other (as Python's csv reads it).
#include <fmt/format.h>

#include <algorithm>

#include "record/cutter.h"

namespace millrace::record {

namespace {

constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

class CsvCutter final : public Cutter {
 public:
  CsvCutter(char delimiter, bool starts_object)
      : delimiter_(delimiter), starts_object_(starts_object) {}

  size_t find_end(std::string_view pending, bool whole) override {
    for (;;) {
      if (quoted_) {
        if (!leave_quotes(pending, whole)) return kNotYet;
        continue;
      }
      const size_t newline = newlines_.find(pending, scanned_);
      const size_t quote = quotes_.find(pending, scanned_);
      if (quote < newline) {  // kNone is larger than any position
        quoted_ = field_begins(pending, quote);
        if (quoted_) opened_ = quote;
        scanned_ = quote + 1;
        continue;
      }
      if (newline == ByteFinder::kNone) {
        scanned_ = pending.size();
        return kNotYet;
      }
      return newline + 1;
    }
  }

  Status check_end(std::string_view, uint64_t offset) override {
    if (!quoted_) return {};
    return fail(bad_input(
        fmt::format("the CSV record at byte {} never ends: the quote at byte {} is not closed",
                    offset, offset + opened_)));
  }

  // Completely blank lines between rows are skipped, as Python's csv.DictReader and pandas do.
  bool is_record(std::string_view framed) override {
    std::string_view line = framed;
    if (starts_object_ && line.starts_with(kByteOrderMark)) line.remove_prefix(3);
    return !line.empty() && line != "\n" && line != "\r\n" && line != "\r";
  }

  void taken(size_t bytes) override {
    newlines_.shift(bytes);
    quotes_.shift(bytes);
    scanned_ = 0;
    quoted_ = false;
    starts_object_ = starts_object_ && bytes == 0;
  }

  bool can_drop() const override { return true; }
  size_t drop(std::string_view) override {
    // Whether a quote opens a field is told by the byte before it.
    const size_t bytes = scanned_ > 0 ? scanned_ - 1 : 0;
    newlines_.shift(bytes);
    quotes_.shift(bytes);
    scanned_ -= bytes;
    opened_ -= std::min(opened_, bytes);
    starts_object_ = starts_object_ && bytes == 0;
    return bytes;
  }

  std::string too_large_hint(uint64_t offset) const override {
    if (!quoted_) return {};
    return fmt::format("; it is still inside the quote opened at byte {}: is that one not closed?",
                       offset + opened_);
  }

 private:
  bool field_begins(std::string_view pending, size_t at) const {
    if (at == 0 || pending[at - 1] == delimiter_) return true;
    return starts_object_ && at == 3 && pending.starts_with(kByteOrderMark);
  }

  // Goes on to the quote that closes the field. False: more bytes are needed to see it.
  bool leave_quotes(std::string_view pending, bool whole) {
    const size_t quote = quotes_.find(pending, scanned_);
    if (quote == ByteFinder::kNone) {
      scanned_ = pending.size();
      return false;
    }
    if (quote + 1 == pending.size() && !whole) {  // the first of two, or the last?
      scanned_ = quote;
      return false;
    }
    const bool doubled = quote + 1 < pending.size() && pending[quote + 1] == '"';
    scanned_ = quote + (doubled ? 2 : 1);
    quoted_ = doubled;
    return true;
  }

  const char delimiter_;
  bool starts_object_;  // `pending` begins where the object does: a byte order mark may stand there
  ByteFinder newlines_{'\n'};
  ByteFinder quotes_{'"'};
  size_t scanned_ = 0;   // no need to look before it
  bool quoted_ = false;  // the byte at scanned_ is inside a quoted field
  size_t opened_ = 0;    // where that field's quote stands
};

}  // namespace

std::unique_ptr<Cutter> make_csv_cutter(char delimiter, bool starts_object) {
  return std::make_unique<CsvCutter>(delimiter, starts_object);
}

}  // namespace millrace::record
