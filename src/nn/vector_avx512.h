// The vector type of AVX-512. The tile is 14 x 32: 28 accumulators, two registers of B and one of A
// fill the 32 there are.
#pragma once

// g++ 12 warns inside its own header wherever these intrinsics are inlined (GCC bug 105593).
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif
#include <immintrin.h>

#include <cstddef>
#include <cstdint>

#include "nn/isa_kernels.h"
#include "nn/transpose_x86.h"
#include "nn/vector_math.h"

namespace millrace::nn {
namespace {

struct Avx512 {
  using T = __m512;
  using Mask = __mmask16;
  static constexpr size_t kWidth = 16;
  static constexpr size_t kTileRows = 14;
  static constexpr size_t kTileVectors = 2;
  static constexpr size_t kTransposeSide = 8;

  MR_NN_MEMBER T set1(float x) { return _mm512_set1_ps(x); }
  MR_NN_MEMBER T load(const float* p) { return _mm512_loadu_ps(p); }
  MR_NN_MEMBER void store(float* p, T x) { _mm512_storeu_ps(p, x); }
  MR_NN_MEMBER Mask first(size_t n) { return static_cast<Mask>((1U << n) - 1U); }
  MR_NN_MEMBER T load_n(const float* p, size_t n) { return _mm512_maskz_loadu_ps(first(n), p); }
  MR_NN_MEMBER void store_n(float* p, T x, size_t n) { _mm512_mask_storeu_ps(p, first(n), x); }
  MR_NN_MEMBER T add(T a, T b) { return _mm512_add_ps(a, b); }
  MR_NN_MEMBER T sub(T a, T b) { return _mm512_sub_ps(a, b); }
  MR_NN_MEMBER T mul(T a, T b) { return _mm512_mul_ps(a, b); }
  MR_NN_MEMBER T div(T a, T b) { return _mm512_div_ps(a, b); }
  MR_NN_MEMBER T fma(T a, T b, T c) { return _mm512_fmadd_ps(a, b, c); }
  MR_NN_MEMBER T max(T a, T b) { return _mm512_max_ps(a, b); }
  MR_NN_MEMBER T min(T a, T b) { return _mm512_min_ps(a, b); }
  MR_NN_MEMBER Mask less(T a, T b) { return _mm512_cmp_ps_mask(a, b, _CMP_LT_OQ); }
  MR_NN_MEMBER T select(Mask m, T a, T b) { return _mm512_mask_blend_ps(m, b, a); }
  MR_NN_MEMBER T abs(T x) { return _mm512_andnot_ps(_mm512_set1_ps(-0.0F), x); }
  MR_NN_MEMBER T copysign(T magnitude, T sign) {
    const T bit = _mm512_set1_ps(-0.0F);
    return _mm512_or_ps(_mm512_andnot_ps(bit, magnitude), _mm512_and_ps(bit, sign));
  }
  MR_NN_MEMBER T pow2(T rounded) {
    const __m512i n = _mm512_slli_epi32(_mm512_castps_si512(rounded), 23);
    return _mm512_castsi512_ps(_mm512_add_epi32(n, _mm512_set1_epi32(127 << 23)));
  }
  MR_NN_MEMBER float square_root(float x) { return _mm_cvtss_f32(_mm_sqrt_ss(_mm_set_ss(x))); }

  MR_NN_MEMBER float sum_of(const T (&lanes)[1]) {
    const __m256 a =
        _mm256_add_ps(_mm512_castps512_ps256(lanes[0]), _mm512_extractf32x8_ps(lanes[0], 1));
    const __m128 b = _mm_add_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
    const __m128 c = _mm_add_ps(b, _mm_movehl_ps(b, b));
    return _mm_cvtss_f32(_mm_add_ss(c, _mm_movehdup_ps(c)));
  }
  MR_NN_MEMBER float max_of(const T (&lanes)[1]) {
    const __m256 a =
        _mm256_max_ps(_mm512_castps512_ps256(lanes[0]), _mm512_extractf32x8_ps(lanes[0], 1));
    const __m128 b = _mm_max_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
    const __m128 c = _mm_max_ps(b, _mm_movehl_ps(b, b));
    return _mm_cvtss_f32(_mm_max_ss(c, _mm_movehdup_ps(c)));
  }

  using I = __m512i;
  // Lanes of 32 bits to the compiler too, which takes __m512i for lanes of 64: g++ 12 copies a
  // tile's sums of that type in every step and stores most of them on the stack.
  using Sums [[gnu::vector_size(64)]] = int;
  MR_NN_MEMBER I zero_i() { return _mm512_setzero_si512(); }
  MR_NN_MEMBER I set1_i(int x) { return _mm512_set1_epi32(x); }
  MR_NN_MEMBER I load_i(const void* p) { return _mm512_loadu_si512(p); }
  MR_NN_MEMBER void store_i(void* p, I x) { _mm512_storeu_si512(p, x); }
  MR_NN_MEMBER I add_i(I a, I b) { return _mm512_add_epi32(a, b); }
  MR_NN_MEMBER I sub_i(I a, I b) { return _mm512_sub_epi32(a, b); }
  MR_NN_MEMBER I mul_i(I a, I b) { return _mm512_mullo_epi32(a, b); }
  // Of lanes of 16 bits; bytes are signed, and those of even number the lower ones.
  MR_NN_MEMBER I add_words(I a, I b) { return _mm512_add_epi16(a, b); }
  MR_NN_MEMBER I sub_words(I a, I b) { return _mm512_sub_epi16(a, b); }
  MR_NN_MEMBER I even_bytes(I x) { return _mm512_srai_epi16(_mm512_slli_epi16(x, 8), 8); }
  MR_NN_MEMBER I odd_bytes(I x) { return _mm512_srai_epi16(x, 8); }
  MR_NN_MEMBER T to_float(I x) { return _mm512_cvtepi32_ps(x); }
  // The integers in the low bits of 16 floats near kRoundBytes, as bytes, 0 and 255 at the ends.
  MR_NN_MEMBER void store_bytes(unsigned char* p, const T (&x)[1]) {
    const I base = _mm512_castps_si512(set1(kRoundBytes));
    const I integers = _mm512_sub_epi32(_mm512_castps_si512(x[0]), base);
    const I positive = _mm512_max_epi32(integers, zero_i());
    _mm_storeu_si128(reinterpret_cast<__m128i*>(p), _mm512_cvtusepi32_epi8(positive));
  }

  // 16 floats as bf16, to nearest, halves to even; a NaN stays one, whatever its lowest bits.
  MR_NN_MEMBER void store_halves(unsigned short* p, T x) {
    const I bits = _mm512_castps_si512(x);
    const I odd = _mm512_and_si512(_mm512_srli_epi32(bits, 16), set1_i(1));
    const I rounded = _mm512_add_epi32(bits, _mm512_add_epi32(odd, set1_i(0x7FFF)));
    const Mask nan = _mm512_cmp_ps_mask(x, x, _CMP_UNORD_Q);
    const I half = _mm512_srli_epi32(_mm512_mask_blend_epi32(nan, rounded, set1_i(0x7FC00000)), 16);
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), _mm512_cvtepi32_epi16(half));
  }

  MR_NN_MEMBER void transpose(const float* from, size_t ldf, float* to, size_t ldt) {
    transpose_8x8(from, ldf, to, ldt);
  }
};

}  // namespace
}  // namespace millrace::nn
