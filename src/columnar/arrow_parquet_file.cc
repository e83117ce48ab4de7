// The footer is read once; each row group is then read by a reader of its own that shares it.
// Column chunks come through buffers, pages one at a time, so that what is held depends on the
// widths of rows and pages and not on the row group.
#include "columnar/arrow_parquet_file.h"

#include <arrow/array.h>
#include <arrow/memory_pool.h>
#include <parquet/arrow/schema.h>
#include <parquet/file_reader.h>
#include <parquet/properties.h>

#include <algorithm>
#include <charconv>
#include <utility>

#include "base/limits.h"
#include "record/join.h"

namespace millrace::columnar {
namespace {

bool holds_texts(const arrow::DataType& type) {
  switch (type.id()) {
    case arrow::Type::STRING:
    case arrow::Type::LARGE_STRING:
    case arrow::Type::STRING_VIEW:
    case arrow::Type::BINARY:
    case arrow::Type::LARGE_BINARY:
    case arrow::Type::BINARY_VIEW:
      return true;
    case arrow::Type::DICTIONARY:
      return holds_texts(*static_cast<const arrow::DictionaryType&>(type).value_type());
    default:
      return false;
  }
}

// REQUIRES: holds_texts(), and the row is not null.
std::string_view text_at(const arrow::Array& array, int64_t row) {
  switch (array.type_id()) {
    case arrow::Type::LARGE_STRING:
    case arrow::Type::LARGE_BINARY:
      return static_cast<const arrow::LargeBinaryArray&>(array).GetView(row);
    case arrow::Type::STRING_VIEW:
    case arrow::Type::BINARY_VIEW:
      return static_cast<const arrow::BinaryViewArray&>(array).GetView(row);
    case arrow::Type::DICTIONARY: {
      const auto& indexed = static_cast<const arrow::DictionaryArray&>(array);
      return text_at(*indexed.dictionary(), indexed.GetValueIndex(row));
    }
    default:
      return static_cast<const arrow::BinaryArray&>(array).GetView(row);
  }
}

// A column of texts as lines.
class TextReader final : public store::ObjectReader {
 public:
  TextReader(std::unique_ptr<BatchReader> batches, TextForm form)
      : batches_(std::move(batches)), form_(form) {}

  Result<size_t> read(std::span<char> buffer) override {
    while (taken_ == lines_.size()) {
      lines_.clear();
      taken_ = 0;
      if (batch_ && row_ < batch_->num_rows()) {
        write_lines(buffer.size());
        continue;
      }
      MR_ASSIGN(batch_, batches_->next());
      if (!batch_) return size_t{0};
      row_ = 0;
    }
    const size_t size = std::min(buffer.size(), lines_.size() - taken_);
    std::copy_n(lines_.data() + taken_, size, buffer.data());
    taken_ += size;
    return size;
  }

 private:
  void write_lines(size_t enough) {
    const arrow::Array& column = *batch_->column(0);
    const bool inputs = form_ == TextForm::kInputs;
    for (; row_ < column.length() && lines_.size() < enough; ++row_) {
      if (inputs) lines_ += R"({"inputs":)";
      if (column.IsNull(row_)) {
        lines_ += "null";
      } else {
        record::append_json_string(text_at(column, row_), &lines_);
      }
      lines_ += inputs ? "}\n" : "\n";
    }
  }

  const std::unique_ptr<BatchReader> batches_;
  const TextForm form_;
  std::shared_ptr<arrow::RecordBatch> batch_;
  int64_t row_ = 0;
  std::string lines_;
  size_t taken_ = 0;
};

}  // namespace

Result<std::shared_ptr<arrow::RecordBatch>> BatchReader::next() {
  std::shared_ptr<arrow::RecordBatch> batch;
  MR_TRY(guarded(
      what_, [&] { return batches_->ReadNext(&batch); }, [&] { return source_->error(); }));
  return batch;
}

ArrowParquetFile::ArrowParquetFile(store::ObjectStore& store, store::ObjectInfo object)
    : store_(store), object_(std::move(object)), name_(store.describe(object_.key)) {}

Result<std::shared_ptr<const ParquetFile>> ArrowParquetFile::open(store::ObjectStore& store,
                                                                  const store::ObjectInfo& object) {
  std::shared_ptr<ArrowParquetFile> file(new ArrowParquetFile(store, object));
  const auto source = std::make_shared<StoreFile>(store, object);
  MR_TRY(guarded(
      "read the Parquet footer of " + file->name_, [&] { return file->read_footer(source); },
      [&] { return source->error(); }));
  return file;
}

arrow::Status ArrowParquetFile::read_footer(const std::shared_ptr<StoreFile>& source) {
  auto parquet = parquet::ParquetFileReader::Open(source);
  metadata_ = parquet->metadata();
  ARROW_ASSIGN_OR_RAISE(const auto reader, parquet::arrow::FileReader::Make(
                                               arrow::system_memory_pool(), std::move(parquet)));
  ARROW_RETURN_NOT_OK(reader->GetSchema(&schema_));
  for (const auto& field : reader->manifest().schema_fields) leaves_.push_back(field.column_index);
  for (int i = 0; i < metadata_->num_row_groups(); ++i) {
    const auto group = metadata_->RowGroup(i);
    int64_t bytes = 0;
    for (int column = 0; column < group->num_columns(); ++column) {
      bytes += group->ColumnChunk(column)->total_compressed_size();
    }
    if (group->num_rows() < 0 || bytes < 0) return arrow::Status::Invalid("a negative size");
    row_groups_.push_back({static_cast<uint64_t>(group->num_rows()), static_cast<uint64_t>(bytes)});
  }
  return arrow::Status::OK();
}

std::string ArrowParquetFile::list_columns() const {
  constexpr int kColumnsShown = 40;
  std::string list;
  for (int i = 0; i < schema_->num_fields() && i < kColumnsShown; ++i) {
    if (i > 0) list += ", ";
    list += std::to_string(i) + " " + schema_->field(i)->name() + " (" +
            schema_->field(i)->type()->ToString() + ")";
  }
  return schema_->num_fields() > kColumnsShown ? list + ", ..." : list;
}

Result<uint32_t> ArrowParquetFile::find_text_column(std::string_view name_or_index) const {
  std::vector<int> found;
  for (int i = 0; i < schema_->num_fields(); ++i) {
    const bool named = schema_->field(i)->name() == name_or_index;
    if (name_or_index.empty() ? holds_texts(*schema_->field(i)->type()) : named) found.push_back(i);
  }
  int index = 0;
  const char* end = name_or_index.data() + name_or_index.size();
  const auto [stop, code] = std::from_chars(name_or_index.data(), end, index);
  const bool number = code == std::errc() && stop == end;
  if (found.empty() && number && index >= 0 && index < schema_->num_fields()) {
    found.push_back(index);
  }
  const auto wrong = [&](const std::string& what) {
    return fail(bad_input(what + "; the columns of " + name_ + " are: " + list_columns()));
  };
  if (found.size() != 1) {
    if (name_or_index.empty()) return wrong("--text-column must say which column is the text");
    const std::string column = "column '" + std::string(name_or_index) + "'";
    return wrong(found.empty() ? "there is no " + column : "there is more than one " + column);
  }
  if (!holds_texts(*schema_->field(found[0])->type())) {
    return wrong("column '" + schema_->field(found[0])->name() + "' does not hold texts");
  }
  return static_cast<uint32_t>(found[0]);
}

Status ArrowParquetFile::check_free(const std::vector<std::string>& names,
                                    std::string_view cure) const {
  for (size_t i = 0; i < names.size(); ++i) {
    const bool twice = std::find(names.begin(), names.begin() + static_cast<std::ptrdiff_t>(i),
                                 names[i]) != names.begin() + static_cast<std::ptrdiff_t>(i);
    if (twice || !schema_->GetAllFieldIndices(names[i]).empty()) {
      return fail(bad_input("there is a column '" + names[i] +
                            "' already, which the result would add: " + std::string(cure)));
    }
  }
  return {};
}

int64_t ArrowParquetFile::batch_rows(uint32_t row_group, const std::vector<int>& leaf_columns,
                                     int64_t batch_bytes) const {
  const auto group = metadata_->RowGroup(static_cast<int>(row_group));
  int64_t bytes = 0;
  for (const int column : leaf_columns) {
    bytes += std::max<int64_t>(0, group->ColumnChunk(column)->total_uncompressed_size());
  }
  const int64_t row_bytes = bytes / std::max<int64_t>(1, group->num_rows()) + 1;
  return std::clamp<int64_t>(batch_bytes / row_bytes, 1, limits::kParquetBatchRowsMax);
}

Result<std::unique_ptr<parquet::arrow::FileReader>> ArrowParquetFile::make_reader(
    const std::shared_ptr<StoreFile>& source, int64_t batch_rows) const {
  std::unique_ptr<parquet::arrow::FileReader> reader;
  MR_TRY(guarded(
      "read " + name_,
      [&]() -> arrow::Status {
        parquet::ReaderProperties properties(arrow::system_memory_pool());
        properties.enable_buffered_stream();
        properties.set_buffer_size(limits::kParquetColumnBufferBytes);
        parquet::ArrowReaderProperties arrow_properties(/*use_threads=*/false);
        arrow_properties.set_pre_buffer(false);
        arrow_properties.set_batch_size(batch_rows);
        ARROW_ASSIGN_OR_RAISE(
            reader,
            parquet::arrow::FileReader::Make(
                arrow::system_memory_pool(),
                parquet::ParquetFileReader::Open(source, properties, metadata_), arrow_properties));
        return arrow::Status::OK();
      },
      [&] { return source->error(); }));
  return reader;
}

Result<std::unique_ptr<BatchReader>> ArrowParquetFile::read_batches(
    uint32_t row_group, const std::vector<int>& leaf_columns, int64_t batch_bytes) const {
  auto batches = std::make_unique<BatchReader>();
  batches->what_ = "read row group " + std::to_string(row_group + 1) + " of " + name_;
  batches->source_ = std::make_shared<StoreFile>(store_, object_);
  MR_ASSIGN(batches->reader_,
            make_reader(batches->source_, batch_rows(row_group, leaf_columns, batch_bytes)));
  MR_TRY(guarded(
      batches->what_,
      [&]() -> arrow::Status {
        ARROW_ASSIGN_OR_RAISE(batches->batches_, batches->reader_->GetRecordBatchReader(
                                                     {static_cast<int>(row_group)}, leaf_columns));
        return arrow::Status::OK();
      },
      [&] { return batches->source_->error(); }));
  return batches;
}

Result<std::unique_ptr<store::ObjectReader>> ArrowParquetFile::read_texts(uint32_t row_group,
                                                                          uint32_t column,
                                                                          TextForm form) const {
  MR_ASSIGN(auto batches,
            read_batches(row_group, {leaf_of(column)}, limits::kParquetTextBatchBytes));
  return std::make_unique<TextReader>(std::move(batches), form);
}

}  // namespace millrace::columnar
