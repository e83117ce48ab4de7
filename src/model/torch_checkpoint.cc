#include "model/torch_checkpoint.h"

#include <fmt/format.h>

#include <algorithm>
#include <string>

#include "base/limits.h"
#include "model/torch_pickle.h"
#include "model/torch_zip.h"

namespace millrace::model {
namespace {

constexpr std::string_view kPickle = "/data.pkl";

std::string_view text_of(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

uint64_t element_bytes(std::string_view dtype) {
  if (dtype == "F64" || dtype == "I64") return 8;
  if (dtype == "F32" || dtype == "I32") return 4;
  if (dtype == "F16" || dtype == "BF16" || dtype == "I16") return 2;
  return 1;
}

DType known_dtype(std::string_view dtype) {
  if (dtype == "F32") return DType::kF32;
  if (dtype == "F16") return DType::kF16;
  if (dtype == "BF16") return DType::kBf16;
  return DType::kOther;
}

// Elements of a tensor whose rows lie one after the other; nothing where they do not, or where the
// number does not fit.
Result<uint64_t> elements_in_order(const PickledTensor& tensor) {
  uint64_t product = 1;
  for (size_t i = tensor.shape.size(); i-- > 0;) {
    if (tensor.shape[i] != 1 && tensor.strides[i] != product) {
      return fail(
          invalid_argument(fmt::format("its elements do not lie in order (strides {} of shape {})",
                                       shape_text(tensor.strides), shape_text(tensor.shape))));
    }
    if (__builtin_mul_overflow(product, tensor.shape[i], &product)) {
      return fail(invalid_argument("its shape is too large"));
    }
  }
  return product;
}

Result<Tensor> tensor_of(const PickledTensor& pickled, const ZipEntries& entries,
                         const std::string& prefix) {
  const auto storage = entries.find(prefix + "/data/" + pickled.storage);
  if (storage == entries.end()) {
    return fail(invalid_argument("its storage " + pickled.storage + " is missing"));
  }
  const uint64_t size = element_bytes(pickled.dtype);
  uint64_t elements = 0;
  if (std::find(pickled.shape.begin(), pickled.shape.end(), 0U) == pickled.shape.end()) {
    MR_ASSIGN(elements, elements_in_order(pickled));
  }
  const uint64_t there = storage->second.size() / size;
  if (pickled.offset > there || elements > there - pickled.offset) {
    return fail(invalid_argument("it reaches beyond its storage: the file is truncated"));
  }
  Tensor tensor;
  tensor.dtype = known_dtype(pickled.dtype);
  tensor.dtype_name = pickled.dtype;
  tensor.shape = pickled.shape;
  tensor.bytes = storage->second.subspan(pickled.offset * size, elements * size);
  return tensor;
}

Result<TensorMap> parse_file(std::span<const std::byte> file) {
  if (!text_of(file).starts_with("PK")) {
    return fail(invalid_argument(
        "it is no zip file; files from before PyTorch 1.6 must be saved again by a newer one"));
  }
  MR_ASSIGN(const ZipEntries entries, read_stored_zip(file));
  const auto pickle = std::find_if(entries.begin(), entries.end(), [](const auto& entry) {
    return std::string_view(entry.first).ends_with(kPickle);
  });
  if (pickle == entries.end()) return fail(invalid_argument("it has no data.pkl"));
  const std::string prefix = pickle->first.substr(0, pickle->first.size() - kPickle.size());
  const auto order = entries.find(prefix + "/byteorder");
  if (order != entries.end() && text_of(order->second) != "little") {
    return fail(invalid_argument("its numbers are not little-endian"));
  }
  if (pickle->second.size() > limits::kTorchPickleBytesMax) {
    return fail(invalid_argument(fmt::format("its data.pkl has {} bytes, at most {} are read",
                                             pickle->second.size(), limits::kTorchPickleBytesMax)));
  }
  MR_ASSIGN(const auto pickled, read_tensor_pickle(text_of(pickle->second)));
  TensorMap tensors;
  for (const auto& [name, one] : pickled) {
    auto tensor = tensor_of(one, entries, prefix);
    if (!tensor) return fail(std::move(tensor).error().within("tensor " + name));
    tensors.emplace(name, std::move(*tensor));
  }
  return tensors;
}

}  // namespace

Result<TensorMap> parse_torch_checkpoint(std::span<const std::byte> file, std::string_view name) {
  auto tensors = parse_file(file);
  if (!tensors) return fail(std::move(tensors).error().within(name));
  return tensors;
}

}  // namespace millrace::model
