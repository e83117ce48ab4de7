// Matrix products over a vector type V, instantiated by the file of each instruction set. A tile of
// kTileRows x (kTileVectors * kWidth) results stays in registers while k runs upwards; every result
// has one accumulator, which starts at the bias and takes one FMA for each k. Between blocks of k
// accumulators rest in the output, so blocking never changes a sum.
#pragma once

#include <cstddef>

#include "nn/isa_kernels.h"
#include "nn/vector_math.h"

namespace millrace::nn {

// Rows of A that are copied and multiplied together at most: the copy, its share of the output and
// a block of B just fit into an L2 cache of 1 MiB. A multiple of all tile heights in use.
inline constexpr size_t kBlockRows = 168;
// Columns of the output that are finished before the next ones start, for the same reason.
inline constexpr size_t kBlockColumns = 768;

MR_NN_INLINE size_t smaller(size_t a, size_t b) {
  return a < b ? a : b;
}

// A tile's width of B: its panels are `distance` floats apart. `ahead` is what will be read next;
// each tile fetches one panel of it into the L2 cache on the way, for the strides are too long and
// the runs too short for the hardware to do so.
struct Panels {
  const float* first;
  size_t distance;
  const float* ahead;
};

// c[kRows x kVectors] = start + a x b, or c + a x b where start is null.
template <class V, size_t kRows, size_t kVectors>
[[gnu::noinline]] static void tile(const float* a, size_t k, const Panels& panels,
                                   const float* start, float* c, size_t ldc) {
  constexpr size_t kPanelVectors = kPanelColumns / V::kWidth;
  const float* b = panels.first;
  const float* ahead = panels.ahead;
  const size_t distance = panels.distance;
  typename V::T sum[kRows][kVectors];
  MR_NN_UNROLL
  for (size_t r = 0; r < kRows; ++r) {
    MR_NN_UNROLL
    for (size_t v = 0; v < kVectors; ++v) {
      sum[r][v] = V::load((start != nullptr ? start : c + r * ldc) + v * V::kWidth);
    }
  }
  for (size_t i = 0; i < k; ++i) {
    typename V::T column[kVectors];
    MR_NN_UNROLL
    for (size_t v = 0; v < kVectors; ++v) {
      column[v] = V::load(b + v / kPanelVectors * distance + v % kPanelVectors * V::kWidth);
    }
    MR_NN_UNROLL
    for (size_t r = 0; r < kRows; ++r) {
      const typename V::T row = V::set1(a[r * kPitch]);
      MR_NN_UNROLL
      for (size_t v = 0; v < kVectors; ++v) sum[r][v] = V::fma(row, column[v], sum[r][v]);
    }
    __builtin_prefetch(ahead, 0, 2);
    ++a;
    b += kPanelColumns;
    ahead += kPanelColumns;
  }
  MR_NN_UNROLL
  for (size_t r = 0; r < kRows; ++r) {
    MR_NN_UNROLL
    for (size_t v = 0; v < kVectors; ++v) V::store(c + r * ldc + v * V::kWidth, sum[r][v]);
  }
}

template <class V, size_t kVectors, size_t kRows = V::kTileRows>
MR_NN_INLINE void tile_of(size_t rows, const float* a, size_t k, const Panels& b,
                          const float* start, float* c, size_t ldc) {
  if constexpr (kRows > 1) {
    if (rows < kRows) return tile_of<V, kVectors, kRows - 1>(rows, a, k, b, start, c, ldc);
  }
  tile<V, kRows, kVectors>(a, k, b, start, c, ldc);
}

// What is done to a finished tile while it is in the L1 cache.
struct NoFinish {
  template <class V>
  void apply(float*, size_t, size_t, size_t) const {}
};

struct ActivationFinish {
  Activation activation;

  template <class V>
  MR_NN_MEMBER void apply_as(float* c, size_t ldc, size_t rows, size_t columns, Activation which) {
    for (size_t r = 0; r < rows; ++r) {
      for (size_t i = 0; i < columns; i += V::kWidth) {
        float* p = c + r * ldc + i;
        V::store(p, activate_one<V>(V::load(p), which));
      }
    }
  }

  template <class V>
  void apply(float* c, size_t ldc, size_t rows, size_t columns) const {
    switch (activation) {
      case Activation::kNone:
        return;
      case Activation::kRelu:
        return apply_as<V>(c, ldc, rows, columns, Activation::kRelu);
      case Activation::kGelu:
        return apply_as<V>(c, ldc, rows, columns, Activation::kGelu);
      case Activation::kGeluTanh:
        return apply_as<V>(c, ldc, rows, columns, Activation::kGeluTanh);
      case Activation::kTanh:
        return apply_as<V>(c, ldc, rows, columns, Activation::kTanh);
    }
  }
};

// Row r times factor[r].
struct ScaleFinish {
  const float* factor;

  template <class V>
  void apply(float* c, size_t ldc, size_t rows, size_t columns) const {
    for (size_t r = 0; r < rows; ++r) {
      const typename V::T f = V::set1(factor[r]);
      for (size_t i = 0; i < columns; i += V::kWidth) {
        V::store(c + r * ldc + i, V::mul(V::load(c + r * ldc + i), f));
      }
    }
  }
};

template <class V>
constexpr size_t kTileColumns = V::kTileVectors* V::kWidth;

MR_NN_INLINE void copy_rows(const float* from, size_t ldf, size_t rows, size_t columns, float* to,
                            size_t ldt) {
  for (size_t r = 0; r < rows; ++r) {
    for (size_t i = 0; i < columns; ++i) to[r * ldt + i] = from[r * ldf + i];
  }
}

// One tile of any size up to kTileRows x kTileColumns; a tile that does not fill its registers is
// made beside the output. `start` has kTileColumns entries.
template <class V, class Finish>
MR_NN_INLINE void multiply_tile(const float* a, size_t rows, size_t k, const Panels& b,
                                size_t columns, const float* start, float* c, size_t ldc,
                                Finish finish) {
  const size_t whole = columns > V::kWidth ? kTileColumns<V> : V::kWidth;
  alignas(64) float beside[V::kTileRows * kTileColumns<V>];
  float* target = c;
  size_t ldt = ldc;
  if (columns < whole) {
    target = beside;
    ldt = kTileColumns<V>;
    if (start == nullptr) {
      for (size_t r = 0; r < rows; ++r) {
        for (size_t i = columns; i < whole; ++i) beside[r * ldt + i] = 0.0F;
      }
      copy_rows(c, ldc, rows, columns, beside, ldt);
    }
  }
  if (whole == V::kWidth) {
    tile_of<V, 1>(rows, a, k, b, start, target, ldt);
  } else {
    tile_of<V, V::kTileVectors>(rows, a, k, b, start, target, ldt);
  }
  finish.template apply<V>(target, ldt, rows, whole);
  if (target != c) copy_rows(beside, ldt, rows, columns, c, ldc);
}

// Copies [rows x k] (k <= kBlockK) to rows of distance kPitch.
template <class V>
MR_NN_INLINE void pack_rows(const float* from, size_t ld, size_t rows, size_t k, float* to) {
  for (size_t r = 0; r < rows; ++r) {
    const float* row = from + r * ld;
    float* packed = to + r * kPitch;
    size_t i = 0;
    for (; i + V::kWidth <= k; i += V::kWidth) V::store(packed + i, V::load(row + i));
    if (i < k) V::store_n(packed + i, V::load_n(row + i, k - i), k - i);
  }
}

// All row tiles of one packed block of A against one tile's width of B.
template <class V>
MR_NN_INLINE void multiply_column(const float* packed, size_t rows, size_t k, Panels b,
                                  size_t columns, const float* start, float* out, size_t ldo,
                                  bool last, Activation activation) {
  const float* ahead = b.ahead;
  for (size_t r = 0; r < rows; r += V::kTileRows) {
    const size_t height = smaller(V::kTileRows, rows - r);
    const float* a = packed + r * kPitch;
    float* c = out + r * ldo;
    b.ahead = ahead + r / V::kTileRows % (kTileColumns<V> / kPanelColumns) * b.distance;
    if (last) {
      multiply_tile<V>(a, height, k, b, columns, start, c, ldo, ActivationFinish{activation});
    } else {
      multiply_tile<V>(a, height, k, b, columns, start, c, ldo, NoFinish{});
    }
  }
}

// Columns [n_begin, n_end) of rows [row, row + rows).
template <class V>
static void linear_block(const LinearArgs& args, size_t row, size_t rows, size_t n_begin,
                         size_t n_end, float* packed) {
  for (size_t k = 0; k < args.k; k += kBlockK) {
    const size_t depth = smaller(kBlockK, args.k - k);
    pack_rows<V>(args.a + row * args.lda + k, args.lda, rows, depth, packed);
    for (size_t n = n_begin; n < n_end; n += kTileColumns<V>) {
      const float* first = args.panels + n * args.k + k * kPanelColumns;
      const float* below = args.panels + n_begin * args.k + (k + depth) * kPanelColumns;
      const size_t columns = smaller(kTileColumns<V>, n_end - n);
      const float* ahead = n + columns < n_end ? first + kTileColumns<V> * args.k : below;
      float bias[kTileColumns<V>] = {};
      const float* start = k == 0 ? args.bias + n : nullptr;
      if (k == 0 && columns < kTileColumns<V>) {
        for (size_t i = 0; i < columns; ++i) bias[i] = args.bias[n + i];
        start = bias;
      }
      multiply_column<V>(packed, rows, depth, {first, args.k * kPanelColumns, ahead}, columns,
                         start, args.out + row * args.ldo + n, args.ldo, k + depth == args.k,
                         args.activation);
    }
  }
}

template <class V>
static void linear(const LinearArgs& args) {
  static_assert(kTileColumns<V> % kPanelColumns == 0 && kBlockColumns % kTileColumns<V> == 0);
  static_assert(kBlockRows % V::kTileRows == 0 && V::kTileRows <= kTileRowsMax);
  alignas(64) float packed[kBlockRows * kPitch];  // 263 KiB of stack, so that nothing is allocated
  // Blocks of about equal height in whole tiles: the last must not be a few rows that pay for a
  // whole pass over B.
  const size_t blocks = (args.m + kBlockRows - 1) / kBlockRows;
  const size_t share = blocks == 0 ? 1 : (args.m + blocks - 1) / blocks;
  const size_t height = (share + V::kTileRows - 1) / V::kTileRows * V::kTileRows;
  for (size_t row = 0; row < args.m; row += height) {
    const size_t rows = smaller(height, args.m - row);
    for (size_t n = 0; n < args.n; n += kBlockColumns) {
      linear_block<V>(args, row, rows, n, smaller(args.n, n + kBlockColumns), packed);
    }
  }
}

}  // namespace millrace::nn
