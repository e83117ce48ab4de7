// What a model server answers: any bytes are read without a crash, parameters are within their
// bounds, and a quoted refusal is short and has no control characters.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/check.h"
#include "base/limits.h"
#include "handler/http_messages.h"

namespace handler = millrace::handler;
namespace limits = millrace::limits;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const handler::ExecutionParameters read = handler::parse_execution_parameters(text);
  const uint64_t transforms = read.max_concurrent_transforms.value_or(1);
  MR_CHECK(transforms >= 1 && transforms <= limits::kConcurrentTransformsMax);
  const uint64_t payload = read.max_payload_in_mb.value_or(1);
  MR_CHECK(payload >= 1 && payload <= limits::kPayloadBytesMax / limits::kMiB);
  const std::string quoted = handler::reply_excerpt(text);
  MR_CHECK(quoted.size() <= limits::kReplyExcerptBytesMax + 16);
  for (const char c : quoted) {
    MR_CHECK(static_cast<unsigned char>(c) >= ' ' || c == '\n' || c == '\t');
  }
  return 0;
}
