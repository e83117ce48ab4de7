// Reading safetensors: the checks that make every later access to a tensor's bytes safe are all
// here.
#include "model/safetensors.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <optional>
#include <set>
#include <system_error>

#include "base/limits.h"
#include "model/strict_json.h"
#include "model/torch_checkpoint.h"

namespace millrace::model {
namespace {

using nlohmann::json;

// In the order of preference, as in transformers.
constexpr std::array kSingleFiles = {"model.safetensors", "pytorch_model.bin"};
constexpr std::array kIndexFiles = {"model.safetensors.index.json", "pytorch_model.bin.index.json"};

struct DTypeInfo {
  std::string_view name;
  DType dtype;
  uint64_t bytes;
};

constexpr std::array kDTypes = {
    DTypeInfo{"F32", DType::kF32, 4},      DTypeInfo{"F16", DType::kF16, 2},
    DTypeInfo{"BF16", DType::kBf16, 2},    DTypeInfo{"F64", DType::kOther, 8},
    DTypeInfo{"I64", DType::kOther, 8},    DTypeInfo{"I32", DType::kOther, 4},
    DTypeInfo{"I16", DType::kOther, 2},    DTypeInfo{"I8", DType::kOther, 1},
    DTypeInfo{"U64", DType::kOther, 8},    DTypeInfo{"U32", DType::kOther, 4},
    DTypeInfo{"U16", DType::kOther, 2},    DTypeInfo{"U8", DType::kOther, 1},
    DTypeInfo{"BOOL", DType::kOther, 1},   DTypeInfo{"F8_E4M3", DType::kOther, 1},
    DTypeInfo{"F8_E5M2", DType::kOther, 1}};

const DTypeInfo* find_dtype(std::string_view name) {
  const auto* found = std::find_if(kDTypes.begin(), kDTypes.end(),
                                   [&](const DTypeInfo& info) { return info.name == name; });
  return found == kDTypes.end() ? nullptr : found;
}

// product of `factors` x `start`, or nothing where it does not fit.
std::optional<uint64_t> checked_product(std::span<const uint64_t> factors, uint64_t start) {
  uint64_t product = start;
  for (const uint64_t factor : factors) {
    if (__builtin_mul_overflow(product, factor, &product)) return std::nullopt;
  }
  return product;
}

// An array of unsigned integers, exactly as written: no negative, no fraction, no exponent.
std::optional<std::vector<uint64_t>> unsigned_array(const json& value) {
  if (!value.is_array()) return std::nullopt;
  std::vector<uint64_t> numbers;
  numbers.reserve(value.size());
  for (const json& entry : value) {
    if (!entry.is_number_unsigned()) return std::nullopt;
    numbers.push_back(entry.get<uint64_t>());
  }
  return numbers;
}

// One entry of the header; `data` is all that follows it. An error says what is wrong, not with
// whom.
Result<Tensor> parse_entry(const json& entry, std::span<const std::byte> data) {
  const auto wrong = [](std::string why) { return fail(invalid_argument(std::move(why))); };
  if (!entry.is_object()) return wrong("its header entry is not an object");
  for (const auto& [key, value] : entry.items()) {
    if (key != "dtype" && key != "shape" && key != "data_offsets") {
      return wrong(fmt::format("its header entry has the unknown key \"{}\"", key));
    }
  }
  const auto dtype = entry.find("dtype");
  const auto shape = entry.find("shape");
  const auto offsets = entry.find("data_offsets");
  if (dtype == entry.end() || shape == entry.end() || offsets == entry.end()) {
    return wrong("its header entry lacks dtype, shape or data_offsets");
  }
  if (!dtype->is_string()) return wrong("dtype is not a string");
  Tensor tensor;
  tensor.dtype_name = dtype->get<std::string>();
  const DTypeInfo* info = find_dtype(tensor.dtype_name);
  if (info == nullptr) return wrong(fmt::format("unknown dtype \"{}\"", tensor.dtype_name));
  tensor.dtype = info->dtype;

  auto dimensions = unsigned_array(*shape);
  if (!dimensions) return wrong("shape is not an array of unsigned integers");
  tensor.shape = std::move(*dimensions);
  const auto range = unsigned_array(*offsets);
  if (!range || range->size() != 2 || (*range)[0] > (*range)[1]) {
    return wrong("data_offsets are not two ascending unsigned integers");
  }
  const uint64_t begin = (*range)[0];
  const uint64_t end = (*range)[1];
  const auto expected = checked_product(tensor.shape, info->bytes);
  if (!expected || *expected != end - begin) {
    return wrong(fmt::format("{} {} does not take the {} bytes that data_offsets give it",
                             tensor.dtype_name, shape_text(tensor.shape), end - begin));
  }
  if (end > data.size()) {
    return wrong(fmt::format("it ends at byte {} of the data, which has {}: the file is truncated",
                             end, data.size()));
  }
  tensor.bytes = data.subspan(begin, end - begin);
  return tensor;
}

// Tensors must tile the data: two that share bytes, or bytes that belong to none, mean that the
// file is not what its writer meant.
Status check_tiling(const TensorMap& tensors, std::span<const std::byte> data) {
  std::vector<const TensorMap::value_type*> by_place;
  by_place.reserve(tensors.size());
  for (const auto& entry : tensors) by_place.push_back(&entry);
  std::sort(by_place.begin(), by_place.end(), [](const auto* a, const auto* b) {
    const auto begin = [](const auto* e) { return e->second.bytes.data(); };
    if (begin(a) != begin(b)) return begin(a) < begin(b);
    return a->second.bytes.size() < b->second.bytes.size();
  });
  const std::byte* reached = data.data();
  for (const auto* entry : by_place) {
    const auto& bytes = entry->second.bytes;
    if (bytes.data() != reached) {
      return fail(invalid_argument(fmt::format("tensor {}: {}", entry->first,
                                               bytes.data() < reached
                                                   ? "its bytes overlap another tensor's"
                                                   : "the bytes before it belong to no tensor")));
    }
    reached = bytes.data() + bytes.size();
  }
  const auto left = static_cast<size_t>(data.data() + data.size() - reached);
  if (left != 0) {
    return fail(invalid_argument(fmt::format("{} bytes at its end belong to no tensor", left)));
  }
  return {};
}

Status check_metadata(const json& metadata) {
  const bool fine =
      metadata.is_object() && std::all_of(metadata.begin(), metadata.end(),
                                          [](const json& value) { return value.is_string(); });
  if (fine) return {};
  return fail(invalid_argument("__metadata__ is not an object of strings"));
}

Result<TensorMap> parse_file(std::span<const std::byte> file) {
  constexpr size_t kLengthBytes = 8;
  if (file.size() < kLengthBytes) {
    return fail(invalid_argument(fmt::format("{} bytes: the file is truncated", file.size())));
  }
  static_assert(std::endian::native == std::endian::little, "tensors are little-endian");
  uint64_t header_bytes = 0;
  std::memcpy(&header_bytes, file.data(), kLengthBytes);
  if (header_bytes > limits::kSafetensorsHeaderBytesMax) {
    return fail(
        invalid_argument(fmt::format("not a safetensors file: a header of {} bytes, at "
                                     "most {} are read",
                                     header_bytes, limits::kSafetensorsHeaderBytesMax)));
  }
  if (header_bytes > file.size() - kLengthBytes) {
    return fail(
        invalid_argument(fmt::format("its header of {} bytes reaches beyond the file's {}: "
                                     "the file is truncated",
                                     header_bytes, file.size())));
  }
  const auto header_span = file.subspan(kLengthBytes, header_bytes);
  const std::string_view header(reinterpret_cast<const char*>(header_span.data()), header_bytes);
  const auto data = file.subspan(kLengthBytes + header_bytes);

  if (!header.starts_with('{')) return fail(invalid_argument("its header is not a JSON object"));
  MR_ASSIGN(const json document, parse_strict_json(header, "header"));
  TensorMap tensors;
  for (const auto& [name, entry] : document.items()) {
    if (name == "__metadata__") {
      MR_TRY(check_metadata(entry));
      continue;
    }
    auto tensor = parse_entry(entry, data);
    if (!tensor) return fail(std::move(tensor).error().within("tensor " + name));
    tensors.emplace(name, std::move(*tensor));
  }
  MR_TRY(check_tiling(tensors, data));
  return tensors;
}

// Shards lie beside the index; a path in one would lead out of the model folder.
bool plain_file_name(const std::string& name) {
  return !name.empty() && name != "." && name != ".." && name.find('/') == std::string::npos &&
         name.find('\0') == std::string::npos;
}

// tensor name -> shard file name.
Result<std::map<std::string, std::string>> read_index(const std::filesystem::path& path) {
  const std::string index_name = path.filename().string();
  MR_ASSIGN(const std::string text, read_text_file(path, limits::kModelTextFileBytesMax));
  MR_ASSIGN(const json document, parse_strict_json(text, index_name));
  const auto wrong = [&](std::string why) {
    return fail(invalid_argument(fmt::format("{}: {}", index_name, why)));
  };
  if (!document.is_object()) return wrong("not a JSON object");
  const auto weight_map = document.find("weight_map");
  if (weight_map == document.end() || !weight_map->is_object() || weight_map->empty()) {
    return wrong("weight_map is not an object that names tensors");
  }
  std::map<std::string, std::string> files;
  for (const auto& [tensor, file] : weight_map->items()) {
    if (!file.is_string() || !plain_file_name(file.get<std::string>())) {
      return wrong(
          fmt::format("tensor {}: its file is not the name of one in this folder", tensor));
    }
    files.emplace(tensor, file.get<std::string>());
  }
  return files;
}

bool is_there(const std::filesystem::path& path) {
  std::error_code ignored;
  return std::filesystem::exists(path, ignored);
}

}  // namespace

uint64_t Tensor::elements() const {
  uint64_t product = 1;
  for (const uint64_t dimension : shape) product *= dimension;  // cannot overflow: it was checked
  return product;
}

std::string shape_text(std::span<const uint64_t> shape) {
  return fmt::format("[{}]", fmt::join(shape, ", "));
}

Result<TensorMap> parse_safetensors(std::span<const std::byte> file, std::string_view name) {
  auto tensors = parse_file(file);
  if (!tensors) return fail(std::move(tensors).error().within(name));
  return tensors;
}

Result<Checkpoint> Checkpoint::open(const std::filesystem::path& folder) {
  Checkpoint checkpoint;
  for (const char* name : kSingleFiles) {
    if (!is_there(folder / name)) continue;
    MR_TRY(checkpoint.add_file(folder / name));
    return checkpoint;
  }
  for (const char* name : kIndexFiles) {
    if (!is_there(folder / name)) continue;
    MR_TRY(checkpoint.open_shards(folder, name));
    return checkpoint;
  }
  return fail(invalid_argument(fmt::format("there is none of {}, {}", fmt::join(kSingleFiles, ", "),
                                           fmt::join(kIndexFiles, ", "))));
}

Status Checkpoint::add_file(const std::filesystem::path& path) {
  MR_ASSIGN(MappedFile file, MappedFile::open(path));
  const std::string file_name = path.filename().string();
  const bool torch = path.extension() == ".bin";
  MR_ASSIGN(TensorMap tensors, torch ? parse_torch_checkpoint(file.bytes(), file_name)
                                     : parse_safetensors(file.bytes(), file_name));
  files_.push_back(std::move(file));
  for (auto& [name, tensor] : tensors) {
    if (!tensors_.emplace(name, std::move(tensor)).second) {
      return fail(invalid_argument(
          fmt::format("{}: tensor {} stands in another file too", path.filename().string(), name)));
    }
  }
  return {};
}

Status Checkpoint::open_shards(const std::filesystem::path& folder, const char* index_name) {
  MR_ASSIGN(const auto index, read_index(folder / index_name));
  std::set<std::string> shards;
  for (const auto& [tensor, shard] : index) shards.insert(shard);
  for (const std::string& shard : shards) {
    const size_t before = tensors_.size();
    if (!is_there(folder / shard)) {
      return fail(invalid_argument(fmt::format("{}: the file {} is missing", index_name, shard)));
    }
    MR_TRY(add_file(folder / shard));
    // What stands in this shard must be exactly what the index says.
    size_t found = 0;
    for (const auto& [tensor, file] : index) {
      if (file != shard) continue;
      if (!tensors_.contains(tensor)) {
        return fail(invalid_argument(fmt::format("{}: tensor {} is missing, {} says it is there",
                                                 shard, tensor, index_name)));
      }
      ++found;
    }
    if (found != tensors_.size() - before) {
      return fail(invalid_argument(
          fmt::format("{}: it holds tensors that {} does not name", shard, index_name)));
    }
  }
  return {};
}

void Checkpoint::prefetch() const {
  for (const MappedFile& file : files_) file.prefetch();
}

void Checkpoint::release_pages() const {
  for (const MappedFile& file : files_) file.release_pages();
}

}  // namespace millrace::model
