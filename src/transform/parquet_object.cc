// What Parquet is, columnar/ knows; here its row groups become parts.
#include "transform/parquet_object.h"

#include <utility>

#include "base/json_check.h"
#include "base/limits.h"
#include "columnar/parquet_file.h"
#include "columnar/parquet_writer.h"
#include "record/splitter.h"
#include "transform/refusals.h"

namespace millrace::transform {
namespace {

using columnar::ParquetFile;
using columnar::ResultColumns;

ResultColumns result_columns(const TransformJob& job, const handler::HandlerTraits& traits) {
  ResultColumns columns;
  columns.fields = traits.result_columns;
  columns.source_column = job.output_form.source_column;
  switch (traits.result_shape) {
    case handler::ResultShape::kLabelled:
      columns.shape = ResultColumns::Shape::kLabelled;
      break;
    case handler::ResultShape::kNumbers:
      columns.shape = ResultColumns::Shape::kNumbers;
      break;
    case handler::ResultShape::kVector:
      columns.shape = ResultColumns::Shape::kVector;
      break;
    case handler::ResultShape::kEchoed:  // refused before a job begins
    case handler::ResultShape::kUnknown:
      break;  // a reply is one text
  }
  return columns;
}

struct OpenedObject {
  std::shared_ptr<const ParquetFile> file;
  Status fits;  // the job's columns are there, and the results' are not
};

Result<OpenedObject> open_object(const TransformJob& job, store::ObjectStore& input,
                                 const store::ObjectInfo& object,
                                 const handler::HandlerTraits& traits) {
  OpenedObject opened;
  MR_ASSIGN(opened.file, columnar::open_parquet(input, object));
  const Result<uint32_t> text = opened.file->find_text_column(job.text_column);
  if (!text) {
    opened.fits = fail(text.error());
  } else {
    opened.fits = opened.file->check_free(
        columnar::added_columns(result_columns(job, traits)),
        "set another --result-prefix (MILLRACE_RESULT_PREFIX; now '" + job.result_prefix +
            "') or --merge-source-column, or rename the column");
  }
  return opened;
}

Status find_parts(store::ObjectStore& store, const TransformJob& job,
                  const store::ObjectInfo& object, const handler::HandlerTraits& traits,
                  const PartSink& emit, Part* part) {
  MR_ASSIGN(const OpenedObject opened, open_object(job, store, object, traits));
  MR_TRY(opened.fits);
  const auto& groups = opened.file->row_groups();
  for (size_t i = 0; i < groups.size(); ++i) {
    part->parquet = opened.file;
    part->length = groups[i].bytes;
    part->records = groups[i].rows;
    if (i + 1 == groups.size()) break;  // the caller's, which is the last
    if (!emit(*part)) {
      part->index += 1;
      part->records = 0;
      return fail(cancelled("stopped"));
    }
    part->index += 1;
    part->first_record += groups[i].rows;
  }
  return {};
}

// The rows of a part that its error lines tell of: where refused records are dropped, no result is
// staged for them.
class DroppedRows final : public columnar::RowNumbers {
 public:
  // `reader`: null where nothing was refused. `first_record`: the part's.
  DroppedRows(std::unique_ptr<store::ObjectReader> reader, std::string object,
              uint64_t first_record)
      : reader_(std::move(reader)),
        object_(std::move(object)),
        first_record_(first_record),
        splitter_(record::make_splitter(lines(), 0, kLineBytesMax)) {}

  Result<std::optional<uint64_t>> next() override {
    record::Record line;
    while (reader_) {
      MR_ASSIGN(const bool found, splitter_->next(&line));
      if (found) {
        const auto record = record_in_error_line(line.content, object_);
        if (record && *record >= first_record_) return *record - first_record_;
        return fail(corruption("a staged error line of " + object_ + " is damaged"));
      }
      MR_ASSIGN(const size_t got, reader_->read(block_));
      if (got > 0) splitter_->feed(std::string_view(block_).substr(0, got));
      if (got == 0) reader_ = nullptr;
    }
    return std::nullopt;
  }

 private:
  // Of a record each byte may take six, of a cause likewise.
  static constexpr uint64_t kLineBytesMax = 16 * limits::kErrorRecordBytesMax;

  static record::DataFormat lines() {
    record::DataFormat format;
    format.content_type = "application/jsonlines";
    format.split_type = record::SplitType::kLine;
    return format;
  }

  std::unique_ptr<store::ObjectReader> reader_;
  const std::string object_;
  const uint64_t first_record_;
  const std::unique_ptr<record::Splitter> splitter_;
  std::string block_ = std::string(limits::kReadBlockBytes, '\0');
};

// Appends an object's rows, from its staged parts.
Status add_object(const AssembleContext& context, const StagedObject& object,
                  const ParquetFile& file, columnar::ParquetWriter& writer) {
  const store::ObjectInfo& input = object.planned->input;
  const std::string name = context.input.describe(input.key);
  const bool drops = context.job.record_errors.on == RecordErrorRules::On::kDrop;
  uint64_t first_record = 0;
  for (uint32_t group = 0; group < file.row_groups().size(); ++group) {
    if (context.cancel.cancelled()) return fail(cancelled("stopped"));
    if (group >= object.parts.size()) {
      return fail(corruption(name + " changed while it was read"));
    }
    MR_ASSIGN(const auto results, context.staged.read(object.parts[group]));
    std::unique_ptr<store::ObjectReader> errors;
    if (drops) {
      MR_ASSIGN(errors, context.staged.read_errors(object.parts[group]));
    }
    DroppedRows dropped(std::move(errors), name, first_record);
    MR_TRY(writer.add(file, input.key, group, *results, dropped));
    first_record += file.row_groups()[group].rows;
  }
  return {};
}

}  // namespace

Status check_first_parquet(const TransformJob& job, store::ObjectStore& input,
                           const handler::HandlerTraits& traits) {
  for (const PlannedObject& object : job.objects) {
    if (!object.input.problem.empty()) continue;
    const Result<OpenedObject> opened = open_object(job, input, object.input, traits);
    if (!opened && opened.error().code == Code::kInvalidArgument) return fail(opened.error());
    if (!opened || opened->fits) return {};
    return fail(
        invalid_argument(input.describe(object.input.key) + ": " + opened->fits.error().message));
  }
  return {};
}

void scan_parquet(store::ObjectStore& store, const TransformJob& job,
                  const store::ObjectInfo& object, const handler::HandlerTraits& traits,
                  const PartSink& emit) {
  Part part;
  part.records = 0;
  if (Status status = find_parts(store, job, object, traits, emit, &part); !status) {
    part.end_error = std::move(status).error();
  }
  part.last = true;
  emit(std::move(part));
}

Result<std::unique_ptr<store::ObjectReader>> read_texts(const PartContext& context,
                                                        const Part& part) {
  // A handler that answers requests as a container does is sent what those for texts take.
  const auto form = context.handler.traits().reads_records_alone ? columnar::TextForm::kString
                                                                 : columnar::TextForm::kInputs;
  if (part.parquet == nullptr) return columnar::no_texts();
  MR_ASSIGN(const uint32_t column, part.parquet->find_text_column(context.job.text_column));
  return part.parquet->read_texts(part.index, column, form);
}

std::optional<std::string> row_text(std::string_view line) {
  constexpr std::string_view kBefore = R"({"inputs":)";
  if (line.starts_with(kBefore))
    line = line.substr(kBefore.size(), line.size() - kBefore.size() - 1);
  if (!line.starts_with('"')) return std::nullopt;
  std::string text;
  append_json_unescaped(line.substr(1, line.size() - 2), &text);
  return text;
}

Status assemble_parquet(const AssembleContext& context, std::span<const StagedObject> objects,
                        store::ObjectWriter& out) {
  const ResultColumns columns = result_columns(context.job, context.traits);
  std::unique_ptr<columnar::ParquetWriter> writer;
  for (const StagedObject& object : objects) {
    const store::ObjectInfo& input = object.planned->input;
    MR_ASSIGN(const auto file, columnar::open_parquet(context.input, input));
    if (!writer) {
      MR_ASSIGN(const uint32_t text, file->find_text_column(context.job.text_column));
      MR_ASSIGN(writer, columnar::make_parquet_writer(file, text, columns, out));
    }
    MR_TRY(add_object(context, object, *file, *writer));
  }
  return writer->finish();
}

}  // namespace millrace::transform
