// Tensors in safetensors files: eight bytes of header length, a JSON header that gives each
// tensor's type, shape and place, then the bytes. Read strictly, since the file may come from
// anywhere: every tensor lies within the file, they do not overlap and leave no hole, and sizes
// agree with shapes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "model/mapped_file.h"

namespace millrace::model {

enum class DType { kF32, kF16, kBf16, kOther };

// One tensor in a mapped file. The bytes may lie at any alignment.
struct Tensor {
  DType dtype = DType::kOther;
  std::string dtype_name;  // as in the header: "F32", "I64"
  std::vector<uint64_t> shape;
  std::span<const std::byte> bytes;

  uint64_t elements() const;
};

using TensorMap = std::map<std::string, Tensor, std::less<>>;

// "[768, 3072]", for messages.
std::string shape_text(std::span<const uint64_t> shape);

// The tensors of one file's bytes, which must outlive the result. `name` is the file's, for errors
// (invalid_argument).
Result<TensorMap> parse_safetensors(std::span<const std::byte> file, std::string_view name);

// All tensors of a model folder: `model.safetensors`, or the shards that
// `model.safetensors.index.json` names; else the same of `pytorch_model.bin`. Maps the files as
// long as it lives.
class Checkpoint {
 public:
  // Errors name the file or the tensor.
  static Result<Checkpoint> open(const std::filesystem::path& folder);

  const TensorMap& tensors() const { return tensors_; }

  void prefetch() const;
  void release_pages() const;

 private:
  Status add_file(const std::filesystem::path& path);
  Status open_shards(const std::filesystem::path& folder, const char* index_name);

  std::vector<MappedFile> files_;
  TensorMap tensors_;
};

}  // namespace millrace::model
