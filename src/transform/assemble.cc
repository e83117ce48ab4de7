// Bytes are joined end to end; the rows of Parquet meet their results in parquet_object.cc.
#include "transform/assemble.h"

#include <utility>

#include "record/csv_header.h"
#include "transform/csv_columns.h"
#include "transform/parquet_object.h"

namespace millrace::transform {
namespace {

// Whether the results of an object begin with a header of their own.
bool results_have_header(const AssembleContext& context) {
  return has_csv_header(context.job.format) && !context.traits.result_columns.empty() &&
         reply_media_type(context.job.format) == record::MediaType::kCsv;
}

Result<record::CsvHeader> staged_header(const AssembleContext& context,
                                        const std::string& first_part) {
  MR_ASSIGN(const auto reader, context.staged.read(first_part));
  auto read = [&](std::span<char> buffer) { return reader->read(buffer); };
  record::DataFormat format = context.job.format;
  format.content_type = "text/csv";
  format.split_type = record::SplitType::kLine;
  return record::read_csv_header(read, format);
}

Error other_columns(const AssembleContext& context, const PlannedObject& first,
                    const PlannedObject& other) {
  return bad_input("the columns of " + context.input.describe(other.input.key) +
                   " are not those of " + context.input.describe(first.input.key) +
                   ", so their rows cannot stand in one object");
}

}  // namespace

Status assemble(const AssembleContext& context, std::span<const StagedObject> objects,
                store::ObjectWriter& out) {
  if (is_parquet(context.job.format)) return assemble_parquet(context, objects, out);
  const bool headers = objects.size() > 1 && results_have_header(context);
  std::string header;
  for (const StagedObject& object : objects) {
    uint64_t from = 0;  // of the first part: what follows the header
    if (headers) {
      MR_ASSIGN(record::CsvHeader own, staged_header(context, object.parts.front()));
      const bool first = &object == objects.data();
      if (first) header = std::move(own.line);
      if (!first && own.line != header) {
        return fail(other_columns(context, *objects.front().planned, *object.planned));
      }
      from = first ? 0 : own.end;
    }
    for (const std::string& part : object.parts) {
      if (context.cancel.cancelled()) return fail(cancelled("stopped"));
      MR_TRY(context.staged.copy(part, out, std::exchange(from, 0)));
    }
  }
  return {};
}

}  // namespace millrace::transform
