// Quantisation of rows to bytes and products of bytes, over a vector type and a way to multiply. A
// way D has: V, the vector type; kDepth, the entries of k in the 32 bits of a lane: 4 bytes, or 2
// 16-bit integers where the CPU multiplies only those without saturation; dot(sum, a, b), which
// adds the products of each lane's entries to it; and kTileRows x kTileVectors, the tile.
// Sums are of integers and exact, so their order is free.
#pragma once

#include <cstddef>

#include "nn/isa_kernels.h"
#include "nn/vector_linear.h"
#include "nn/vector_math.h"
#include "nn/vector_rows.h"

namespace millrace::nn {

// Lanes of k that are multiplied before the next: a tile's width of B (12 KiB for 16 columns) and
// its rows of A stay in the L1 cache.
inline constexpr size_t kBlockSteps = 192;
// Distance of rows of A in their copy: an odd number of cache lines.
inline constexpr size_t kStepPitch = kBlockSteps + 16;
// Rows and columns of sums that wait for the next block of k: with A's copy they fill little more
// than half of an L2 cache of 512 KiB.
inline constexpr size_t kByteBlockRows = 168;
inline constexpr size_t kByteBlockColumns = 256;

// One row; see the reference.
template <class V>
MR_NN_INLINE void quantize_row(const float* x, size_t n, unsigned char* bytes, size_t ldb,
                               float* row_scale, int* row_zero) {
  using T = typename V::T;
  constexpr float kLargest = 0x1.fffffep+127F;
  T least[kLaneVectors<V>];
  T greatest[kLaneVectors<V>];
  T check[kLaneVectors<V>];  // 0, or NaN where an entry is not finite
  set_lanes<V>(least, 0.0F);
  set_lanes<V>(greatest, 0.0F);
  set_lanes<V>(check, 0.0F);
  for_lanes<V>(
      n, [&](size_t v, size_t i, size_t count) __attribute__((always_inline)) {
        const T y = load_some<V>(x + i, count);
        least[v] = V::min(y, least[v]);
        greatest[v] = V::max(y, greatest[v]);
        check[v] = V::fma(y, V::set1(0.0F), check[v]);
      });
  for (size_t v = 0; v < kLaneVectors<V>; ++v) least[v] = V::sub(V::set1(0.0F), least[v]);
  const float minus_low = V::max_of(least);
  const float range = V::max_of(greatest) + minus_low;
  const bool finite = V::sum_of(check) == 0.0F && range <= kLargest;
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

template <class D>
constexpr size_t kByteTileColumns = D::kTileVectors* D::V::kWidth;

// A tile's width of B: its panels are `distance` lanes apart.
struct BytePanels {
  const int* first;
  size_t distance;
  const int* ahead;  // what will be read next; see Panels
};

// sums[kRows x kVectors] = a x b, or += where `more`.
template <class D, size_t kRows, size_t kVectors>
[[gnu::noinline]] static void byte_tile(const int* a, size_t steps, const BytePanels& panels,
                                        bool more, int* sums) {
  using V = typename D::V;
  using I = typename V::I;
  constexpr size_t kPanelVectors = kPanelColumns / V::kWidth;
  constexpr size_t kLd = kByteTileColumns<D>;
  const int* b = panels.first;
  const int* ahead = panels.ahead;
  const size_t distance = panels.distance;
  I sum[kRows][kVectors];
  MR_NN_UNROLL
  for (size_t r = 0; r < kRows; ++r) {
    MR_NN_UNROLL
    for (size_t v = 0; v < kVectors; ++v) {
      sum[r][v] = more ? V::load_i(sums + r * kLd + v * V::kWidth) : V::zero_i();
    }
  }
  for (size_t i = 0; i < steps; ++i) {
    I column[kVectors];
    MR_NN_UNROLL
    for (size_t v = 0; v < kVectors; ++v) {
      column[v] = V::load_i(b + v / kPanelVectors * distance + v % kPanelVectors * V::kWidth);
    }
    MR_NN_UNROLL
    for (size_t r = 0; r < kRows; ++r) {
      const I row = V::set1_i(a[r * kStepPitch]);
      MR_NN_UNROLL
      for (size_t v = 0; v < kVectors; ++v) sum[r][v] = D::dot(sum[r][v], row, column[v]);
    }
    if constexpr (D::kDepth == kByteGroup) {
      __builtin_prefetch(ahead, 0, 2);
      ahead += kPanelColumns;
    }
    ++a;
    b += kPanelColumns;
  }
  MR_NN_UNROLL
  for (size_t r = 0; r < kRows; ++r) {
    MR_NN_UNROLL
    for (size_t v = 0; v < kVectors; ++v) V::store_i(sums + r * kLd + v * V::kWidth, sum[r][v]);
  }
}

template <class D, size_t kVectors, size_t kRows = D::kTileRows>
MR_NN_INLINE void byte_tile_of(size_t rows, const int* a, size_t steps, const BytePanels& b,
                               bool more, int* sums) {
  if constexpr (kRows > 1) {
    if (rows < kRows) return byte_tile_of<D, kVectors, kRows - 1>(rows, a, steps, b, more, sums);
  }
  byte_tile<D, kRows, kVectors>(a, steps, b, more, sums);
}

// From sums to floats: the rows' zero points out, both scales and the bias in, and the activation.
template <class D>
MR_NN_INLINE void finish_tile(const LinearInt8Args& args, const int* sums, size_t row, size_t rows,
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
      const typename V::I sum = V::load_i(sums + r * kByteTileColumns<D> + first);
      const typename V::I zero = V::set1_i(args.a_zero[row + r]);
      const typename V::T centred = V::to_float(V::sub_i(sum, V::mul_i(zero, b_sum)));
      const typename V::T scale = V::mul(V::set1(args.a_scale[row + r]), b_scale);
      const typename V::T y = activate_one<V>(V::fma(centred, scale, bias), activation);
      store_some<V>(args.out + (row + r) * args.ldo + n + first, y, count);
    }
  }
}

template <class D>
MR_NN_INLINE void finish_byte_tile(const LinearInt8Args& args, const int* sums, size_t row,
                                   size_t rows, size_t n, size_t columns) {
  switch (args.activation) {
    case Activation::kNone:
      return finish_tile<D>(args, sums, row, rows, n, columns, Activation::kNone);
    case Activation::kRelu:
      return finish_tile<D>(args, sums, row, rows, n, columns, Activation::kRelu);
    case Activation::kGelu:
      return finish_tile<D>(args, sums, row, rows, n, columns, Activation::kGelu);
    case Activation::kGeluTanh:
      return finish_tile<D>(args, sums, row, rows, n, columns, Activation::kGeluTanh);
    case Activation::kTanh:
      return finish_tile<D>(args, sums, row, rows, n, columns, Activation::kTanh);
  }
}

// Where a product's blocks rest; on the stack, so that nothing is allocated.
template <class D>
struct ByteBuffers {
  alignas(64) int rows[kByteBlockRows * kStepPitch];
  alignas(64) int sums[kByteBlockRows * kByteBlockColumns];
  alignas(64) int wide[D::kDepth == kByteGroup ? 1 : kBlockSteps * kByteTileColumns<D>];
};

// A block of the output: rows [row, row + rows), columns [n_begin, n_end).
struct ByteBlock {
  size_t row;
  size_t rows;
  size_t n_begin;
  size_t n_end;
};

// Copies the block's rows, `steps` lanes of them from `first` on, each `kStepPitch` from the next.
template <class D>
MR_NN_INLINE void pack_byte_rows(const LinearInt8Args& args, const ByteBlock& block, size_t first,
                                 size_t steps, int* to) {
  constexpr size_t kStep = D::V::kWidth;  // lanes at a time; rows are padded to more
  for (size_t r = 0; r < block.rows; ++r) {
    const unsigned char* from = args.a + (block.row + r) * args.lda + first * D::kDepth;
    for (size_t i = 0; i < steps; i += kStep) {
      D::V::store_i(to + r * kStepPitch + i, D::load_row(from + i * D::kDepth));
    }
  }
}

// The block's tiles over `steps` lanes of k from `first` on; `last`: there are no more.
template <class D>
MR_NN_INLINE void multiply_byte_block(const LinearInt8Args& args, const ByteBlock& block,
                                      size_t first, size_t steps, bool last,
                                      ByteBuffers<D>* buffers) {
  constexpr size_t kColumns = kByteTileColumns<D>;
  const size_t depth = (args.k + kByteGroup - 1) / kByteGroup * kByteGroup;
  const size_t panels_end = (args.n + kPanelColumns - 1) / kPanelColumns * kPanelColumns;
  for (size_t n = block.n_begin; n < block.n_end; n += kColumns) {
    const size_t columns = smaller(kColumns, block.n_end - n);
    const size_t panels = kColumns > kPanelColumns && panels_end - n > kPanelColumns ? 2 : 1;
    const signed char* panel = args.panels + n * depth + first * D::kDepth * kPanelColumns;
    BytePanels b = {};
    if constexpr (D::kDepth == kByteGroup) {
      const auto* lanes = static_cast<const int*>(static_cast<const void*>(panel));
      b = {lanes, depth / kByteGroup * kPanelColumns, lanes + kColumns * depth / kByteGroup};
    } else {
      for (size_t p = 0; p < panels; ++p) {
        D::widen_panel(panel + p * kPanelColumns * depth, steps,
                       buffers->wide + p * kBlockSteps * kPanelColumns);
      }
      b = {buffers->wide, kBlockSteps * kPanelColumns, nullptr};
    }
    int* sums = buffers->sums + (n - block.n_begin) * kByteBlockRows;
    for (size_t r = 0; r < block.rows; r += D::kTileRows) {
      const size_t rows = smaller(D::kTileRows, block.rows - r);
      const int* a = buffers->rows + r * kStepPitch;
      int* tile = sums + r * kColumns;
      if (panels * kPanelColumns < kColumns) {
        byte_tile_of<D, kPanelColumns / D::V::kWidth>(rows, a, steps, b, first > 0, tile);
      } else {
        byte_tile_of<D, D::kTileVectors>(rows, a, steps, b, first > 0, tile);
      }
      if (last) finish_byte_tile<D>(args, tile, block.row + r, rows, n, columns);
    }
  }
}

template <class D>
static void linear_int8(const LinearInt8Args& args) {
  static_assert(kByteBlockColumns % kByteTileColumns<D> == 0);
  static_assert(kByteTileColumns<D> <= 2 * kPanelColumns);
  ByteBuffers<D> buffers;
  const size_t steps = (args.k + kByteGroup - 1) / kByteGroup * kByteGroup / D::kDepth;
  // Blocks of about equal height in whole tiles, as in linear.
  const size_t blocks = (args.m + kByteBlockRows - 1) / kByteBlockRows;
  const size_t share = blocks == 0 ? 1 : (args.m + blocks - 1) / blocks;
  const size_t height = (share + D::kTileRows - 1) / D::kTileRows * D::kTileRows;
  for (size_t row = 0; row < args.m; row += height) {
    for (size_t n = 0; n < args.n; n += kByteBlockColumns) {
      const ByteBlock block = {row, smaller(height, args.m - row), n,
                               smaller(args.n, n + kByteBlockColumns)};
      for (size_t first = 0; first < steps; first += kBlockSteps) {
        const size_t some = smaller(kBlockSteps, steps - first);
        pack_byte_rows<D>(args, block, first, some, buffers.rows);
        multiply_byte_block<D>(args, block, first, some, first + some == steps, &buffers);
      }
    }
  }
}

}  // namespace millrace::nn
