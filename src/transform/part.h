// A part: a byte range of an object that is transformed on its own. It starts at a mini-batch
// boundary, so that the requests a model sees do not depend on how the object was cut.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "base/error.h"
#include "handler/inference_handler.h"
#include "record/format.h"

namespace millrace::columnar {
class ParquetFile;
}

namespace millrace::transform {

// InputFilter and OutputFilter, columns that they name replaced by their indexes in one object.
struct Filters {
  explicit Filters(const record::DataFormat& format)
      : input(format.input_filter), output(format.output_filter) {}
  record::JsonPath input, output;
};

struct Part {
  uint32_t index = 0;
  uint64_t offset = 0;
  uint64_t length = 0;
  uint64_t first_record = 0;        // counted from 0; a CSV header is not counted
  std::optional<uint64_t> records;  // where a scan counted them
  bool last = false;
  // Index of the text column where the object's CSV header named it; for parts after the first,
  // which reads the header itself.
  std::optional<uint32_t> text_column;
  // The row group of a Parquet object that is this part: the part's index. Its bytes are those of
  // the row group, for the progress; offset is not used.
  std::shared_ptr<const columnar::ParquetFile> parquet;
  std::shared_ptr<const Filters> filters;  // likewise
  std::optional<uint32_t> input_columns;   // likewise: how many the header names
  // What stopped the scan after this part. The object fails with it unless an earlier record does.
  std::optional<Error> end_error;

  bool is_whole_object() const { return index == 0 && last; }
};

// Records that could not be answered and cost only themselves.
struct RefusedRecords {
  uint64_t count = 0;
  uint64_t first_record = UINT64_MAX;  // number of the lowest
  std::string first_cause;             // "record 7 (byte 812): cause"
  RefusedRecords& operator+=(const RefusedRecords& other);
};

struct PartResult {
  uint64_t records = 0;  // refused ones too
  RefusedRecords refused;
  uint64_t bytes = 0;        // of the output
  uint64_t error_bytes = 0;  // of the errors file
  handler::InvokeCounts counts;
  PartResult& operator+=(const PartResult& other);
};

// How messages name a record: "record 7 (byte 812)". Records are counted from 1 as people do, and a
// CSV header is none, so where records are lines under a header the line is given too: "record 7
// (line 8, byte 812)". `record` counts from 0; `offset` is the record's in the object.
std::string record_name(const record::DataFormat& format, uint64_t record, uint64_t offset);

// Records are rows of Parquet objects, their results columns.
bool is_parquet(const record::DataFormat& format);

// The object begins with a header, which is no record.
bool has_csv_header(const record::DataFormat& format);

}  // namespace millrace::transform
