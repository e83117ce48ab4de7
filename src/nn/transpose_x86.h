// The transpose of 8 x 8 floats, for the x86 vector types. Each group of four
// rows is transposed within 128 bits, then the two groups exchange halves.
#pragma once

#include <immintrin.h>

#include <cstddef>

#include "nn/vector_math.h"

namespace millrace::nn {

// out[i] holds column i of four rows in its lower half and column i + 4 in its upper.
MR_NN_INLINE void transpose_half(const float* from, size_t ld, __m256 (&out)[4]) {
  __m256 r[4];
  MR_NN_UNROLL
  for (size_t i = 0; i < 4; ++i) r[i] = _mm256_loadu_ps(from + i * ld);
  const __m256 a = _mm256_unpacklo_ps(r[0], r[1]);
  const __m256 b = _mm256_unpackhi_ps(r[0], r[1]);
  const __m256 c = _mm256_unpacklo_ps(r[2], r[3]);
  const __m256 d = _mm256_unpackhi_ps(r[2], r[3]);
  out[0] = _mm256_shuffle_ps(a, c, 0x44);
  out[1] = _mm256_shuffle_ps(a, c, 0xEE);
  out[2] = _mm256_shuffle_ps(b, d, 0x44);
  out[3] = _mm256_shuffle_ps(b, d, 0xEE);
}

// to[i][j] = from[j][i] for i, j < 8.
MR_NN_INLINE void transpose_8x8(const float* from, size_t ldf, float* to, size_t ldt) {
  __m256 upper[4];
  __m256 lower[4];
  transpose_half(from, ldf, upper);
  transpose_half(from + 4 * ldf, ldf, lower);
  MR_NN_UNROLL
  for (size_t i = 0; i < 4; ++i) {
    _mm256_storeu_ps(to + i * ldt, _mm256_permute2f128_ps(upper[i], lower[i], 0x20));
    _mm256_storeu_ps(to + (i + 4) * ldt, _mm256_permute2f128_ps(upper[i], lower[i], 0x31));
  }
}

}  // namespace millrace::nn
