#include "model/safetensors_writer.h"

#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <system_error>

namespace millrace::model {
namespace {

// So that the data begins at a multiple of it, as other writers have it.
constexpr size_t kHeaderAlignment = 8;

std::string header_of(const TensorMap& tensors) {
  nlohmann::ordered_json header;
  header["__metadata__"] = {{"format", "pt"}};
  uint64_t at = 0;
  for (const auto& [name, tensor] : tensors) {
    auto& entry = header[name];
    entry["dtype"] = tensor.dtype_name;
    entry["shape"] = tensor.shape;
    entry["data_offsets"] = {at, at + tensor.bytes.size()};
    at += tensor.bytes.size();
  }
  std::string text = header.dump();
  text.resize((text.size() + kHeaderAlignment - 1) / kHeaderAlignment * kHeaderAlignment, ' ');
  std::string out;
  for (size_t i = 0; i < sizeof(uint64_t); ++i) {
    out += static_cast<char>(static_cast<unsigned char>(text.size() >> (8 * i)));
  }
  return out + text;
}

}  // namespace

Status write_safetensors(const TensorMap& tensors, const std::filesystem::path& path) {
  const std::filesystem::path half = path.string() + ".writing";
  std::ofstream out(half, std::ios::binary | std::ios::trunc);
  const std::string header = header_of(tensors);
  out.write(header.data(), static_cast<std::streamsize>(header.size()));
  for (const auto& [name, tensor] : tensors) {
    out.write(reinterpret_cast<const char*>(tensor.bytes.data()),
              static_cast<std::streamsize>(tensor.bytes.size()));
  }
  out.close();
  std::error_code error;
  if (!out) {
    std::filesystem::remove(half, error);
    return fail(internal_error("cannot write " + path.string()));
  }
  std::filesystem::rename(half, path, error);
  if (error) return fail(errno_error("write " + path.string(), error.value()));
  return {};
}

}  // namespace millrace::model
