// Compression of output objects. One stream for each object, fed in blocks of one size: the
// compressed bytes depend on the object's bytes alone, not on the pieces in which they came.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace millrace::record {

enum class Compression { kNone, kGzip, kZstd };

// "none", "gzip", "zstd"; anything else is nullopt.
std::optional<Compression> parse_compression(std::string_view text);
// What follows the suffix of an output's key: "", ".gz", ".zst".
std::string_view compression_suffix(Compression compression);
// Of compressed bytes, whatever they hold; "" for kNone.
std::string_view compression_media_type(Compression compression);

// Not thread-safe. Holds a few MiB, whatever goes through it.
class Compressor {
 public:
  virtual ~Compressor() = default;
  // Takes the next bytes and appends to `out` what of the compressed stream is ready.
  virtual Status add(std::string_view bytes, std::string* out) = 0;
  // Ends the stream. Nothing may be added afterwards.
  virtual Status finish(std::string* out) = 0;
};

// REQUIRES: not kNone. internal_error where the library finds no memory.
Result<std::unique_ptr<Compressor>> make_compressor(Compression compression);

}  // namespace millrace::record
