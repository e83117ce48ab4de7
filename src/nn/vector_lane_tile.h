// The parts of a matrix product over lanes of 32 bits that hold several short entries of k, over a
// vector type and a way to multiply. A way D has:
//   V                            the vector type
//   Args                         what a product is of: LinearInt8Args or LinearBf16Args
//   Element, Sum                 a sum in memory, and a register of them
//   kGroup                       entries of k that lie side by side in a panel
//   kDepth                       entries of k in a lane when they are multiplied: kGroup, or 2
//   where
//                                bytes are widened: the even entries of a group, then the odd ones
//   load_row(p)                  a register of lanes of A
//   dot(sum, a, b)               adds the products of each lane's entries to it
//   zero_sum, load_sum, store_sum
//   kTileRows, kTileVectors      the tile
// What becomes of finished sums is told by finish_sums for the Args.
#pragma once

#include <cstddef>

#include "nn/isa_kernels.h"
#include "nn/vector_linear.h"
#include "nn/vector_math.h"

namespace millrace::nn {

// Lanes of k that are multiplied before the next: a tile's width of B (12 KiB for 16 columns) and
// its rows of A stay in the L1 cache.
inline constexpr size_t kBlockSteps = 192;
// Distance of rows of A in their copy: an odd number of cache lines.
inline constexpr size_t kStepPitch = kBlockSteps + 16;
// Rows and columns of sums that wait for the next block of k: with A's copy they fill little more
// than half of an L2 cache of 512 KiB.
inline constexpr size_t kLaneBlockRows = 168;
inline constexpr size_t kLaneBlockColumns = 256;

template <class D>
constexpr size_t kLaneTileColumns = D::kTileVectors* D::V::kWidth;

// Bytes become 16-bit integers, for instruction sets whose products of bytes would saturate.
template <class D>
constexpr bool kWidened = D::kDepth != D::kGroup;

// A tile's width of B: its panels are `distance` lanes apart.
struct LanePanels {
  const int* first;
  size_t distance;
  const int* ahead;  // what will be read next, or null; see Panels
};

// sums[kRows x kVectors] = a x b, or += where `more`.
template <class D, size_t kRows, size_t kVectors>
[[gnu::noinline]] static void lane_tile(const int* a, size_t steps, const LanePanels& panels,
                                        bool more, typename D::Element* sums) {
  using V = typename D::V;
  constexpr size_t kPanelVectors = kPanelColumns / V::kWidth;
  constexpr size_t kLd = kLaneTileColumns<D>;
  const int* b = panels.first;
  const int* ahead = panels.ahead;
  const size_t distance = panels.distance;
  typename D::Sum sum[kRows][kVectors];
  MR_NN_UNROLL
  for (size_t r = 0; r < kRows; ++r) {
    MR_NN_UNROLL
    for (size_t v = 0; v < kVectors; ++v) {
      sum[r][v] = more ? D::load_sum(sums + r * kLd + v * V::kWidth) : D::zero_sum();
    }
  }
  for (size_t i = 0; i < steps; ++i) {
    typename V::I column[kVectors];
    MR_NN_UNROLL
    for (size_t v = 0; v < kVectors; ++v) {
      column[v] = V::load_i(b + v / kPanelVectors * distance + v % kPanelVectors * V::kWidth);
    }
    MR_NN_UNROLL
    for (size_t r = 0; r < kRows; ++r) {
      const typename V::I row = V::set1_i(a[r * kStepPitch]);
      MR_NN_UNROLL
      for (size_t v = 0; v < kVectors; ++v) sum[r][v] = D::dot(sum[r][v], row, column[v]);
    }
    if constexpr (!kWidened<D>) {
      __builtin_prefetch(ahead, 0, 2);
      ahead += kPanelColumns;
    }
    ++a;
    b += kPanelColumns;
  }
  MR_NN_UNROLL
  for (size_t r = 0; r < kRows; ++r) {
    MR_NN_UNROLL
    for (size_t v = 0; v < kVectors; ++v) {
      D::store_sum(sums + r * kLd + v * V::kWidth, sum[r][v]);
    }
  }
}

template <class D, size_t kVectors, size_t kRows = D::kTileRows>
MR_NN_INLINE void lane_tile_of(size_t rows, const int* a, size_t steps, const LanePanels& b,
                               bool more, typename D::Element* sums) {
  if constexpr (kRows > 1) {
    if (rows < kRows) return lane_tile_of<D, kVectors, kRows - 1>(rows, a, steps, b, more, sums);
  }
  lane_tile<D, kRows, kVectors>(a, steps, b, more, sums);
}

// Where a product's blocks rest; on the stack, so that nothing is allocated.
template <class D>
struct LaneBuffers {
  alignas(64) int rows[kLaneBlockRows * kStepPitch];
  alignas(64) typename D::Element sums[kLaneBlockRows * kLaneBlockColumns];
  alignas(64) int wide[kWidened<D> ? kBlockSteps * kLaneTileColumns<D> : 1];
};

// A block of the output: rows [row, row + rows), columns [n_begin, n_end).
struct LaneBlock {
  size_t row;
  size_t rows;
  size_t n_begin;
  size_t n_end;
};

// The sums of the tile's width that starts at column n: rows below each other.
template <class D>
MR_NN_INLINE typename D::Element* sums_of(LaneBuffers<D>* buffers, const LaneBlock& block,
                                          size_t n) {
  return buffers->sums + (n - block.n_begin) * kLaneBlockRows;
}

// Lanes [first, first + steps) of k.
struct LaneRange {
  size_t first;
  size_t steps;
};

// What is multiplied in place of one matrix (see vector_strassen.h); sums are of 16-bit integers.
enum class Take { kOne, kSum, kDifference };

template <class D, Take kTake>
MR_NN_INLINE typename D::V::I take(typename D::V::I a, typename D::V::I b) {
  if constexpr (kTake == Take::kSum) return D::V::add_words(a, b);
  if constexpr (kTake == Take::kDifference) return D::V::sub_words(a, b);
  return a;
}

// Copies `steps` lanes of a row of A, or of what is made of two rows.
template <class D, Take kTake = Take::kOne, class Entry>
MR_NN_INLINE void pack_lanes(const Entry* first, const Entry* second, size_t steps, int* to) {
  constexpr size_t kStep = D::V::kWidth;  // lanes at a time; rows are padded to more
  for (size_t i = 0; i < steps; i += kStep) {
    typename D::V::I lanes = D::load_row(first + i * D::kDepth);
    if constexpr (kTake != Take::kOne) {
      lanes = take<D, kTake>(lanes, D::load_row(second + i * D::kDepth));
    }
    D::V::store_i(to + i, lanes);
  }
}

// `steps` lanes of a panel of bytes, or of what is made of two, as 16-bit integers.
template <class D, Take kTake = Take::kOne>
MR_NN_INLINE void widen_panel(const signed char* first, const signed char* second, size_t steps,
                              int* to) {
  using V = typename D::V;
  static_assert(D::kDepth == 2 && D::kGroup == 4);
  for (size_t i = 0; i < steps; i += 2) {
    MR_NN_UNROLL
    for (size_t c = 0; c < kPanelColumns; c += V::kWidth) {
      const typename V::I x = V::load_i(first + c * D::kGroup);
      typename V::I even = V::even_bytes(x);
      typename V::I odd = V::odd_bytes(x);
      if constexpr (kTake != Take::kOne) {
        const typename V::I y = V::load_i(second + c * D::kGroup);
        even = take<D, kTake>(even, V::even_bytes(y));
        odd = take<D, kTake>(odd, V::odd_bytes(y));
      }
      V::store_i(to + c, even);
      V::store_i(to + c + kPanelColumns, odd);
    }
    first += D::kGroup * kPanelColumns;
    second += D::kGroup * kPanelColumns;
    to += 2 * kPanelColumns;
  }
}

// Fetches part `part` of `parts` of `bytes` at `p` into the L2 cache: a little with each tile, for
// weights come from beyond it and too much at once would wait for itself. (AVX2, weights of six
// layers in turn: 125-138 GOP/s without, 129-143 with.)
MR_NN_INLINE void fetch_part(const void* p, size_t bytes, size_t part, size_t parts) {
  constexpr size_t kLine = 64;
  const size_t share = (bytes / kLine + parts - 1) / parts * kLine;
  const char* from = static_cast<const char*>(p) + part * share;
  for (size_t i = 0; i < share && part * share + i < bytes; i += kLine) {
    __builtin_prefetch(from + i, 0, 2);
  }
}

}  // namespace millrace::nn
