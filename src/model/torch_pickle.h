// The pickle in a PyTorch checkpoint, read without running it: a pickle is a program that may call
// anything, so only what a dictionary of tensors is made of is understood here, and nothing is
// called.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace millrace::model {

// A tensor as the pickle describes it: a view of a storage, which is an entry of the zip file.
struct PickledTensor {
  std::string storage;  // the entry's name below data/
  std::string dtype;    // as safetensors calls it: "F32"
  uint64_t storage_elements = 0;
  uint64_t offset = 0;  // elements
  std::vector<uint64_t> shape;
  std::vector<uint64_t> strides;  // elements
};

// Name -> tensor of the dictionary that the pickle builds. invalid_argument names an opcode or a
// global that has no place in a dictionary of tensors, or says how the pickle is damaged. Entries
// of the dictionary that are plain values are left out.
Result<std::map<std::string, PickledTensor>> read_tensor_pickle(std::string_view pickle);

}  // namespace millrace::model
