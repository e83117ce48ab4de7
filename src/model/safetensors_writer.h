// Writing safetensors: tensors of any checkpoint as one file.
#pragma once

#include <filesystem>

#include "model/safetensors.h"

namespace millrace::model {

// Writes the tensors, in the order of their names, under a name of its own that becomes `path` when
// all is there. internal: it cannot be written.
Status write_safetensors(const TensorMap& tensors, const std::filesystem::path& path);

}  // namespace millrace::model
