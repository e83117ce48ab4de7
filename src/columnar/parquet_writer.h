// Parquet objects, written: the rows of other Parquet objects, each with its result.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "columnar/parquet_file.h"
#include "store/object_store.h"

namespace millrace::columnar {

// What is known of a row's result, which comes as a CSV row (kText: as any line).
struct ResultColumns {
  enum class Shape {
    kText,      // one text column, SageMakerOutput, that holds the line
    kLabelled,  // a text column, then doubles
    kNumbers,   // doubles
    kVector     // one column, embedding: list<float32>
  };
  Shape shape = Shape::kText;
  std::vector<std::string> fields;  // of the CSV row; but for kText and kVector the columns' names
  std::string source_column;        // not empty: a last column with the key of the row's object
};
// Their names as they stand in the output.
std::vector<std::string> added_columns(const ResultColumns& results);

// Rows of a row group, counted from 0, in order.
class RowNumbers {
 public:
  virtual ~RowNumbers() = default;
  virtual Result<std::optional<uint64_t>> next() = 0;  // nothing: the end
};

class ParquetWriter {
 public:
  virtual ~ParquetWriter() = default;
  // Appends a row group of `file` with its results, one line for each row. An empty field is null,
  // and so is a number's place that says ERROR (a refused record). Rows that `left_out` names have
  // no result and are not written. A row group whose columns are large is written as several.
  // bad_input where the file's columns are not the first one's; corruption where there are more or
  // fewer results than rows. What is held is bounded.
  virtual Status add(const ParquetFile& file, std::string_view source_key, uint32_t row_group,
                     store::ObjectReader& results, RowNumbers& left_out) = 0;
  // Writes the footer. The object is the caller's to commit.
  virtual Status finish() = 0;
};

// Columns, their types, compression and metadata are those of `first`, then the results', which are
// compressed as its text column is. `out` outlives the writer.
Result<std::unique_ptr<ParquetWriter>> make_parquet_writer(
    const std::shared_ptr<const ParquetFile>& first, uint32_t text_column,
    const ResultColumns& results, store::ObjectWriter& out);

}  // namespace millrace::columnar
