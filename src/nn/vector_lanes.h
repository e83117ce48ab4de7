// Matrix products over lanes of 32 bits that hold several short entries of k, over a vector type
// and a way to multiply. A way D has:
//   V                            the vector type
//   Args                         what a product is of: LinearInt8Args or LinearBf16Args
//   Element, Sum                 a sum in memory, and a register of them
//   kGroup                       entries of k that lie side by side in a panel
//   kDepth                       entries of k in a lane when they are multiplied: kGroup, or fewer,
//                                where widen_panel(from, steps, to) makes such lanes of a panel
//   load_row(p)                  a register of lanes of A
//   dot(sum, a, b)               adds the products of each lane's entries to it
//   zero_sum, load_sum, store_sum
//   kTileRows, kTileVectors      the tile
// What becomes of finished sums is told by finish_columns for the Args.
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
    if constexpr (D::kDepth == D::kGroup) {
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
  alignas(64) int wide[D::kDepth == D::kGroup ? 1 : kBlockSteps * kLaneTileColumns<D>];
};

// A block of the output: rows [row, row + rows), columns [n_begin, n_end).
struct LaneBlock {
  size_t row;
  size_t rows;
  size_t n_begin;
  size_t n_end;
};

// Lanes [first, first + steps) of k; `last`: there are no more.
struct LaneRange {
  size_t first;
  size_t steps;
  bool last;
};

// Copies the block's rows, the range's lanes of them, each `kStepPitch` from the next.
template <class D>
MR_NN_INLINE void pack_lanes(const typename D::Args& args, const LaneBlock& block,
                             const LaneRange& range, int* to) {
  constexpr size_t kStep = D::V::kWidth;  // lanes at a time; rows are padded to more
  for (size_t r = 0; r < block.rows; ++r) {
    const auto* from = args.a + (block.row + r) * args.lda + range.first * D::kDepth;
    for (size_t i = 0; i < range.steps; i += kStep) {
      D::V::store_i(to + r * kStepPitch + i, D::load_row(from + i * D::kDepth));
    }
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

// Columns [n, n + columns) of the block, over the range's lanes of k. `panels`: those of a tile's
// width that are there.
template <class D>
MR_NN_INLINE void multiply_lane_columns(const typename D::Args& args, const LaneBlock& block,
                                        const LaneRange& range, size_t n, size_t panels,
                                        LaneBuffers<D>* buffers) {
  constexpr size_t kColumns = kLaneTileColumns<D>;
  constexpr bool kWidened = D::kDepth != D::kGroup;
  const size_t depth = (args.k + D::kGroup - 1) / D::kGroup * D::kGroup;
  const auto* panel = args.panels + n * depth + range.first * D::kDepth * kPanelColumns;
  const auto* next = panel + kColumns * depth;
  LanePanels b = {};
  if constexpr (kWidened) {
    for (size_t p = 0; p < panels; ++p) {
      D::widen_panel(panel + p * kPanelColumns * depth, range.steps,
                     buffers->wide + p * kBlockSteps * kPanelColumns);
    }
    b = {buffers->wide, kBlockSteps * kPanelColumns, nullptr};
  } else {
    const auto* lanes = static_cast<const int*>(static_cast<const void*>(panel));
    b = {lanes, depth / D::kGroup * kPanelColumns, nullptr};
  }
  const size_t tiles = (block.rows + D::kTileRows - 1) / D::kTileRows;
  typename D::Element* sums = buffers->sums + (n - block.n_begin) * kLaneBlockRows;
  for (size_t t = 0; t < tiles; ++t) {
    const size_t row = t * D::kTileRows;
    const size_t rows = smaller(D::kTileRows, block.rows - row);
    if constexpr (kWidened) {
      fetch_part(next, range.steps * D::kDepth * kColumns * sizeof(*next), t, tiles);
    } else {
      // One of the next tile's panels with each tile, in turn.
      b.ahead = static_cast<const int*>(static_cast<const void*>(next)) +
                t % (kColumns / kPanelColumns) * b.distance;
    }
    const int* a = buffers->rows + row * kStepPitch;
    typename D::Element* tile = sums + row * kColumns;
    if (panels * kPanelColumns < kColumns) {
      lane_tile_of<D, kPanelColumns / D::V::kWidth>(rows, a, range.steps, b, range.first > 0, tile);
    } else {
      lane_tile_of<D, D::kTileVectors>(rows, a, range.steps, b, range.first > 0, tile);
    }
  }
  // All rows at once: the chains of an activation are long, and a loop over a tile's few rows would
  // end before they overlap.
  const size_t columns = smaller(kColumns, block.n_end - n);
  if (range.last) finish_columns<D>(args, sums, block.row, block.rows, n, columns);
}

template <class D>
static void linear_lanes(const typename D::Args& args) {
  constexpr size_t kColumns = kLaneTileColumns<D>;
  static_assert(kLaneBlockColumns % kColumns == 0);
  static_assert(kPanelColumns <= kColumns && kColumns <= 2 * kPanelColumns);
  LaneBuffers<D> buffers;
  const size_t steps = (args.k + D::kGroup - 1) / D::kGroup * D::kGroup / D::kDepth;
  const size_t panels_end = (args.n + kPanelColumns - 1) / kPanelColumns * kPanelColumns;
  // Blocks of about equal height in whole tiles, as in linear.
  const size_t blocks = (args.m + kLaneBlockRows - 1) / kLaneBlockRows;
  const size_t share = blocks == 0 ? 1 : (args.m + blocks - 1) / blocks;
  const size_t height = (share + D::kTileRows - 1) / D::kTileRows * D::kTileRows;
  for (size_t row = 0; row < args.m; row += height) {
    for (size_t begin = 0; begin < args.n; begin += kLaneBlockColumns) {
      const LaneBlock block = {row, smaller(height, args.m - row), begin,
                               smaller(args.n, begin + kLaneBlockColumns)};
      for (size_t first = 0; first < steps; first += kBlockSteps) {
        const size_t some = smaller(kBlockSteps, steps - first);
        const LaneRange range = {first, some, first + some == steps};
        pack_lanes<D>(args, block, range, buffers.rows);
        for (size_t n = begin; n < block.n_end; n += kColumns) {
          const size_t panels = smaller(kColumns, panels_end - n) / kPanelColumns;
          multiply_lane_columns<D>(args, block, range, n, panels, &buffers);
        }
      }
    }
  }
}

}  // namespace millrace::nn
