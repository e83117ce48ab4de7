// Rounding and packing of weights.
#include "nn/bf16_matrix.h"

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

// To nearest, halves to even; of a finite number.
uint16_t half_of(float x) {
  const auto bits = std::bit_cast<uint32_t>(x);
  return static_cast<uint16_t>((bits + 0x7FFFU + (bits >> 16 & 1U)) >> 16);
}

}  // namespace

void Bf16Matrix::Free::operator()(uint16_t* p) const {
  ::operator delete(p, std::align_val_t(kAlignment));
}

Bf16Matrix::Bf16Matrix(size_t k, size_t n) : k_(k), n_(n) {
  const size_t bytes = round_up(n, kPanel) * round_up(k, kHalfGroup) * sizeof(uint16_t);
  void* memory = ::operator new(bytes, std::align_val_t(kAlignment));
  std::memset(memory, 0, bytes);
  panels_.reset(static_cast<uint16_t*>(memory));
}

void Bf16Matrix::fill_from_linear(const float* weight, size_t n_begin, size_t n_end) {
  MR_CHECK(n_begin % kPanel == 0 && n_begin <= n_end && n_end <= n_);
  constexpr size_t kStep = 16;  // a cache line of each row of `weight` at a time
  const size_t depth = round_up(k_, kHalfGroup);
  for (size_t n = n_begin; n < n_end; n += kPanel) {
    uint16_t* panel = panels_.get() + n * depth;
    const size_t columns = n_end - n < kPanel ? n_end - n : kPanel;
    for (size_t k = 0; k < k_; k += kStep) {
      const size_t steps = k_ - k < kStep ? k_ - k : kStep;
      for (size_t column = 0; column < columns; ++column) {
        const float* from = weight + (n + column) * k_ + k;
        for (size_t i = 0; i < steps; ++i) {
          const size_t group = (k + i) / kHalfGroup * kPanel + column;
          panel[group * kHalfGroup + (k + i) % kHalfGroup] = half_of(from[i]);
        }
      }
    }
  }
}

}  // namespace millrace::nn
