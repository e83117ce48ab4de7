// Reads a byte range of a local file and notices when the file is not the one that was listed.
#pragma once

#include <memory>
#include <string>

#include "store/object_store.h"

namespace millrace::store {

// `path` is how the file is opened and how messages name it. bad_input where it changed since it
// was listed or is no regular file; a FIFO or device is never opened.
Result<std::unique_ptr<ObjectReader>> open_file(const std::string& path, const ObjectInfo& object,
                                                uint64_t offset, uint64_t length);

}  // namespace millrace::store
