// A block of a product by Strassen's seven products of half the size in place of eight. Sums of two
// bytes fit into the 16 bits that the bytes are widened to anyway, and sums of integers are exact,
// also where one on the way does not fit into its 32 bits: they wrap, and the last one is right. So
// the bits are the same as those of the eight products.
#pragma once

#include <cstddef>

#include "nn/isa_kernels.h"
#include "nn/vector_lane_tile.h"

namespace millrace::nn {

// Halves of rows, of columns and of k make quarters: of A (rows, k), B (k, columns), C (rows,
// columns), numbered 0 to 3, the second index the faster one.
struct Taken {
  Take take;
  size_t first;
  size_t second;  // as first where only that is taken
};

// What becomes of a product in a quarter of C.
enum class Give { kNothing, kSet, kAdd, kSubtract };
struct Given {
  Give give;
  size_t quarter;
};

struct HalfProduct {
  Taken a;
  Taken b;
  size_t fresh;  // quarters of B, the first or both, that no product before this one has read
  Given one;     // kSet: kAdd where there are sums of earlier ranges of k
  Given other;
};

inline constexpr HalfProduct kSevenProducts[] = {
    {{Take::kSum, 0, 3}, {Take::kSum, 0, 3}, 2, {Give::kSet, 0}, {Give::kSet, 3}},
    {{Take::kSum, 2, 3}, {Take::kOne, 0, 0}, 0, {Give::kSet, 2}, {Give::kSubtract, 3}},
    {{Take::kOne, 0, 0}, {Take::kDifference, 1, 3}, 1, {Give::kSet, 1}, {Give::kAdd, 3}},
    {{Take::kOne, 3, 3}, {Take::kDifference, 2, 0}, 1, {Give::kAdd, 0}, {Give::kAdd, 2}},
    {{Take::kSum, 0, 1}, {Take::kOne, 3, 3}, 0, {Give::kSubtract, 0}, {Give::kAdd, 1}},
    {{Take::kDifference, 2, 0}, {Take::kSum, 0, 1}, 0, {Give::kAdd, 3}, {Give::kNothing, 0}},
    {{Take::kDifference, 1, 3}, {Take::kSum, 2, 3}, 0, {Give::kAdd, 0}, {Give::kNothing, 0}}};

// Half of a block in each direction, and where the range of k starts.
struct Halves {
  size_t rows;
  size_t columns;
  size_t steps;
  size_t first;
};

// Strides of rows are too long and runs too short for the hardware to see them coming.
MR_NN_INLINE void fetch_row(const unsigned char* p, size_t bytes) {
  constexpr size_t kLine = 64;
  for (size_t i = 0; i < bytes; i += kLine) __builtin_prefetch(p + i);
}

// Rows of A for a product. Those that the lower half does not have are zero.
template <class D, Take kTake>
MR_NN_INLINE void pack_quarter(const typename D::Args& args, const LaneBlock& block,
                               const Halves& half, const Taken& a, int* to) {
  const auto row_of = [&](size_t quarter, size_t r) __attribute__((always_inline)) {
    return quarter / 2 * half.rows + r;
  };
  const auto lanes_of = [&](size_t quarter, size_t r) __attribute__((always_inline)) {
    const size_t step = half.first + quarter % 2 * half.steps;
    return args.a + (block.row + row_of(quarter, r)) * args.lda + step * D::kDepth;
  };
  constexpr size_t kRowsAhead = 4;
  static constexpr unsigned char kZeros[kBlockSteps * D::kDepth + kByteRowStep] = {};
  for (size_t r = 0; r < half.rows; ++r) {
    const auto* first = row_of(a.first, r) < block.rows ? lanes_of(a.first, r) : kZeros;
    const auto* second = row_of(a.second, r) < block.rows ? lanes_of(a.second, r) : kZeros;
    if (row_of(a.second, r + kRowsAhead) < block.rows && r + kRowsAhead < half.rows) {
      fetch_row(lanes_of(a.first, r + kRowsAhead), half.steps * D::kDepth);
      if (kTake != Take::kOne)
        fetch_row(lanes_of(a.second, r + kRowsAhead), half.steps * D::kDepth);
    }
    pack_lanes<D, kTake>(first, second, half.steps, to + r * kStepPitch);
  }
}

template <class D>
MR_NN_INLINE void pack_taken(const typename D::Args& args, const LaneBlock& block,
                             const Halves& half, const Taken& a, int* to) {
  switch (a.take) {
    case Take::kOne:
      return pack_quarter<D, Take::kOne>(args, block, half, a, to);
    case Take::kSum:
      return pack_quarter<D, Take::kSum>(args, block, half, a, to);
    case Take::kDifference:
      return pack_quarter<D, Take::kDifference>(args, block, half, a, to);
  }
}

template <class D>
MR_NN_INLINE void widen_taken(Take how, const signed char* first, const signed char* second,
                              size_t steps, int* to) {
  switch (how) {
    case Take::kOne:
      return widen_panel<D, Take::kOne>(first, second, steps, to);
    case Take::kSum:
      return widen_panel<D, Take::kSum>(first, second, steps, to);
    case Take::kDifference:
      return widen_panel<D, Take::kDifference>(first, second, steps, to);
  }
}

// A whole tile of sums to a quarter of C.
template <class D>
MR_NN_INLINE void give_tile(Give give, const int* product, int* sums) {
  using V = typename D::V;
  constexpr size_t kEntries = D::kTileRows * kLaneTileColumns<D>;
  // Each loop by itself, and unrolled: what looks like a copy would be one by "rep movs".
  switch (give) {
    case Give::kNothing:
      return;
    case Give::kSet:
      MR_NN_UNROLL
      for (size_t i = 0; i < kEntries; i += V::kWidth) V::store_i(sums + i, V::load_i(product + i));
      return;
    case Give::kAdd:
      MR_NN_UNROLL
      for (size_t i = 0; i < kEntries; i += V::kWidth) {
        V::store_i(sums + i, V::add_i(V::load_i(sums + i), V::load_i(product + i)));
      }
      return;
    case Give::kSubtract:
      MR_NN_UNROLL
      for (size_t i = 0; i < kEntries; i += V::kWidth) {
        V::store_i(sums + i, V::sub_i(V::load_i(sums + i), V::load_i(product + i)));
      }
      return;
  }
}

// A tile's width of one of the products: columns [n, n + a tile's) of the first half of C's and the
// same of the second. The rows of A are packed.
template <class D>
MR_NN_INLINE void multiply_quarter_columns(const typename D::Args& args, const LaneBlock& block,
                                           const Halves& half, const HalfProduct& product, size_t n,
                                           LaneBuffers<D>* buffers) {
  constexpr size_t kColumns = kLaneTileColumns<D>;
  const size_t depth = (args.k + D::kGroup - 1) / D::kGroup * D::kGroup;
  const auto panel_of = [&](size_t quarter) __attribute__((always_inline)) {
    const size_t step = half.first + quarter / 2 * half.steps;
    return args.panels + (n + quarter % 2 * half.columns) * depth +
           step * D::kDepth * kPanelColumns;
  };
  const signed char* first = panel_of(product.b.first);
  const signed char* second = panel_of(product.b.second);
  for (size_t p = 0; p < kColumns / kPanelColumns; ++p) {
    const size_t offset = p * kPanelColumns * depth;
    widen_taken<D>(product.b.take, first + offset, second + offset, half.steps,
                   buffers->wide + p * kBlockSteps * kPanelColumns);
  }
  const LanePanels b = {buffers->wide, kBlockSteps * kPanelColumns, nullptr};
  const auto sums_at = [&](size_t quarter, size_t row) __attribute__((always_inline)) {
    return sums_of(buffers, block, n + quarter % 2 * half.columns) +
           (quarter / 2 * half.rows + row) * kColumns;
  };
  const auto give_of = [&](Give give) __attribute__((always_inline)) {
    return give == Give::kSet && half.first > 0 ? Give::kAdd : give;
  };
  const size_t bytes = half.steps * D::kDepth * kColumns;
  const size_t tiles = half.rows / D::kTileRows;
  for (size_t t = 0; t < tiles; ++t) {
    const size_t row = t * D::kTileRows;
    if (product.fresh > 0) fetch_part(first + kColumns * depth, bytes, t, tiles);
    if (product.fresh > 1) fetch_part(second + kColumns * depth, bytes, t, tiles);
    alignas(64) int sums[D::kTileRows * kColumns];
    lane_tile<D, D::kTileRows, D::kTileVectors>(buffers->rows + row * kStepPitch, half.steps, b,
                                                false, sums);
    give_tile<D>(give_of(product.one.give), sums, sums_at(product.one.quarter, row));
    give_tile<D>(give_of(product.other.give), sums, sums_at(product.other.quarter, row));
  }
}

// Whether seven products of half the size are less work: with few rows widening B, a quarter each
// time, costs more than the eighth product. (It costs about as much as three rows.)
template <class D>
MR_NN_INLINE bool seven_are_less(size_t rows, size_t half_rows) {
  return 7 * (half_rows + 3) < 4 * rows;
}

// False, and nothing is done, where the block cannot be halved in whole tiles, or is too small.
template <class D>
MR_NN_INLINE bool multiply_by_seven(const typename D::Args& args, const LaneBlock& block,
                                    size_t steps, LaneBuffers<D>* buffers) {
  constexpr size_t kColumns = kLaneTileColumns<D>;
  const size_t ranges = (steps + 2 * kBlockSteps - 1) / (2 * kBlockSteps);
  Halves half = {};
  half.rows = (block.rows + 2 * D::kTileRows - 1) / (2 * D::kTileRows) * D::kTileRows;
  half.columns = (block.n_end - block.n_begin) / 2;
  half.steps = steps / (2 * ranges);
  const bool whole = (block.n_end - block.n_begin) % (2 * kColumns) == 0 &&
                     steps % (2 * ranges * D::V::kWidth) == 0;
  if (!whole || !seven_are_less<D>(block.rows, half.rows)) return false;
  for (; half.first < steps; half.first += 2 * half.steps) {
    for (const HalfProduct& product : kSevenProducts) {
      pack_taken<D>(args, block, half, product.a, buffers->rows);
      for (size_t n = 0; n < half.columns; n += kColumns) {
        multiply_quarter_columns<D>(args, block, half, product, block.n_begin + n, buffers);
      }
    }
  }
  return true;
}

}  // namespace millrace::nn
