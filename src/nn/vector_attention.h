// Attention of one sequence over a vector type V: for each head K is transposed and V is copied
// into panels, then a tile of queries at a time goes through scores, softmax and the weighted sum
// of V without leaving the cache. Both products use the tiles of linear.
#pragma once

#include <cstddef>

#include "nn/isa_kernels.h"
#include "nn/vector_linear.h"
#include "nn/vector_math.h"
#include "nn/vector_rows.h"

namespace millrace::nn {

// One head's part of AttentionArgs::scratch.
struct HeadScratch {
  float* keys;    // panels of 16 keys, each [d x 16]: K transposed
  float* values;  // panels of 16 columns, each [length x 16]
  float* query;   // a tile of q, in blocks of kBlockK columns of kTileRowsMax rows
  float* scores;  // the tile's scores, in the same form over keys
};

inline constexpr size_t kTileBlock = kTileRowsMax * kPitch;

MR_NN_INLINE size_t whole_panels(size_t n) {
  return (n + kPanelColumns - 1) / kPanelColumns * kPanelColumns;
}

MR_NN_INLINE size_t blocks_of(size_t n) {
  return (n + kBlockK - 1) / kBlockK;
}

MR_NN_INLINE HeadScratch head_scratch(const AttentionArgs& args) {
  HeadScratch s;
  s.keys = args.scratch;
  s.values = s.keys + (whole_panels(args.length) * args.d + kLanes - 1) / kLanes * kLanes;
  s.query = s.values + args.length * whole_panels(args.d);
  s.scores = s.query + blocks_of(args.d) * kTileBlock;
  return s;
}

// `count` keys (1 to kTransposeSide) become as many columns of the panel, the columns behind them
// 0: what lies there is computed and never read, and must be no slow numbers.
template <class V>
MR_NN_INLINE void transpose_group(const float* from, size_t ld, size_t count, size_t d,
                                  float* panel) {
  constexpr size_t kSide = V::kTransposeSide;
  const bool whole = count == kSide;
  float beside[kSide * kSide];
  if (!whole) {
    for (float& x : beside) x = 0.0F;
  }
  size_t i = 0;
  for (; i + kSide <= d; i += kSide) {
    if (!whole) copy_rows(from + i, ld, count, kSide, beside, kSide);
    V::transpose(whole ? from + i : beside, whole ? ld : kSide, panel + i * kPanelColumns,
                 kPanelColumns);
  }
  for (; i < d; ++i) {
    for (size_t j = 0; j < kSide; ++j) {
      panel[i * kPanelColumns + j] = j < count ? from[j * ld + i] : 0.0F;
    }
  }
}

template <class V>
MR_NN_INLINE void transpose_keys(const float* k, const AttentionArgs& args, float* keys) {
  constexpr size_t kSide = V::kTransposeSide;
  for (size_t first = 0; first < args.length; first += kPanelColumns) {
    float* panel = keys + first * args.d;
    const size_t count = smaller(kPanelColumns, args.length - first);
    size_t key = 0;
    for (; key < count; key += kSide) {
      transpose_group<V>(k + (first + key) * args.ld, args.ld, smaller(kSide, count - key), args.d,
                         panel + key);
    }
    for (size_t i = 0; i < args.d && key < kPanelColumns; ++i) {
      for (size_t j = key; j < kPanelColumns; ++j) panel[i * kPanelColumns + j] = 0.0F;
    }
  }
}

template <class V>
MR_NN_INLINE void copy_values(const float* v, const AttentionArgs& args, float* values) {
  for (size_t column = 0; column < args.d; column += kPanelColumns) {
    float* panel = values + column * args.length;
    const size_t count = smaller(kPanelColumns, args.d - column);
    for (size_t key = 0; key < args.length; ++key) {
      const float* from = v + key * args.ld + column;
      float* to = panel + key * kPanelColumns;
      for (size_t i = 0; i < kPanelColumns; i += V::kWidth) {
        const size_t some = i < count ? smaller(V::kWidth, count - i) : 0;
        V::store(to + i, some == V::kWidth ? V::load(from + i)
                         : some == 0       ? V::set1(0.0F)
                                           : V::load_n(from + i, some));
      }
    }
  }
}

// Row r of scores becomes e^((score - max) * scale), and inverse[r] 1 / their sum. Rows lie in
// blocks of kBlockK keys, a multiple of the lanes, so lanes run on from block to block.
template <class V>
MR_NN_INLINE void softmax_rows(float* scores, size_t rows, size_t length, float scale,
                               float* inverse) {
  using T = typename V::T;
  for (size_t r = 0; r < rows; ++r) {
    T lanes[kLaneVectors<V>];
    set_lanes<V>(lanes, -__builtin_inff());
    for (size_t b = 0; b * kBlockK < length; ++b) {
      const float* x = scores + b * kTileBlock + r * kPitch;
      accumulate_max<V>(x, smaller(kBlockK, length - b * kBlockK), lanes);
    }
    const T max = V::set1(V::max_of(lanes));
    set_lanes<V>(lanes, 0.0F);
    for (size_t b = 0; b * kBlockK < length; ++b) {
      float* x = scores + b * kTileBlock + r * kPitch;
      accumulate_exponentials<V>(x, smaller(kBlockK, length - b * kBlockK), max, scale, x, lanes);
    }
    inverse[r] = 1.0F / V::sum_of(lanes);
  }
}

// scores = q x keys, for one tile of queries.
template <class V>
MR_NN_INLINE void tile_scores(const AttentionArgs& args, const HeadScratch& s, size_t rows) {
  static constexpr float kZeros[kTileColumns<V>] = {};
  for (size_t key = 0; key < args.length; key += kTileColumns<V>) {
    // Rounded up to whole registers: the panel and the score rows have the room.
    const size_t columns = args.length - key > V::kWidth ? kTileColumns<V> : V::kWidth;
    float* c = s.scores + key / kBlockK * kTileBlock + key % kBlockK;
    for (size_t i = 0; i < args.d; i += kBlockK) {
      const float* b = s.keys + key * args.d + i * kPanelColumns;
      multiply_tile<V>(s.query + i / kBlockK * kTileBlock, rows, smaller(kBlockK, args.d - i),
                       {b, args.d * kPanelColumns, b}, columns, i == 0 ? kZeros : nullptr, c,
                       kPitch, NoFinish{});
    }
  }
}

// out = scores x values, each row divided by its sum.
template <class V>
MR_NN_INLINE void tile_values(const AttentionArgs& args, const HeadScratch& s, size_t rows,
                              const float* inverse, float* out) {
  static constexpr float kZeros[kTileColumns<V>] = {};
  for (size_t column = 0; column < args.d; column += kTileColumns<V>) {
    const size_t columns = smaller(kTileColumns<V>, args.d - column);
    float* c = out + column;
    for (size_t key = 0; key < args.length; key += kBlockK) {
      const float* a = s.scores + key / kBlockK * kTileBlock;
      const float* b = s.values + column * args.length + key * kPanelColumns;
      const Panels panels = {b, args.length * kPanelColumns, b};
      const size_t depth = smaller(kBlockK, args.length - key);
      const float* start = key == 0 ? kZeros : nullptr;
      if (key + depth == args.length) {
        multiply_tile<V>(a, rows, depth, panels, columns, start, c, args.ldo, ScaleFinish{inverse});
      } else {
        multiply_tile<V>(a, rows, depth, panels, columns, start, c, args.ldo, NoFinish{});
      }
    }
  }
}

template <class V>
static void attention(const AttentionArgs& args) {
  const HeadScratch s = head_scratch(args);
  for (size_t head = 0; head < args.heads; ++head) {
    const size_t offset = head * args.d;
    transpose_keys<V>(args.k + offset, args, s.keys);
    copy_values<V>(args.v + offset, args, s.values);
    for (size_t row = 0; row < args.queries; row += V::kTileRows) {
      const size_t rows = smaller(V::kTileRows, args.queries - row);
      for (size_t i = 0; i < args.d; i += kBlockK) {
        pack_rows<V>(args.q + row * args.ld + offset + i, args.ld, rows,
                     smaller(kBlockK, args.d - i), s.query + i / kBlockK * kTileBlock);
      }
      tile_scores<V>(args, s, rows);
      float inverse[V::kTileRows];
      softmax_rows<V>(s.scores, rows, args.length, args.scale, inverse);
      tile_values<V>(args, s, rows, inverse, args.out + row * args.ldo + offset);
    }
  }
}

}  // namespace millrace::nn
