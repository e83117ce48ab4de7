// What Parquet is, columnar/ knows; here its row groups become parts.
#include "transform/parquet_object.h"

#include <utility>

#include "columnar/parquet_file.h"
#include "columnar/parquet_writer.h"

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
    opened.fits =
        opened.file->check_free(columnar::added_columns(result_columns(job, traits)),
                                "set another MILLRACE_RESULT_PREFIX (now '" + job.result_prefix +
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
    for (uint32_t group = 0; group < file->row_groups().size(); ++group) {
      if (context.cancel.cancelled()) return fail(cancelled("stopped"));
      if (group >= object.parts.size()) {
        return fail(corruption(context.input.describe(input.key) + " changed while it was read"));
      }
      MR_ASSIGN(const auto results, context.staged.read(object.parts[group]));
      MR_TRY(writer->add(*file, input.key, group, *results));
    }
  }
  return writer->finish();
}

}  // namespace millrace::transform
