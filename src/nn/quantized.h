// Matrices in bytes, for Kernels::linear_int8: weights with one scale for each output channel, and
// rows of activations with a scale and a zero point of their own. Nothing is calibrated: a row's
// bytes follow from the row alone.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "nn/isa_kernels.h"

namespace millrace::nn {

// B of C = A x B in signed bytes: b[k][n] is about scale[n] * byte, symmetric, scale[n] the largest
// of column n by 127. Panels of 16 columns hold groups of four entries of k side by side; the
// layout is the same for every instruction set. Made once at load, shared by all threads.
class QuantizedMatrix {
 public:
  QuantizedMatrix() = default;
  // REQUIRES: k at most kDepthMax.
  QuantizedMatrix(size_t k, size_t n);
  size_t k() const { return k_; }
  size_t n() const { return n_; }
  const signed char* panels() const { return panels_.get(); }
  // Of each column; padded with zeros to whole panels, as the panels are.
  const float* scale() const { return scale_.get(); }
  const int* column_sum() const { return sum_.get(); }
  // Quantises columns [n_begin, n_end) from `weight`, [N x K] row-major as torch.nn.Linear stores
  // it, all finite. Ranges that start at multiples of kPanel may be filled by several threads.
  void fill_from_linear(const float* weight, size_t n_begin, size_t n_end);

  static constexpr size_t kPanel = kPanelColumns;
  // 255 x 127 for each of so many entries just fits into 32 bits.
  static constexpr size_t kDepthMax = 65536;

 private:
  void fill_column(const float* weight, size_t column);

  struct Free {
    void operator()(void* p) const;
  };
  template <class T>
  using Array = std::unique_ptr<T[], Free>;  // 64-byte aligned
  size_t k_ = 0;
  size_t n_ = 0;
  Array<signed char> panels_;
  Array<float> scale_;
  Array<int> sum_;
};

// A of C = A x B: rows that Kernels::quantize writes and Kernels::linear_int8 reads; a view.
struct QuantizedRows {
  uint8_t* bytes = nullptr;  // rows are row_stride(n) apart
  float* scale = nullptr;    // one for each row; NaN where the row held a NaN or an infinity
  int* zero = nullptr;

  static constexpr size_t row_stride(size_t n) {
    return (n + kByteRowStep - 1) / kByteRowStep * kByteRowStep;
  }
};

}  // namespace millrace::nn
