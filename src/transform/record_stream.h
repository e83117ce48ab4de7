// RecordStream: the records of a byte range of an object, one after the other, read a block at a
// time. Errors name the record at which they happened.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "base/cancel.h"
#include "base/result.h"
#include "record/csv_header.h"
#include "record/record_filter.h"
#include "record/splitter.h"
#include "store/object_store.h"
#include "transform/decoding_reader.h"
#include "transform/part.h"

namespace millrace::transform {

class RecordStream {
 public:
  // `part` gives the range and the number of its first record. `format` outlives the stream.
  static Result<RecordStream> open(store::ObjectStore& store, const store::ObjectInfo& object,
                                   const Part& part, const record::DataFormat& format,
                                   const CancelToken& cancel, record::BadRecords bad_records,
                                   record::Checksums checksums = record::Checksums::kVerify);

  // The same over a reader that yields the part's records as lines (rows of Parquet).
  static RecordStream over(std::unique_ptr<store::ObjectReader> lines, const Part& part,
                           const record::DataFormat& format, const CancelToken& cancel,
                           record::BadRecords bad_records);

  // Takes the object's CSV header; the records then start after it.
  // REQUIRES: the range begins at 0 and nothing was taken yet.
  Result<record::CsvHeader> take_header();

  // From now on records are given as InputFilter lets them through, hence as they are sent: what
  // follows about their size is about that. `path`: resolved for this object; the root: as they
  // are.
  void set_filter(const record::JsonPath& path);
  bool is_filtered() const { return filter_ != nullptr; }

  // False: the end. The record is valid until the next call. A record that cannot be used, as one
  // that is larger than the payload may be, that InputFilter does not fit or whose checksum is
  // wrong, is bad_input, or under BadRecords::kGive a record with its problem.
  Result<bool> next(record::Record* record);

  // The last record as it stands in the object: its content, and its bytes with the line end.
  std::string_view original() const { return original_; }
  uint64_t original_bytes() const { return original_bytes_; }

  // Number of the record that next() would give, counted from 0.
  uint64_t next_record() const { return next_record_; }
  // Where in the object the next record starts, blank lines apart.
  uint64_t position() const { return splitter_->position(); }
  // Where the object is decoded: how much of it has been read since the last call.
  std::optional<uint64_t> take_source_bytes();

 private:
  RecordStream(std::unique_ptr<store::ObjectReader> reader, const Part& part,
               const record::DataFormat& format, CancelToken cancel, record::BadRecords bad_records,
               record::Checksums checksums);
  void start_at(uint64_t offset);
  Status read_more();
  void filter(record::Record* record);
  Error at_next_record(Error error) const;
  void refuse_if_too_large(record::Record* record);

  std::unique_ptr<store::ObjectReader> reader_;
  DecodingReader* decoding_ = nullptr;  // reader_, where the object is decoded
  uint64_t source_bytes_ = 0;           // told by take_source_bytes()
  const record::DataFormat* format_;
  CancelToken cancel_;
  record::BadRecords bad_records_;
  std::string problem_;  // of the record that was given
  record::Checksums checksums_;
  std::unique_ptr<record::Splitter> splitter_;
  std::unique_ptr<record::RecordFilter> filter_;  // null: records are sent as they are
  std::string filtered_;                          // the last record, as it is sent
  std::string_view original_;
  uint64_t original_bytes_ = 0;
  std::string block_;
  bool finished_ = false;
  uint64_t next_record_;
};

}  // namespace millrace::transform
