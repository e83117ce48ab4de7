// Matrix products over lanes of 32 bits that hold several short entries of k, over a vector type
// and a way to multiply; see vector_lane_tile.h.
#pragma once

#include <cstddef>

#include "nn/isa_kernels.h"
#include "nn/vector_lane_tile.h"
#include "nn/vector_strassen.h"

namespace millrace::nn {

// Columns [n, n + columns) of the block's output from their sums, of all rows at once: the chains
// of an activation are long, and a loop over a tile's few rows would end before they overlap.
template <class D>
MR_NN_INLINE void finish_columns(const typename D::Args& args, const LaneBlock& block, size_t n,
                                 const typename D::Element* sums) {
  const size_t columns = smaller(kLaneTileColumns<D>, block.n_end - n);
  switch (args.activation) {
    case Activation::kNone:
      return finish_sums<D>(args, sums, block.row, block.rows, n, columns, Activation::kNone);
    case Activation::kRelu:
      return finish_sums<D>(args, sums, block.row, block.rows, n, columns, Activation::kRelu);
    case Activation::kGelu:
      return finish_sums<D>(args, sums, block.row, block.rows, n, columns, Activation::kGelu);
    case Activation::kGeluTanh:
      return finish_sums<D>(args, sums, block.row, block.rows, n, columns, Activation::kGeluTanh);
    case Activation::kTanh:
      return finish_sums<D>(args, sums, block.row, block.rows, n, columns, Activation::kTanh);
  }
}

// Columns [n, n + columns) of the block, over the range's lanes of k. `panels`: those of a tile's
// width that are there.
template <class D>
MR_NN_INLINE void multiply_lane_columns(const typename D::Args& args, const LaneBlock& block,
                                        const LaneRange& range, size_t n, size_t panels,
                                        LaneBuffers<D>* buffers) {
  constexpr size_t kColumns = kLaneTileColumns<D>;
  const size_t depth = (args.k + D::kGroup - 1) / D::kGroup * D::kGroup;
  const auto* panel = args.panels + n * depth + range.first * D::kDepth * kPanelColumns;
  const auto* next = panel + kColumns * depth;
  LanePanels b = {};
  if constexpr (kWidened<D>) {
    for (size_t p = 0; p < panels; ++p) {
      const auto* from = panel + p * kPanelColumns * depth;
      widen_panel<D>(from, from, range.steps, buffers->wide + p * kBlockSteps * kPanelColumns);
    }
    b = {buffers->wide, kBlockSteps * kPanelColumns, nullptr};
  } else {
    const auto* lanes = static_cast<const int*>(static_cast<const void*>(panel));
    b = {lanes, depth / D::kGroup * kPanelColumns, nullptr};
  }
  const size_t tiles = (block.rows + D::kTileRows - 1) / D::kTileRows;
  typename D::Element* sums = sums_of(buffers, block, n);
  for (size_t t = 0; t < tiles; ++t) {
    const size_t row = t * D::kTileRows;
    const size_t rows = smaller(D::kTileRows, block.rows - row);
    if constexpr (kWidened<D>) {
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
}

// The block, in ranges of k.
template <class D>
MR_NN_INLINE void multiply_lanes(const typename D::Args& args, const LaneBlock& block, size_t steps,
                                 LaneBuffers<D>* buffers) {
  constexpr size_t kColumns = kLaneTileColumns<D>;
  const size_t panels_end = (args.n + kPanelColumns - 1) / kPanelColumns * kPanelColumns;
  for (size_t first = 0; first < steps; first += kBlockSteps) {
    const LaneRange range = {first, smaller(kBlockSteps, steps - first)};
    const bool last = first + range.steps == steps;
    for (size_t r = 0; r < block.rows; ++r) {
      const auto* from = args.a + (block.row + r) * args.lda + range.first * D::kDepth;
      pack_lanes<D>(from, from, range.steps, buffers->rows + r * kStepPitch);
    }
    for (size_t n = block.n_begin; n < block.n_end; n += kColumns) {
      const size_t panels = smaller(kColumns, panels_end - n) / kPanelColumns;
      multiply_lane_columns<D>(args, block, range, n, panels, buffers);
      if (last) finish_columns<D>(args, block, n, sums_of(buffers, block, n));
    }
  }
}

template <class D>
static void linear_lanes(const typename D::Args& args) {
  constexpr size_t kColumns = kLaneTileColumns<D>;
  static_assert(kLaneBlockColumns % kColumns == 0);
  static_assert(kPanelColumns <= kColumns && kColumns <= 2 * kPanelColumns);
  LaneBuffers<D> buffers;
  const size_t steps = (args.k + D::kGroup - 1) / D::kGroup * D::kGroup / D::kDepth;
  // Blocks of about equal height in whole tiles, as in linear; where they are halved, in two tiles.
  constexpr size_t kUnit = kWidened<D> ? 2 * D::kTileRows : D::kTileRows;
  static_assert(kLaneBlockRows % kUnit == 0);
  const size_t blocks = (args.m + kLaneBlockRows - 1) / kLaneBlockRows;
  const size_t share = blocks == 0 ? 1 : (args.m + blocks - 1) / blocks;
  const size_t height = (share + kUnit - 1) / kUnit * kUnit;
  for (size_t row = 0; row < args.m; row += height) {
    for (size_t begin = 0; begin < args.n; begin += kLaneBlockColumns) {
      const LaneBlock block = {row, smaller(height, args.m - row), begin,
                               smaller(args.n, begin + kLaneBlockColumns)};
      if constexpr (kWidened<D>) {
        if (multiply_by_seven<D>(args, block, steps, &buffers)) {
          for (size_t n = begin; n < block.n_end; n += kColumns) {
            finish_columns<D>(args, block, n, sums_of(&buffers, block, n));
          }
          continue;
        }
      }
      multiply_lanes<D>(args, block, steps, &buffers);
    }
  }
}

}  // namespace millrace::nn
