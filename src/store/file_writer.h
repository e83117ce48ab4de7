// Writes one local file, whole or not at all. The bytes go to an unnamed file (O_TMPFILE), which
// the kernel forgets if we die, and commit gives it its name. Where the name is taken, or the file
// system knows no unnamed files, a hidden name is used in between: that one is journalled first.
#pragma once

#include <memory>
#include <string>

#include "store/object_store.h"

namespace millrace::store {

enum class FileKind { kUnnamed, kHidden };  // kHidden: as if there were no O_TMPFILE

// Folders are made at commit (the root at once) and taken away again, if empty, when it fails.
Result<std::unique_ptr<ObjectWriter>> create_file(const std::string& root, std::string_view key,
                                                  const WriteOptions& options,
                                                  FileKind kind = FileKind::kUnnamed);

// Removes the hidden files that writers of `key` left; `id` is one's path below root, or empty.
Status remove_hidden_files(const std::string& root, std::string_view key, std::string_view id);

}  // namespace millrace::store
