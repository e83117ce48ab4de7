// Stamps: what S3 keeps as an object's user metadata, for files. A file's metadata lies beside it
// under the hidden name ".millrace-stamp-NAME.txt", which also says for which version of the file
// it was written: beside a file that was replaced since, a stamp says nothing.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"
#include "store/object_store.h"

namespace millrace::store {

using Metadata = std::map<std::string, std::string>;

// A writer that stamps the file once `writer` has committed it. A stamp that cannot be written is
// none: the file is there, whole, and nothing is known of it.
std::unique_ptr<ObjectWriter> stamp_when_committed(std::unique_ptr<ObjectWriter> writer,
                                                   std::string path, Metadata metadata);

// What the stamp beside the file `path` says of it; empty: nothing is known.
Metadata read_stamp(const std::string& path);

// Where the stamp of the file lies.
std::string stamp_path(const std::string& path);

}  // namespace millrace::store
