// ParquetFile by Arrow, with what the writer needs of it.
#pragma once

#include <arrow/record_batch.h>
#include <arrow/type.h>
#include <parquet/arrow/reader.h>
#include <parquet/metadata.h>

#include <memory>
#include <string>
#include <vector>

#include "columnar/arrow_store.h"
#include "columnar/parquet_file.h"

namespace millrace::columnar {

// A row group being read, some rows at a time.
class BatchReader {
 public:
  // Null at the end.
  Result<std::shared_ptr<arrow::RecordBatch>> next();

 private:
  friend class ArrowParquetFile;
  std::string what_;  // for messages
  std::shared_ptr<StoreFile> source_;
  std::unique_ptr<parquet::arrow::FileReader> reader_;
  std::unique_ptr<arrow::RecordBatchReader> batches_;
};

class ArrowParquetFile final : public ParquetFile {
 public:
  static Result<std::shared_ptr<const ParquetFile>> open(store::ObjectStore& store,
                                                         const store::ObjectInfo& object);

  const std::vector<RowGroup>& row_groups() const override { return row_groups_; }
  Result<uint32_t> find_text_column(std::string_view name_or_index) const override;
  Status check_free(const std::vector<std::string>& names, std::string_view cure) const override;
  Result<std::unique_ptr<store::ObjectReader>> read_texts(uint32_t row_group, uint32_t column,
                                                          TextForm form) const override;

  // `leaf_columns` as Parquet counts them. At most so many rows at a time that they take some
  // `batch_bytes`.
  Result<std::unique_ptr<BatchReader>> read_batches(uint32_t row_group,
                                                    const std::vector<int>& leaf_columns,
                                                    int64_t batch_bytes) const;

  const std::shared_ptr<arrow::Schema>& schema() const { return schema_; }
  const parquet::FileMetaData& metadata() const { return *metadata_; }
  const std::string& name() const { return name_; }
  // Of a column that is no structure.
  int leaf_of(uint32_t column) const { return leaves_[column]; }

 private:
  ArrowParquetFile(store::ObjectStore& store, store::ObjectInfo object);

  arrow::Status read_footer(const std::shared_ptr<StoreFile>& source);
  Result<std::unique_ptr<parquet::arrow::FileReader>> make_reader(
      const std::shared_ptr<StoreFile>& source, int64_t batch_rows) const;
  int64_t batch_rows(uint32_t row_group, const std::vector<int>& leaf_columns,
                     int64_t batch_bytes) const;
  std::string list_columns() const;

  store::ObjectStore& store_;
  const store::ObjectInfo object_;
  const std::string name_;
  std::shared_ptr<parquet::FileMetaData> metadata_;
  std::shared_ptr<arrow::Schema> schema_;
  std::vector<int> leaves_;  // by column; -1: a structure
  std::vector<RowGroup> row_groups_;
};

}  // namespace millrace::columnar
