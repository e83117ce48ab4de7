// The safetensors header comes from anywhere: whatever it says, every tensor that is accepted lies
// within the file, and its size agrees with its type and shape.
#include <cstddef>
#include <cstdint>
#include <span>

#include "base/check.h"
#include "model/safetensors.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto file = std::as_bytes(std::span(data, size));
  const auto tensors = millrace::model::parse_safetensors(file, "fuzz");
  if (!tensors) {
    MR_CHECK(!tensors.error().message.empty());
    return 0;
  }
  size_t total = 0;
  for (const auto& [name, tensor] : *tensors) {
    MR_CHECK(tensor.bytes.data() >= file.data());
    MR_CHECK(tensor.bytes.data() + tensor.bytes.size() <= file.data() + file.size());
    MR_CHECK(tensor.bytes.size() % (tensor.elements() == 0 ? 1 : tensor.elements()) == 0);
    total += tensor.bytes.size();
  }
  MR_CHECK(total <= size);
  return 0;
}
