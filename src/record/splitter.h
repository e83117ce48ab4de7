// Splitter: cuts a stream of bytes into records, whatever blocks the bytes come in.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"
#include "record/format.h"

namespace millrace::record {

// One record as it stands in the object. Views are valid until the next call of the splitter.
struct Record {
  // As it would be sent: with its line end; with its frame (RecordIO, TFRecord) only under
  // MultiRecord.
  std::string_view framed;
  // Without it (one '\n'; in CSV and JSON Lines also '\r' before it).
  std::string_view content;
  uint64_t offset = 0;  // in the object, where line end or frame are always counted
  // Not empty: why this is no record that could be used (a wrong checksum, too large);
  // `framed` is then as much of it as is held.
  std::string_view problem = {};
};

// What becomes of a record that cannot be used (too large, a quote that is not closed) although the
// one after it can be found.
enum class BadRecords { kFail, kGive };

class Splitter {
 public:
  virtual ~Splitter() = default;
  // Gives the splitter the next bytes of the object, which are copied as needed.
  virtual void feed(std::string_view bytes) = 0;
  // No more bytes will come: what remains is the last record.
  virtual void finish() = 0;
  // Takes the next whole record. False: feed more, or, after finish(), the end. A record larger
  // than `record_bytes_max` is bad_input as soon as that is known (the whole of it is never held);
  // under BadRecords::kGive it is given with its problem where the splitter can go on after it.
  virtual Result<bool> next(Record* record) = 0;
  // Bytes of the object taken by records so far: where a part that starts at the next record
  // begins.
  virtual uint64_t position() const = 0;
};

// Whether the checksums of data are looked at: the scan for parts need not.
enum class Checksums { kVerify, kIgnore };

// `start_offset`: where in the object the first byte fed lies (a part's start).
std::unique_ptr<Splitter> make_splitter(const DataFormat& format, uint64_t start_offset,
                                        uint64_t record_bytes_max,
                                        BadRecords bad_records = BadRecords::kFail,
                                        Checksums checksums = Checksums::kVerify);

}  // namespace millrace::record
