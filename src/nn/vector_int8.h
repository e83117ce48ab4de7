// Quantisation of rows to bytes, and what products of bytes add to those of vector_lanes.h, over a
// vector type. Sums are of integers and exact, so their order is free.
#pragma once

#include <cstddef>

#include "nn/isa_kernels.h"
#include "nn/vector_linear.h"
#include "nn/vector_math.h"
#include "nn/vector_rows.h"

namespace millrace::nn {

// One row; see the reference.
template <class V>
MR_NN_INLINE void quantize_row(const float* x, size_t n, unsigned char* bytes, size_t ldb,
                               float* row_scale, int* row_zero) {
  using T = typename V::T;
  constexpr float kLargest = 0x1.fffffep+127F;
  // Two registers of each for a lane: the CPU waits for one addition before the next into the same.
  constexpr size_t kChains = 2 * kLaneVectors<V>;
  T least[kChains];
  T greatest[kChains];
  T check[kChains];  // 0, or NaN where an entry is not finite
  MR_NN_UNROLL
  for (size_t v = 0; v < kChains; ++v) least[v] = greatest[v] = check[v] = V::set1(0.0F);
  const auto see = [&](size_t v, T y) __attribute__((always_inline)) {
    least[v] = V::min(y, least[v]);
    greatest[v] = V::max(y, greatest[v]);
    check[v] = V::fma(y, V::set1(0.0F), check[v]);
  };
  size_t seen = 0;
  for (; seen + 2 * kLanes <= n; seen += 2 * kLanes) {
    MR_NN_UNROLL
    for (size_t v = 0; v < kChains; ++v) see(v, V::load(x + seen + v * V::kWidth));
  }
  for_lanes<V>(
      n - seen, [&](size_t v, size_t i, size_t count)
                    __attribute__((always_inline)) { see(v, load_some<V>(x + seen + i, count)); });
  T lows[kLaneVectors<V>];
  T highs[kLaneVectors<V>];
  T checks[kLaneVectors<V>];
  MR_NN_UNROLL
  for (size_t v = 0; v < kLaneVectors<V>; ++v) {
    const size_t other = v + kLaneVectors<V>;
    lows[v] = V::sub(V::set1(0.0F), V::min(least[v], least[other]));
    highs[v] = V::max(greatest[v], greatest[other]);
    checks[v] = V::add(check[v], check[other]);
  }
  const float minus_low = V::max_of(lows);
  const float range = V::max_of(highs) + minus_low;
  const bool finite = V::sum_of(checks) == 0.0F && range <= kLargest;
  const bool usable = finite && range > kNoRange;
  *row_scale = usable ? range / 255.0F : finite ? 0.0F : __builtin_nanf("");
  *row_zero = 0;
  for (size_t i = usable ? (n + kLanes - 1) / kLanes * kLanes : 0; i < ldb; ++i) bytes[i] = 0;
  if (!usable) return;
  const float inverse = 255.0F / range;
  const float zero = __builtin_fmaf(minus_low, inverse, kRoundBytes) - kRoundBytes;
  // 255 x / range is at most 255 and rounding twice more adds less than a half.
  *row_zero = static_cast<int>(zero);
  const T factor = V::set1(inverse);
  const T base = V::set1(kRoundBytes + zero);
  for (size_t i = 0; i < n; i += kLanes) {
    T y[kLaneVectors<V>];
    MR_NN_UNROLL
    for (size_t v = 0; v < kLaneVectors<V>; ++v) {
      const size_t at = i + v * V::kWidth;
      const T from = at + V::kWidth <= n ? V::load(x + at)
                     : at < n            ? V::load_n(x + at, n - at)
                                         : V::set1(0.0F);
      y[v] = V::fma(from, factor, base);
    }
    if (i + kLanes <= n) {
      V::store_bytes(bytes + i, y);
      continue;
    }
    unsigned char last[kLanes];
    V::store_bytes(last, y);
    for (size_t j = 0; j < kLanes; ++j) bytes[i + j] = i + j < n ? last[j] : 0;
  }
}

template <class V>
static void quantize(const QuantizeArgs& args) {
  for (size_t r = 0; r < args.m; ++r) {
    quantize_row<V>(args.x + r * args.ldx, args.n, args.bytes + r * args.ldb, args.ldb,
                    args.scale + r, args.zero + r);
  }
}

// What every way to multiply bytes has; see vector_lanes.h.
template <class Vector>
struct ByteProducts {
  using V = Vector;
  using Args = LinearInt8Args;
  using Element = int;
  using Sum = typename Vector::Sums;
  static constexpr size_t kGroup = kByteGroup;
  static constexpr int kTakenOff = 0;  // what load_row takes off each byte
  MR_NN_MEMBER Sum zero_sum() { return reinterpret_cast<Sum>(V::zero_i()); }
  MR_NN_MEMBER Sum load_sum(const int* p) { return reinterpret_cast<Sum>(V::load_i(p)); }
  MR_NN_MEMBER void store_sum(int* p, Sum x) { V::store_i(p, reinterpret_cast<typename V::I>(x)); }
};

// From sums to floats: the rows' zero points out, both scales and the bias in, and the activation.
template <class D>
MR_NN_INLINE void finish_sums(const LinearInt8Args& args, const int* sums, size_t row, size_t rows,
                              size_t n, size_t columns, Activation activation) {
  using V = typename D::V;
  MR_NN_UNROLL
  for (size_t v = 0; v < D::kTileVectors; ++v) {
    const size_t first = v * V::kWidth;
    if (first >= columns) return;
    const size_t count = smaller(V::kWidth, columns - first);
    const typename V::I b_sum = V::load_i(args.b_sum + n + first);
    const typename V::T b_scale = V::load(args.b_scale + n + first);
    const typename V::T bias = load_some<V>(args.bias + n + first, count);
    for (size_t r = 0; r < rows; ++r) {
      const typename V::I sum = V::load_i(sums + r * D::kTileVectors * V::kWidth + first);
      const typename V::I zero = V::set1_i(args.a_zero[row + r] - D::kTakenOff);
      const typename V::T centred = V::to_float(V::sub_i(sum, V::mul_i(zero, b_sum)));
      const typename V::T scale = V::mul(V::set1(args.a_scale[row + r]), b_scale);
      const typename V::T y = activate_one<V>(V::fma(centred, scale, bias), activation);
      store_some<V>(args.out + (row + r) * args.ldo + n + first, y, count);
    }
  }
}

}  // namespace millrace::nn
