// S3DataType ManifestFile: a JSON list of the objects to transform,
// [{"prefix":"s3://bucket/folder/"},"a.csv","sub/b.csv"].
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace millrace::transform {

struct Manifest {
  std::string prefix;
  std::vector<std::string> keys;  // relative: an object is prefix + key, joined as they stand
};

// invalid_argument where it is no manifest; the message says where, and what a manifest is.
Result<Manifest> parse_manifest(std::string_view text);

}  // namespace millrace::transform
