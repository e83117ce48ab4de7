// Decoder: from the bytes of an object as it is stored (compressed, in another encoding) to those
// that are cut into records. Streaming: memory does not grow with the object, nor with what it
// unpacks to.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"
#include "record/format.h"

namespace millrace::record {

// Room that decode() needs to be able to go on.
constexpr size_t kDecodeBytesMin = 16;

// Not thread-safe.
class Decoder {
 public:
  virtual ~Decoder() = default;
  // Takes bytes from the front of *in and writes what they become to `out`; answers how much that
  // is. 0: `in` is empty, and more of the object is needed or, where `whole`, all was written.
  // `whole`: nothing follows `in`. bad_input where the bytes are not what they are said to be.
  // REQUIRES: out.size() >= kDecodeBytesMin.
  virtual Result<size_t> decode(std::string_view* in, bool whole, std::span<char> out) = 0;
};

// Gzip, of one member or several. Errors: no gzip data, damaged data, an end that is missing, bytes
// behind the end; with the byte of the compressed object.
std::unique_ptr<Decoder> make_gzip_decoder();

// From `encoding` to UTF-8 without a byte order mark. What has no meaning in the encoding (a
// surrogate without its other half, a byte that stands for nothing) becomes the byte 0xFF, which is
// not UTF-8 either: so it is for whoever reads the text to refuse or replace it. bad_input: UTF-16
// without a byte order mark.
// REQUIRES: not kUtf8.
std::unique_ptr<Decoder> make_text_decoder(TextEncoding encoding);

// Text that a text decoder made, for an output that has to be UTF-8: U+FFFD for each 0xFF.
std::string with_replacements(std::string_view decoded);

}  // namespace millrace::record
