// Blocks of one size go from stage to stage, whatever they become.
#include "transform/decoding_reader.h"

#include "base/limits.h"

namespace millrace::transform {

using record::CompressionType;
using record::TextEncoding;

DecodingReader::DecodingReader(std::unique_ptr<store::ObjectReader> source,
                               const record::DataFormat& format)
    : source_(std::move(source)) {
  const auto add = [&](std::unique_ptr<record::Decoder> decoder) {
    stages_.push_back({std::move(decoder), std::string(limits::kDecodeBlockBytes, '\0')});
  };
  if (format.compression_type == CompressionType::kGzip) add(record::make_gzip_decoder());
  if (format.encoding != TextEncoding::kUtf8) add(record::make_text_decoder(format.encoding));
}

Result<size_t> DecodingReader::read(std::span<char> buffer) {
  return read_stage(stages_.size(), buffer);
}

Result<size_t> DecodingReader::read_stage(size_t stage, std::span<char> buffer) {
  if (stage == 0) return read_source(buffer);
  Stage& own = stages_[stage - 1];
  for (;;) {
    MR_ASSIGN(const size_t written, own.decoder->decode(&own.pending, own.ended, buffer));
    if (written > 0) return written;
    if (own.ended) return 0;
    // Nothing is pending any more (decoder.h).
    MR_ASSIGN(const size_t got, read_stage(stage - 1, own.block));
    own.pending = std::string_view(own.block).substr(0, got);
    own.ended = got == 0;
  }
}

Result<size_t> DecodingReader::read_source(std::span<char> buffer) {
  MR_ASSIGN(const size_t got, source_->read(buffer));
  source_bytes_ += got;
  return got;
}

}  // namespace millrace::transform
