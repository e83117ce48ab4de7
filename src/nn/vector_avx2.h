// The vector type of AVX2 with FMA. The tile is 6 x 16, a panel wide: 12 accumulators, two
// registers of B and one of A of the 16 there are.
#pragma once

#include <immintrin.h>

#include <cstddef>
#include <cstdint>

#include "nn/isa_kernels.h"
#include "nn/transpose_x86.h"
#include "nn/vector_math.h"

namespace millrace::nn {
namespace {

struct Avx2 {
  using T = __m256;
  using Mask = __m256;
  static constexpr size_t kWidth = 8;
  static constexpr size_t kTileRows = 6;
  static constexpr size_t kTileVectors = 2;
  static constexpr size_t kTransposeSide = 8;

  MR_NN_MEMBER T set1(float x) { return _mm256_set1_ps(x); }
  MR_NN_MEMBER T load(const float* p) { return _mm256_loadu_ps(p); }
  MR_NN_MEMBER void store(float* p, T x) { _mm256_storeu_ps(p, x); }
  MR_NN_MEMBER __m256i first_bits(size_t n) {
    const __m256i index = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    return _mm256_cmpgt_epi32(_mm256_set1_epi32(static_cast<int>(n)), index);
  }
  MR_NN_MEMBER Mask first(size_t n) { return _mm256_castsi256_ps(first_bits(n)); }
  MR_NN_MEMBER T load_n(const float* p, size_t n) { return _mm256_maskload_ps(p, first_bits(n)); }
  MR_NN_MEMBER void store_n(float* p, T x, size_t n) { _mm256_maskstore_ps(p, first_bits(n), x); }
  MR_NN_MEMBER T add(T a, T b) { return _mm256_add_ps(a, b); }
  MR_NN_MEMBER T sub(T a, T b) { return _mm256_sub_ps(a, b); }
  MR_NN_MEMBER T mul(T a, T b) { return _mm256_mul_ps(a, b); }
  MR_NN_MEMBER T div(T a, T b) { return _mm256_div_ps(a, b); }
  MR_NN_MEMBER T fma(T a, T b, T c) { return _mm256_fmadd_ps(a, b, c); }
  MR_NN_MEMBER T max(T a, T b) { return _mm256_max_ps(a, b); }
  MR_NN_MEMBER T min(T a, T b) { return _mm256_min_ps(a, b); }
  MR_NN_MEMBER Mask less(T a, T b) { return _mm256_cmp_ps(a, b, _CMP_LT_OQ); }
  MR_NN_MEMBER T select(Mask m, T a, T b) { return _mm256_blendv_ps(b, a, m); }
  MR_NN_MEMBER T abs(T x) { return _mm256_andnot_ps(_mm256_set1_ps(-0.0F), x); }
  MR_NN_MEMBER T copysign(T magnitude, T sign) {
    const T bit = _mm256_set1_ps(-0.0F);
    return _mm256_or_ps(_mm256_andnot_ps(bit, magnitude), _mm256_and_ps(bit, sign));
  }
  MR_NN_MEMBER T pow2(T rounded) {
    const __m256i n = _mm256_slli_epi32(_mm256_castps_si256(rounded), 23);
    return _mm256_castsi256_ps(_mm256_add_epi32(n, _mm256_set1_epi32(127 << 23)));
  }
  MR_NN_MEMBER float square_root(float x) { return _mm_cvtss_f32(_mm_sqrt_ss(_mm_set_ss(x))); }

  MR_NN_MEMBER float sum_of(const T (&lanes)[2]) {
    const __m256 a = _mm256_add_ps(lanes[0], lanes[1]);
    const __m128 b = _mm_add_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
    const __m128 c = _mm_add_ps(b, _mm_movehl_ps(b, b));
    return _mm_cvtss_f32(_mm_add_ss(c, _mm_movehdup_ps(c)));
  }
  MR_NN_MEMBER float max_of(const T (&lanes)[2]) {
    const __m256 a = _mm256_max_ps(lanes[0], lanes[1]);
    const __m128 b = _mm_max_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
    const __m128 c = _mm_max_ps(b, _mm_movehl_ps(b, b));
    return _mm_cvtss_f32(_mm_max_ss(c, _mm_movehdup_ps(c)));
  }

  using I = __m256i;
  using Sums [[gnu::vector_size(32)]] = int;  // see vector_avx512.h
  MR_NN_MEMBER I zero_i() { return _mm256_setzero_si256(); }
  MR_NN_MEMBER I set1_i(int x) { return _mm256_set1_epi32(x); }
  MR_NN_MEMBER I load_i(const void* p) { return _mm256_loadu_si256(static_cast<const I*>(p)); }
  MR_NN_MEMBER void store_i(void* p, I x) { _mm256_storeu_si256(static_cast<I*>(p), x); }
  MR_NN_MEMBER I add_i(I a, I b) { return _mm256_add_epi32(a, b); }
  MR_NN_MEMBER I sub_i(I a, I b) { return _mm256_sub_epi32(a, b); }
  MR_NN_MEMBER I mul_i(I a, I b) { return _mm256_mullo_epi32(a, b); }
  // Of lanes of 16 bits; bytes are signed, and those of even number the lower ones.
  MR_NN_MEMBER I add_words(I a, I b) { return _mm256_add_epi16(a, b); }
  MR_NN_MEMBER I sub_words(I a, I b) { return _mm256_sub_epi16(a, b); }
  MR_NN_MEMBER I even_bytes(I x) { return _mm256_srai_epi16(_mm256_slli_epi16(x, 8), 8); }
  MR_NN_MEMBER I odd_bytes(I x) { return _mm256_srai_epi16(x, 8); }
  MR_NN_MEMBER T to_float(I x) { return _mm256_cvtepi32_ps(x); }
  // The integers in the low bits of 16 floats near kRoundBytes, as bytes, 0 and 255 at the ends.
  MR_NN_MEMBER void store_bytes(unsigned char* p, const T (&x)[2]) {
    const I base = _mm256_castps_si256(set1(kRoundBytes));
    const I a = _mm256_sub_epi32(_mm256_castps_si256(x[0]), base);
    const I b = _mm256_sub_epi32(_mm256_castps_si256(x[1]), base);
    const I shorts = _mm256_packs_epi32(a, b);
    const I bytes = _mm256_packus_epi16(shorts, shorts);
    const __m128i low = _mm256_castsi256_si128(bytes);
    const __m128i high = _mm256_extracti128_si256(bytes, 1);
    _mm_storeu_si128(reinterpret_cast<__m128i*>(p), _mm_unpacklo_epi32(low, high));
  }

  MR_NN_MEMBER void transpose(const float* from, size_t ldf, float* to, size_t ldt) {
    transpose_8x8(from, ldf, to, ldt);
  }
};

}  // namespace
}  // namespace millrace::nn
