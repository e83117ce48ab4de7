// Quantisation and packing of weights.
#include "nn/quantized.h"

#include <bit>
#include <cstring>
#include <new>

#include "base/check.h"

namespace millrace::nn {
namespace {

constexpr size_t kAlignment = 64;

size_t round_up(size_t n, size_t step) {
  return (n + step - 1) / step * step;
}

// `count` zeros.
template <class T>
T* allocate(size_t count) {
  const size_t bytes = count * sizeof(T);
  void* memory = ::operator new(bytes, std::align_val_t(kAlignment));
  std::memset(memory, 0, bytes);
  return static_cast<T*>(memory);
}

float largest_of(const float* values, size_t n) {
  uint32_t largest = 0;  // bits of magnitudes are ordered as magnitudes are
  for (size_t i = 0; i < n; ++i) {
    const uint32_t magnitude = std::bit_cast<uint32_t>(values[i]) & 0x7FFFFFFFU;
    largest = magnitude > largest ? magnitude : largest;
  }
  return std::bit_cast<float>(largest);
}

}  // namespace

void QuantizedMatrix::Free::operator()(void* p) const {
  ::operator delete(p, std::align_val_t(kAlignment));
}

QuantizedMatrix::QuantizedMatrix(size_t k, size_t n) : k_(k), n_(n) {
  MR_CHECK(k <= kDepthMax);
  static_assert(kDepthMax * 255 * 127 <= INT32_MAX);
  const size_t columns = round_up(n, kPanel);
  panels_.reset(allocate<signed char>(columns * round_up(k, kByteGroup)));
  scale_.reset(allocate<float>(columns));
  sum_.reset(allocate<int>(columns));
}

void QuantizedMatrix::fill_from_linear(const float* weight, size_t n_begin, size_t n_end) {
  MR_CHECK(n_begin % kPanel == 0 && n_begin <= n_end && n_end <= n_);
  for (size_t n = n_begin; n < n_end; ++n) fill_column(weight + n * k_, n);
}

void QuantizedMatrix::fill_column(const float* weight, size_t column) {
  const float largest = largest_of(weight, k_);
  if (largest <= kNoRange) return;  // stays zero, scale and all
  const float inverse = 127.0F / largest;
  signed char* to = panels_.get() + column / kPanel * kPanel * round_up(k_, kByteGroup) +
                    column % kPanel * kByteGroup;
  int sum = 0;
  for (size_t k = 0; k < k_; ++k) {
    // Rounded as activations are. Magnitudes are at most 127 and a rounding or two.
    const float rounded = weight[k] * inverse + kRoundBytes;
    const int byte = std::bit_cast<int>(rounded) - std::bit_cast<int>(kRoundBytes);
    to[k / kByteGroup * kByteGroup * kPanel + k % kByteGroup] = static_cast<signed char>(byte);
    sum += byte;
  }
  scale_[column] = largest / 127.0F;
  sum_[column] = sum;
}

}  // namespace millrace::nn
