// The zip files that torch.save writes: entries are stored, not compressed, so that tensors can be
// used where they lie. Read strictly; nothing is unpacked.
#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <span>
#include <string>

#include "base/result.h"

namespace millrace::model {

using ZipEntries = std::map<std::string, std::span<const std::byte>, std::less<>>;

// Name -> bytes of each entry of a zip file, also of one above 4 GiB. invalid_argument: no zip
// file, damaged, compressed entries, or two of one name.
Result<ZipEntries> read_stored_zip(std::span<const std::byte> file);

}  // namespace millrace::model
