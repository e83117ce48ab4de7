// Parquet objects in the data path: a row group is a part, the rows' texts go to the handler as
// JSON Lines, its replies are staged as CSV rows, and where all are there one writer puts the rows
// and their results together.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"
#include "handler/inference_handler.h"
#include "store/object_store.h"
#include "transform/assemble.h"
#include "transform/scan_object.h"
#include "transform/transform_part.h"

namespace millrace::transform {

// What would fail every object, seen in the first one before anything is started: no such text
// column, or a column that has a result's name. invalid_argument. An object that cannot be read at
// all is left to fail by itself.
Status check_first_parquet(const TransformJob& job, store::ObjectStore& input,
                           const handler::HandlerTraits& traits);

// Hands out a part for each row group; as scan_object does.
void scan_parquet(store::ObjectStore& store, const TransformJob& job,
                  const store::ObjectInfo& object, const handler::HandlerTraits& traits,
                  const PartSink& emit);

// The texts of a part, a line of JSON for each row.
Result<std::unique_ptr<store::ObjectReader>> read_texts(const PartContext& context,
                                                        const Part& part);

// A row's text, from the line that it was sent as; nothing where the text is null.
std::optional<std::string> row_text(std::string_view line);

// As assemble(), for Parquet: each row with its result, but for refused ones that are dropped.
// bad_input where the objects have different columns. Takes some 300 MiB of memory at most, and
// what one page of the input takes.
Status assemble_parquet(const AssembleContext& context, std::span<const StagedObject> objects,
                        store::ObjectWriter& out);

}  // namespace millrace::transform
