// Tensors in the files that torch.save writes (pytorch_model.bin): a zip file with a pickle that
// describes them and an entry for each storage. Nothing in it is run.
#pragma once

#include <span>
#include <string_view>

#include "model/safetensors.h"

namespace millrace::model {

// The tensors of one file's bytes, which must outlive the result. `name` is the file's, for errors
// (invalid_argument): no such file, one from before PyTorch 1.6, tensors whose bytes do not lie in
// order, big-endian ones, or a pickle that asks for more than tensors.
Result<TensorMap> parse_torch_checkpoint(std::span<const std::byte> file, std::string_view name);

}  // namespace millrace::model
