// Matrices in bf16, for Kernels::linear_bf16: float with the lower half of its bits rounded away.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "nn/isa_kernels.h"

namespace millrace::nn {

// B of C = A x B in bf16. Panels of 16 columns hold pairs of k side by side. Made once at load,
// shared by all threads.
class Bf16Matrix {
 public:
  Bf16Matrix() = default;
  Bf16Matrix(size_t k, size_t n);
  size_t k() const { return k_; }
  size_t n() const { return n_; }
  const uint16_t* panels() const { return panels_.get(); }
  // Rounds columns [n_begin, n_end) of `weight`, [N x K] row-major as torch.nn.Linear stores it,
  // all finite. Ranges that start at multiples of kPanel may be filled by several threads at once.
  void fill_from_linear(const float* weight, size_t n_begin, size_t n_end);

  static constexpr size_t kPanel = kPanelColumns;

 private:
  struct Free {
    void operator()(uint16_t* p) const;
  };
  size_t k_ = 0;
  size_t n_ = 0;
  std::unique_ptr<uint16_t[], Free> panels_;  // 64-byte aligned
};

// A of C = A x B: rows that Kernels::round_bf16 writes are so far apart.
constexpr size_t bf16_row_stride(size_t n) {
  return (n + kHalfRowStep - 1) / kHalfRowStep * kHalfRowStep;
}

}  // namespace millrace::nn
