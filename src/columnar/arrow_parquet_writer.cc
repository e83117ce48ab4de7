// Rows are read, their results beside them, and both written, some at a time. Nothing here depends
// on time, threads or what was written before, so the same rows give the same bytes.
#include "columnar/arrow_parquet_writer.h"

#include <arrow/api.h>
#include <arrow/util/byte_size.h>
#include <arrow/util/compression.h>
#include <parquet/arrow/writer.h>
#include <parquet/properties.h>

#include <charconv>
#include <optional>
#include <utility>

#include "base/limits.h"
#include "columnar/arrow_parquet_file.h"
#include "record/csv_fields.h"
#include "record/splitter.h"

namespace millrace::columnar {
namespace {

using Shape = ResultColumns::Shape;

constexpr char kArrowSchemaKey[] = "ARROW:schema";
// What stands for a refused record's result.
constexpr std::string_view kErrorField = "ERROR";

// The results of a row group, one for each row.
class ResultRows {
 public:
  ResultRows(const ResultColumns& columns, store::ObjectReader& reader)
      : reader_(reader), splitter_(record::make_splitter(format(columns), 0, kRowBytesMax)) {}

  // The next row's; nothing at the end. Valid until the next call.
  Result<std::optional<std::string_view>> next() {
    record::Record row;
    for (;;) {
      MR_ASSIGN(const bool found, splitter_->next(&row));
      if (found) return row.content;
      if (finished_) return std::nullopt;
      MR_ASSIGN(const size_t got, reader_.read(block_));
      finished_ = got == 0;
      if (finished_) {
        splitter_->finish();
      } else {
        splitter_->feed(std::string_view(block_).substr(0, got));
      }
    }
  }

 private:
  static constexpr uint64_t kRowBytesMax = UINT32_MAX;

  // A blank line is a row where there is one field, and none where there are several.
  static record::DataFormat format(const ResultColumns& columns) {
    record::DataFormat format;
    format.content_type = columns.shape == Shape::kText ? "application/jsonlines" : "text/csv";
    format.split_type = record::SplitType::kLine;
    format.csv.rfc4180 = columns.fields.size() > 1;
    return format;
  }

  store::ObjectReader& reader_;
  const std::unique_ptr<record::Splitter> splitter_;
  std::string block_ = std::string(limits::kReadBlockBytes, '\0');
  bool finished_ = false;
};

// Goes over the rows of a row group and says which have no place in the output.
class LeftOut {
 public:
  explicit LeftOut(RowNumbers& rows) : rows_(rows) {}

  Result<bool> next_row() {
    if (row_ == 0) {
      MR_ASSIGN(next_, rows_.next());
    }
    if (next_ != row_++) return false;
    MR_ASSIGN(next_, rows_.next());
    return true;
  }

 private:
  RowNumbers& rows_;
  uint64_t row_ = 0;
  std::optional<uint64_t> next_;
};

// A number as replies print it; nothing where there is none.
Result<std::optional<double>> number_in(std::string_view field) {
  if (field.empty() || field == kErrorField) return std::nullopt;
  double number = 0;
  const char* end = field.data() + field.size();
  const auto [stop, code] = std::from_chars(field.data(), end, number);
  if (code != std::errc() || stop != end) {
    return fail(internal_error("the result '" + std::string(field) + "' is not a number"));
  }
  return number;
}

arrow::FieldVector result_fields(const ResultColumns& results) {
  arrow::FieldVector fields;
  const std::vector<std::string> names = added_columns(results);
  for (size_t i = 0; i < names.size(); ++i) {
    const bool source = !results.source_column.empty() && i + 1 == names.size();
    const bool text =
        source || results.shape == Shape::kText || (results.shape == Shape::kLabelled && i == 0);
    auto type = text ? arrow::utf8() : arrow::float64();
    if (!source && results.shape == Shape::kVector) {
      type = arrow::list(arrow::field("element", arrow::float32(), false));
    }
    fields.push_back(arrow::field(names[i], std::move(type)));
  }
  return fields;
}

// Builds the results' columns for some rows.
class ResultBuilder {
 public:
  explicit ResultBuilder(const ResultColumns& results)
      : results_(results), fields_(result_fields(results)) {
    for (const auto& field : fields_) {
      builders_.push_back(arrow::MakeBuilder(field->type()).ValueOrDie());
    }
  }

  Status append(std::string_view row, std::string_view source_key) {
    if (results_.shape == Shape::kText) {
      MR_TRY(append_text(0, row));
    } else {
      MR_TRY(csv_.parse(row, ','));
      if (csv_.size() != results_.fields.size()) {
        return fail(corruption("a result of " + std::to_string(csv_.size()) + " fields where " +
                               std::to_string(results_.fields.size()) + " are expected"));
      }
      MR_TRY(results_.shape == Shape::kVector ? append_vector() : append_fields());
    }
    if (results_.source_column.empty()) return {};
    return append_text(builders_.size() - 1, source_key);
  }

  arrow::Result<arrow::ArrayVector> finish() {
    arrow::ArrayVector arrays(builders_.size());
    for (size_t i = 0; i < builders_.size(); ++i) {
      ARROW_RETURN_NOT_OK(builders_[i]->Finish(&arrays[i]));
    }
    return arrays;
  }

 private:
  static Status done(const arrow::Status& status) {
    if (status.ok()) return {};
    return fail(internal_error("gather results: " + status.message()));
  }

  Status append_text(size_t column, std::string_view text) {
    return done(static_cast<arrow::StringBuilder&>(*builders_[column]).Append(text));
  }

  Status append_fields() {
    for (size_t i = 0; i < csv_.size(); ++i) {
      if (i == 0 && results_.shape == Shape::kLabelled) {
        MR_TRY(csv_[0].empty() ? done(builders_[0]->AppendNull()) : append_text(0, csv_[0]));
        continue;
      }
      MR_ASSIGN(const auto number, number_in(csv_[i]));
      auto& column = static_cast<arrow::DoubleBuilder&>(*builders_[i]);
      MR_TRY(done(number ? column.Append(*number) : column.AppendNull()));
    }
    return {};
  }

  Status append_vector() {
    auto& list = static_cast<arrow::ListBuilder&>(*builders_[0]);
    if (csv_[0].empty() || csv_[0] == kErrorField) return done(list.AppendNull());
    MR_TRY(done(list.Append()));
    auto& elements = static_cast<arrow::FloatBuilder&>(*list.value_builder());
    for (size_t i = 0; i < csv_.size(); ++i) {
      MR_ASSIGN(const auto number, number_in(csv_[i]));
      if (!number) return fail(corruption("a result lacks a number"));
      MR_TRY(done(elements.Append(static_cast<float>(*number))));
    }
    return {};
  }

  const ResultColumns& results_;
  const arrow::FieldVector fields_;
  std::vector<std::unique_ptr<arrow::ArrayBuilder>> builders_;
  record::CsvFields csv_;
};

// What can be written of what can be read.
parquet::Compression::type codec_of(const parquet::ColumnChunkMetaData& chunk) {
  const auto codec = chunk.compression();
  if (codec == parquet::Compression::LZ4_HADOOP) return parquet::Compression::LZ4;
  return arrow::util::Codec::IsAvailable(codec) ? codec : parquet::Compression::UNCOMPRESSED;
}

std::shared_ptr<parquet::WriterProperties> writer_properties(const ArrowParquetFile& first,
                                                             uint32_t text_column,
                                                             const ResultColumns& results) {
  parquet::WriterProperties::Builder builder;
  builder.max_row_group_length(INT64_MAX);  // we end row groups ourselves
  const parquet::FileMetaData& metadata = first.metadata();
  if (metadata.num_row_groups() == 0) return builder.build();
  const auto group = metadata.RowGroup(0);
  for (int i = 0; i < metadata.num_columns(); ++i) {
    const auto chunk = group->ColumnChunk(i);
    builder.compression(chunk->path_in_schema(), codec_of(*chunk));
  }
  builder.compression(codec_of(*group->ColumnChunk(first.leaf_of(text_column))));
  if (results.shape == Shape::kVector) builder.disable_dictionary("embedding.list.element");
  return builder.build();
}

std::shared_ptr<parquet::ArrowWriterProperties> arrow_properties(const ArrowParquetFile& first) {
  parquet::ArrowWriterProperties::Builder builder;
  builder.set_use_threads(false);
  const parquet::FileMetaData& metadata = first.metadata();
  // Arrow's own schema is kept where there is one; a file of another writer gets none.
  const auto& pairs = metadata.key_value_metadata();
  if (pairs != nullptr && pairs->Contains(kArrowSchemaKey)) builder.store_schema();
  for (int i = 0; i < metadata.num_columns(); ++i) {
    if (metadata.schema()->Column(i)->physical_type() == parquet::Type::INT96) {
      builder.enable_deprecated_int96_timestamps();
    }
  }
  return builder.build();
}

class ArrowParquetWriter final : public ParquetWriter {
 public:
  ArrowParquetWriter(std::shared_ptr<const ParquetFile> first, const ResultColumns& results,
                     store::ObjectWriter& out)
      : first_(std::move(first)),
        results_(results),
        builder_(results_),
        sink_(std::make_shared<StoreSink>(out)) {}

  Status open(uint32_t text_column) {
    const ArrowParquetFile& first = of(*first_);
    arrow::FieldVector fields = first.schema()->fields();
    for (auto& field : result_fields(results_)) fields.push_back(std::move(field));
    schema_ = arrow::schema(std::move(fields), first.schema()->metadata());
    return write([&]() -> arrow::Status {
      ARROW_ASSIGN_OR_RAISE(
          writer_, parquet::arrow::FileWriter::Open(*schema_, arrow::system_memory_pool(), sink_,
                                                    writer_properties(first, text_column, results_),
                                                    arrow_properties(first)));
      return arrow::Status::OK();
    });
  }

  Status add(const ParquetFile& file, std::string_view source_key, uint32_t row_group,
             store::ObjectReader& results, RowNumbers& left_out) override {
    const ArrowParquetFile& from = of(file);
    if (!from.schema()->Equals(*of(*first_).schema(), /*check_metadata=*/false)) {
      return fail(bad_input("the columns of " + from.name() + " are not those of " +
                            of(*first_).name() + ", so their rows cannot stand in one object"));
    }
    std::vector<int> columns(static_cast<size_t>(from.metadata().num_columns()));
    for (size_t i = 0; i < columns.size(); ++i) columns[i] = static_cast<int>(i);
    MR_ASSIGN(const auto batches,
              from.read_batches(row_group, columns, limits::kParquetRowBatchBytes));
    ResultRows rows(results_, results);
    LeftOut gaps(left_out);
    group_bytes_ = limits::kParquetRowGroupBytesMax;  // begin a row group
    for (;;) {
      MR_ASSIGN(const auto batch, batches->next());
      if (!batch) break;
      MR_TRY(add_rows(*batch, source_key, &rows, &gaps));
    }
    MR_ASSIGN(const auto more, rows.next());
    if (more) return fail(corruption("there are more results than rows in " + from.name()));
    return {};
  }

  Status finish() override {
    return write([&] { return writer_->Close(); });
  }

 private:
  static const ArrowParquetFile& of(const ParquetFile& file) {
    return static_cast<const ArrowParquetFile&>(file);
  }

  Status write(const std::function<arrow::Status()>& work) {
    return guarded("write Parquet", work, [&] { return sink_->error(); });
  }

  // The rows of a batch between those that are left out.
  Status add_rows(const arrow::RecordBatch& batch, std::string_view source_key, ResultRows* rows,
                  LeftOut* gaps) {
    int64_t begin = 0;
    for (int64_t i = 0; i < batch.num_rows(); ++i) {
      MR_ASSIGN(const bool left_out, gaps->next_row());
      if (!left_out) {
        MR_TRY(take_result(rows, source_key));
        continue;
      }
      MR_TRY(write_rows(batch, begin, i));
      begin = i + 1;
    }
    return write_rows(batch, begin, batch.num_rows());
  }

  Status write_rows(const arrow::RecordBatch& batch, int64_t begin, int64_t end) {
    if (begin == end) return {};
    return write_batch(*batch.Slice(begin, end - begin));
  }

  Status take_result(ResultRows* rows, std::string_view source_key) {
    MR_ASSIGN(const auto row, rows->next());
    if (!row) return fail(corruption("there are fewer results than rows"));
    return builder_.append(*row, source_key);
  }

  Status write_batch(const arrow::RecordBatch& batch) {
    return write([&]() -> arrow::Status {
      ARROW_ASSIGN_OR_RAISE(const arrow::ArrayVector results, builder_.finish());
      arrow::ArrayVector columns = batch.columns();
      columns.insert(columns.end(), results.begin(), results.end());
      const auto joined = arrow::RecordBatch::Make(schema_, batch.num_rows(), std::move(columns));
      if (group_bytes_ >= limits::kParquetRowGroupBytesMax) {
        ARROW_RETURN_NOT_OK(writer_->NewBufferedRowGroup());
        group_bytes_ = 0;
      }
      ARROW_ASSIGN_OR_RAISE(const int64_t bytes, arrow::util::ReferencedBufferSize(*joined));
      group_bytes_ += bytes;
      return writer_->WriteRecordBatch(*joined);
    });
  }

  const std::shared_ptr<const ParquetFile> first_;
  const ResultColumns results_;
  ResultBuilder builder_;
  const std::shared_ptr<StoreSink> sink_;
  std::shared_ptr<arrow::Schema> schema_;
  std::unique_ptr<parquet::arrow::FileWriter> writer_;
  int64_t group_bytes_ = 0;  // of the row group that is being written, as Arrow holds them
};

}  // namespace

Result<std::unique_ptr<ParquetWriter>> make_arrow_writer(
    const std::shared_ptr<const ParquetFile>& first, uint32_t text_column,
    const ResultColumns& results, store::ObjectWriter& out) {
  auto writer = std::make_unique<ArrowParquetWriter>(first, results, out);
  MR_TRY(writer->open(text_column));
  return writer;
}

}  // namespace millrace::columnar
