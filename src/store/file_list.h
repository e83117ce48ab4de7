// Lists the files below a folder as keys, in bytewise order. Within a folder, names are sorted with
// '/' appended to those of folders; visited depth first, that is the order of the whole keys.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "store/object_store.h"

struct stat;

namespace millrace::store {

// Names of our own unfinished files begin so; no listing shows them.
constexpr std::string_view kHiddenPrefix = ".millrace-";

using Visit = std::function<Status(const ObjectInfo&)>;

// Follows symbolic links. What is no readable file (FIFO, device, dangling link, link that leads
// back to a folder above it, unreadable folder) is visited with `problem` set. not_found where
// `root` is missing; a root that cannot be read is an error.
Status list_files(const std::string& root, std::string_view prefix, const Visit& visit);

// The entry of one file: size and etag, or problem.
ObjectInfo describe_file(std::string key, const struct stat& info);

}  // namespace millrace::store
