// DecodingReader: an object's records as they are cut, read from the object as it is stored:
// compressed, or in an encoding that is not UTF-8.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "record/decoder.h"
#include "record/format.h"
#include "store/object_store.h"

namespace millrace::transform {

class DecodingReader final : public store::ObjectReader {
 public:
  // `source` reads the whole object. REQUIRES: is_decoded(format).
  DecodingReader(std::unique_ptr<store::ObjectReader> source, const record::DataFormat& format);

  // An object that is not what its CompressionType or encoding says is bad_input.
  // REQUIRES: buffer.size() >= record::kDecodeBytesMin.
  Result<size_t> read(std::span<char> buffer) override;

  uint64_t source_bytes() const { return source_bytes_; }

 private:
  // One decoder and what it has not yet taken of what the one before it gave.
  struct Stage {
    std::unique_ptr<record::Decoder> decoder;
    std::string block;
    std::string_view pending = {};
    bool ended = false;
  };

  Result<size_t> read_stage(size_t stage, std::span<char> buffer);
  Result<size_t> read_source(std::span<char> buffer);

  const std::unique_ptr<store::ObjectReader> source_;
  std::vector<Stage> stages_;  // in the order in which bytes go through them
  uint64_t source_bytes_ = 0;
};

}  // namespace millrace::transform
