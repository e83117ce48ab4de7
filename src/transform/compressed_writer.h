// A writer that compresses what goes through it into another writer.
#pragma once

#include <memory>

#include "base/result.h"
#include "record/compressor.h"
#include "store/object_store.h"

namespace millrace::transform {

// As `out` is, all or nothing: the object is there when commit() answers. kNone: `out` itself.
Result<std::unique_ptr<store::ObjectWriter>> compressed(std::unique_ptr<store::ObjectWriter> out,
                                                        record::Compression compression);

}  // namespace millrace::transform
