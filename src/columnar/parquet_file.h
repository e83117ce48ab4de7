// Parquet objects, read: what row groups there are, and the texts of one of them. Where the program
// was built without Apache Arrow, open_parquet() refuses and says how to get it.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "store/object_store.h"

namespace millrace::columnar {

struct RowGroup {
  uint64_t rows = 0;
  uint64_t bytes = 0;  // in the object
};

// How a text is written as a line of JSON: "..." or {"inputs":"..."}. No text is null.
enum class TextForm { kString, kInputs };

// What the footer says; the object's bytes are read when they are wanted. Thread-safe.
class ParquetFile {
 public:
  virtual ~ParquetFile() = default;

  virtual const std::vector<RowGroup>& row_groups() const = 0;

  // The column of that name or, where none has it and it is a number, of that 0-based index; "" is
  // the only column that holds texts. bad_input where there is none, more than one, or it does not
  // hold texts; the message lists the columns.
  virtual Result<uint32_t> find_text_column(std::string_view name_or_index) const = 0;

  // bad_input where a column has one of these names; it ends with `cure`.
  virtual Status check_free(const std::vector<std::string>& names, std::string_view cure) const = 0;

  // The texts of a row group's rows, a line of JSON each, in order. Bytes that are not UTF-8 are
  // passed on. The file outlives the reader. What is held does not depend on the row group's size.
  virtual Result<std::unique_ptr<store::ObjectReader>> read_texts(uint32_t row_group,
                                                                  uint32_t column,
                                                                  TextForm form) const = 0;
};

// `store` outlives the file. bad_input where the object is no Parquet, is damaged, or is encrypted;
// invalid_argument where this program knows no Parquet.
Result<std::shared_ptr<const ParquetFile>> open_parquet(store::ObjectStore& store,
                                                        const store::ObjectInfo& object);

// Of an object without rows.
std::unique_ptr<store::ObjectReader> no_texts();

}  // namespace millrace::columnar
