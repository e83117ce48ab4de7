// Loading weights in one pass over the file: each thread takes a block of rows, and while it is in
// the cache digests it, looks for NaN and infinity, and packs it.
#include "model/weights.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <limits>

#include "base/background.h"
#include "base/limits.h"
#include "base/xxh3.h"
#include "model/weight_plan.h"

namespace millrace::model {
namespace {

// Rows of a block: a panel of the packed matrix, so that threads fill panels of their own. Part of
// the digest's definition.
constexpr size_t kBlockRows = 32;
static_assert(kBlockRows % nn::PackedMatrix::kPanel == 0);
static_assert(kBlockRows % nn::QuantizedMatrix::kPanel == 0);
static_assert(limits::kModelWidthMax <= nn::QuantizedMatrix::kDepthMax);

size_t rows_of(const Tensor& tensor) {
  return tensor.shape.size() < 2 ? 1 : static_cast<size_t>(tensor.shape[0]);
}

size_t width_of(const Tensor& tensor) {
  return static_cast<size_t>(tensor.shape.back());
}

size_t value_bytes(DType dtype) {
  return dtype == DType::kF32 ? 4 : 2;
}

bool aligned_for(const std::byte* data, size_t alignment) {
  return reinterpret_cast<uintptr_t>(data) % alignment == 0;
}

std::string_view text_of(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

// `count` values from `bytes` as floats in `out`. Files may hold them at any address, the kernels
// want them aligned.
void convert(const Tensor& tensor, const std::byte* bytes, size_t count, float* out) {
  if (tensor.dtype == DType::kF32) {
    std::memcpy(out, bytes, count * sizeof(float));
    return;
  }
  const auto* halves = reinterpret_cast<const uint16_t*>(bytes);
  // A stack buffer is enough where the source is misaligned, which hardly any writer does today.
  constexpr size_t kChunk = 512;
  uint16_t chunk[kChunk];
  const bool aligned = aligned_for(bytes, alignof(uint16_t));
  for (size_t done = 0; done < count;) {
    const size_t now = aligned ? count : std::min(kChunk, count - done);
    const uint16_t* from = halves + done;
    if (!aligned) {
      std::memcpy(chunk, bytes + done * sizeof(uint16_t), now * sizeof(uint16_t));
      from = chunk;
    }
    if (tensor.dtype == DType::kF16) {
      nn::half_to_float(from, now, out + done);
    } else {
      nn::bfloat16_to_float(from, now, out + done);
    }
    done += now;
  }
}

// A range of rows of one slot, and what came of it.
struct Block {
  const Slot* slot = nullptr;
  size_t row_begin = 0;
  size_t row_end = 0;
  std::string digest = {};
  bool finite = true;
};

std::vector<Block> cut_into_blocks(const std::vector<Slot>& plan) {
  std::vector<Block> blocks;
  for (const Slot& slot : plan) {
    const size_t rows = rows_of(*slot.tensor);
    for (size_t row = 0; row < rows; row += kBlockRows) {
      blocks.push_back(
          {.slot = &slot, .row_begin = row, .row_end = std::min(row + kBlockRows, rows)});
    }
  }
  return blocks;
}

void load_block(Block* block, std::vector<float>* scratch) {
  const Slot& slot = *block->slot;
  const Tensor& tensor = *slot.tensor;
  const size_t width = width_of(tensor);
  const size_t count = (block->row_end - block->row_begin) * width;
  const size_t row_bytes = width * value_bytes(tensor.dtype);
  const auto bytes = tensor.bytes.subspan(block->row_begin * row_bytes,
                                          (block->row_end - block->row_begin) * row_bytes);
  block->digest = xxh3_hex(text_of(bytes));

  const float* values = nullptr;
  if (tensor.dtype == DType::kF32 && aligned_for(bytes.data(), alignof(float))) {
    values = reinterpret_cast<const float*>(bytes.data());
  } else {
    scratch->resize(std::max(scratch->size(), count));
    convert(tensor, bytes.data(), count, scratch->data());
    values = scratch->data();
  }
  block->finite = nn::all_finite(values, count);
  if (slot.matrix != nullptr) {
    slot.matrix->fill_from_linear(values - block->row_begin * width, block->row_begin,
                                  block->row_end);
  } else if (slot.halves != nullptr) {
    slot.halves->fill_from_linear(values - block->row_begin * width, block->row_begin,
                                  block->row_end);
  } else if (slot.bytes != nullptr) {
    // What is not finite has no bytes; the model is refused.
    if (!block->finite) return;
    slot.bytes->fill_from_linear(values - block->row_begin * width, block->row_begin,
                                 block->row_end);
  } else if (slot.vector != nullptr) {
    std::copy_n(values, count, slot.vector->data() + block->row_begin * width);
  }
}

void load_blocks(std::vector<Block>* blocks, int threads) {
  std::atomic<size_t> next{0};
  const auto work = [&] {
    std::vector<float> scratch;
    for (size_t i = next++; i < blocks->size(); i = next++) load_block(&(*blocks)[i], &scratch);
  };
  on_threads(static_cast<size_t>(std::max(1, threads)), work);
}

// Over the tensors by name, so that the digest is the model's and not its files'. XXH3 and not
// SHA-256: it tells models apart where nobody gains by forging one, and costs (measured on one
// core, 268 MB) 0.014 s where SHA-256 with SHA instructions takes 0.15 s.
std::string digest_of(const TensorMap& tensors, const std::vector<Block>& blocks) {
  std::map<std::string_view, std::string> by_name;
  for (const Block& block : blocks) by_name[block.slot->name] += block.digest;
  Xxh3 digest;
  for (const auto& [name, parts] : by_name) {
    const Tensor& tensor = tensors.find(name)->second;
    digest.field(name).field(tensor.dtype_name).field(shape_text(tensor.shape)).field(parts);
  }
  return digest.hex();
}

void allocate(const std::vector<Slot>& plan) {
  for (const Slot& slot : plan) {
    if (slot.matrix != nullptr) {
      *slot.matrix = nn::PackedMatrix(slot.shape[1], slot.shape[0]);
    } else if (slot.halves != nullptr) {
      *slot.halves = nn::Bf16Matrix(slot.shape[1], slot.shape[0]);
    } else if (slot.bytes != nullptr) {
      *slot.bytes = nn::QuantizedMatrix(slot.shape[1], slot.shape[0]);
    } else if (slot.vector != nullptr) {
      slot.vector->resize(slot.tensor->elements());
    }
  }
}

}  // namespace

void EmbeddingTable::copy_row(size_t row, float* out) const {
  const size_t row_bytes = width_ * value_bytes(tensor_.dtype);
  convert(tensor_, tensor_.bytes.data() + row * row_bytes, width_, out);
}

Result<std::unique_ptr<const Weights>> Weights::load(Checkpoint checkpoint, const Config& config,
                                                     const nn::Kernels* kernels,
                                                     Precision precision, int threads) {
  std::unique_ptr<Weights> weights(new Weights(std::move(checkpoint)));
  weights->config = config;
  weights->kernels = kernels;
  weights->precision = precision;
  std::vector<Slot> plan = plan_weights(weights.get());
  const TensorMap& tensors = weights->checkpoint_.tensors();
  MR_TRY(find_tensors(tensors, &plan));
  allocate(plan);

  weights->checkpoint_.prefetch();
  std::vector<Block> blocks = cut_into_blocks(plan);
  load_blocks(&blocks, threads);
  for (const Block& block : blocks) {
    if (!block.finite) {
      return fail(invalid_argument(
          fmt::format("tensor {}: NaN or infinity among its values", block.slot->name)));
    }
  }
  for (const Slot& slot : plan) weights->parameters += slot.tensor->elements();
  weights->word_embeddings = EmbeddingTable(*plan.front().tensor, config.hidden_size);
  weights->digest = digest_of(tensors, blocks);
  // The packed copies serve from here on; of the file only looked-up embedding rows are needed.
  weights->checkpoint_.release_pages();
  return std::unique_ptr<const Weights>(std::move(weights));
}

}  // namespace millrace::model
