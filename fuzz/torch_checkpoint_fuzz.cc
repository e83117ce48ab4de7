// A PyTorch checkpoint comes from anywhere: whatever its zip directory and its pickle say, nothing
// is run, and every tensor that is accepted lies within the file.
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "base/check.h"
#include "model/torch_checkpoint.h"
#include "model/torch_pickle.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto file = std::as_bytes(std::span(data, size));
  const auto pickle =
      millrace::model::read_tensor_pickle({reinterpret_cast<const char*>(data), size});
  MR_CHECK(pickle || !pickle.error().message.empty());
  const auto tensors = millrace::model::parse_torch_checkpoint(file, "fuzz");
  if (!tensors) {
    MR_CHECK(!tensors.error().message.empty());
    return 0;
  }
  for (const auto& [name, tensor] : *tensors) {
    MR_CHECK(tensor.bytes.data() >= file.data());
    MR_CHECK(tensor.bytes.data() + tensor.bytes.size() <= file.data() + file.size());
    MR_CHECK(tensor.bytes.size() % (tensor.elements() == 0 ? 1 : tensor.elements()) == 0);
  }
  return 0;
}
