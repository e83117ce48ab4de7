// What an object's CSV header decides: where the text stands, and the header of the output.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "base/result.h"
#include "handler/inference_handler.h"
#include "record/csv_header.h"
#include "transform/part.h"
#include "transform/transform_job.h"

namespace millrace::transform {

struct CsvColumns {
  std::optional<uint32_t> text_column;    // in the records as they are sent
  std::optional<uint32_t> input_columns;  // how many the header names
  std::string output_header;              // with its line end; "": none
  std::shared_ptr<const Filters> filters;
};

// bad_input where the header lacks the text column or a column that a filter names, or has a column
// already that joining the results would add (the message names it and MILLRACE_RESULT_PREFIX).
Result<CsvColumns> resolve_csv_columns(const record::CsvHeader& header, const TransformJob& job,
                                       const handler::HandlerTraits& traits);

// The same for objects without header: an index is passed on to the handler, a name is its own
// matter (it may be a field of JSON records).
CsvColumns columns_without_header(const TransformJob& job);

// The media type that replies have: Accept, or what the content type implies.
record::MediaType reply_media_type(const record::DataFormat& format);

}  // namespace millrace::transform
