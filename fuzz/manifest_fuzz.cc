// Manifests: any text is a manifest or says what is wrong; what is one has keys that are UTF-8.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/check.h"
#include "transform/manifest.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto manifest = millrace::transform::parse_manifest(text);
  if (!manifest) {
    MR_CHECK(manifest.error().code == millrace::Code::kInvalidArgument);
    MR_CHECK(!manifest.error().message.empty());
    return 0;
  }
  // Each key stands in the text between two quotes.
  MR_CHECK(manifest->keys.size() <= size / 3);
  return 0;
}
