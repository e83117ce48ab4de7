// Rounding of rows to bf16, and what products of bf16 add to those of vector_lanes.h, over a vector
// type. A lane holds two entries of k; sums are floats and run upwards in k.
#pragma once

#include <cstddef>

#include "nn/isa_kernels.h"
#include "nn/vector_linear.h"
#include "nn/vector_math.h"
#include "nn/vector_rows.h"

namespace millrace::nn {

template <class V>
static void round_bf16(const RoundBf16Args& args) {
  for (size_t r = 0; r < args.m; ++r) {
    const float* x = args.x + r * args.ldx;
    unsigned short* halves = args.halves + r * args.ldh;
    for (size_t i = 0; i < args.ldh; i += V::kWidth) {
      const typename V::T y = i + V::kWidth <= args.n ? V::load(x + i)
                              : i < args.n            ? V::load_n(x + i, args.n - i)
                                                      : V::set1(0.0F);
      V::store_halves(halves + i, y);
    }
  }
}

// What every way to multiply bf16 has; see vector_lanes.h.
template <class Vector>
struct HalfProducts {
  using V = Vector;
  using Args = LinearBf16Args;
  using Element = float;
  using Sum = typename Vector::T;
  static constexpr size_t kGroup = kHalfGroup;
  MR_NN_MEMBER Sum zero_sum() { return V::set1(0.0F); }
  MR_NN_MEMBER Sum load_sum(const float* p) { return V::load(p); }
  MR_NN_MEMBER void store_sum(float* p, Sum x) { V::store(p, x); }
};

// The bias in, and the activation.
template <class D>
MR_NN_INLINE void finish_sums(const LinearBf16Args& args, const float* sums, size_t row,
                              size_t rows, size_t n, size_t columns, Activation activation) {
  using V = typename D::V;
  MR_NN_UNROLL
  for (size_t v = 0; v < D::kTileVectors; ++v) {
    const size_t first = v * V::kWidth;
    if (first >= columns) return;
    const size_t count = smaller(V::kWidth, columns - first);
    const typename V::T bias = load_some<V>(args.bias + n + first, count);
    for (size_t r = 0; r < rows; ++r) {
      const typename V::T sum = V::load(sums + r * D::kTileVectors * V::kWidth + first);
      const typename V::T y = activate_one<V>(V::add(sum, bias), activation);
      store_some<V>(args.out + (row + r) * args.ldo + n + first, y, count);
    }
  }
}

}  // namespace millrace::nn
