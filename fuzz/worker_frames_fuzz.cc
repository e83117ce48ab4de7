// What a Python worker sends comes from a process that runs anybody's code: headers are refused or
// bounded, and fields never reach beyond what was sent.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/check.h"
#include "base/limits.h"
#include "handler/worker_frames.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  namespace handler = millrace::handler;
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  if (size >= handler::kFrameHeaderBytes) {
    const auto header = handler::read_frame_header(bytes.substr(0, handler::kFrameHeaderBytes));
    MR_CHECK(header || !header.error().message.empty());
    if (header) MR_CHECK(header->body_bytes <= millrace::limits::kReplyBytesMax);
  }
  size_t total = 0;
  for (const auto& field : handler::read_fields(bytes)) total += field.size();
  MR_CHECK(total <= size);
  return 0;
}
