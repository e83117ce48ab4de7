// Read before the kernels of wider instruction sets than this CPU may have (-include): their
// intrinsics are those of SIMDe, which computes them with AVX2 where the compiler is not told of
// more. What SIMDe 0.7.4 lacks stands here, as the instructions are documented.
#pragma once

#define SIMDE_ENABLE_NATIVE_ALIASES
#include <simde/x86/avx512.h>

#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>

// Beside the kernels of the same name that are compiled for CPUs that have the instructions.
#define kAvx512Kernels kEmulatedAvx512Kernels
#define kAvx512Int8 kEmulatedAvx512Int8
#define kAvx512VnniInt8 kEmulatedAvx512VnniInt8
#define kAvx2VnniInt8 kEmulatedAvx2VnniInt8
#define kAvx512Bf16 kEmulatedAvx512Bf16

namespace millrace::nn::emulated {

template <class To, class From>
To bits_of(From from) {
  static_assert(sizeof(To) == sizeof(From));
  To to;
  std::memcpy(&to, &from, sizeof(to));
  return to;
}

template <class T>
struct Lanes16 {
  T lane[16];
};

inline simde__m512 maskz_loadu_ps(simde__mmask16 mask, const void* p) {
  Lanes16<float> x = {};
  for (int i = 0; i < 16; ++i) {
    if ((mask >> i & 1) != 0) std::memcpy(&x.lane[i], static_cast<const float*>(p) + i, 4);
  }
  return bits_of<simde__m512>(x);
}

inline void mask_storeu_ps(void* p, simde__mmask16 mask, simde__m512 value) {
  const auto x = bits_of<Lanes16<float>>(value);
  for (int i = 0; i < 16; ++i) {
    if ((mask >> i & 1) != 0) std::memcpy(static_cast<float*>(p) + i, &x.lane[i], 4);
  }
}

inline __m256 extractf32x8_ps(simde__m512 value, int half) {
  float x[16];
  std::memcpy(x, &value, sizeof(x));
  __m256 part;
  std::memcpy(&part, x + 8 * half, sizeof(part));
  return part;
}

inline simde__m512 cvtepi32_ps(simde__m512i value) {
  const auto x = bits_of<Lanes16<int32_t>>(value);
  Lanes16<float> floats;
  for (int i = 0; i < 16; ++i) floats.lane[i] = static_cast<float>(x.lane[i]);
  return bits_of<simde__m512>(floats);
}

// 32 bytes to words, of type From to type To.
template <class From, class To>
simde__m512i widen(__m256i value) {
  From bytes[32];
  To words[32];
  std::memcpy(bytes, &value, sizeof(bytes));
  for (int i = 0; i < 32; ++i) words[i] = bytes[i];
  simde__m512i to;
  std::memcpy(&to, words, sizeof(to));
  return to;
}

// Unsigned 32 bits to bytes, what is larger to 255.
inline __m128i cvtusepi32_epi8(simde__m512i value) {
  const auto x = bits_of<Lanes16<uint32_t>>(value);
  Lanes16<uint8_t> bytes;
  for (int i = 0; i < 16; ++i)
    bytes.lane[i] = static_cast<uint8_t>(x.lane[i] < 255 ? x.lane[i] : 255);
  return bits_of<__m128i>(bytes);
}

// 32 bits to their lower 16.
inline __m256i cvtepi32_epi16(simde__m512i value) {
  const auto x = bits_of<Lanes16<uint32_t>>(value);
  Lanes16<uint16_t> words;
  for (int i = 0; i < 16; ++i) words.lane[i] = static_cast<uint16_t>(x.lane[i]);
  return bits_of<__m256i>(words);
}

// Two FMAs for each lane, the odd entry first, as Intel documents VDPBF16PS.
using HalfVector = simde__m512i;
inline simde__m512 dpbf16_ps(simde__m512 sum, HalfVector a, HalfVector b) {
  auto s = bits_of<Lanes16<float>>(sum);
  const auto x = bits_of<Lanes16<uint32_t>>(a);
  const auto y = bits_of<Lanes16<uint32_t>>(b);
  for (int i = 0; i < 16; ++i) {
    const auto high = [](uint32_t pair) { return std::bit_cast<float>(pair & 0xFFFF0000U); };
    s.lane[i] = std::fmaf(high(x.lane[i]), high(y.lane[i]), s.lane[i]);
    s.lane[i] = std::fmaf(high(x.lane[i] << 16), high(y.lane[i] << 16), s.lane[i]);
  }
  return bits_of<simde__m512>(s);
}

}  // namespace millrace::nn::emulated

#undef _mm512_maskz_loadu_ps
#undef _mm512_mask_storeu_ps
#undef _mm512_extractf32x8_ps
#undef _mm512_cvtusepi32_epi8
#undef _mm512_cvtepi32_epi16
#undef _mm512_dpbf16_ps
#undef _mm512_cvtepu8_epi16
#undef _mm512_cvtepi8_epi16
#undef _mm512_cvtepi32_ps
#undef _mm512_madd_epi16
#undef _mm256_dpbusd_avx_epi32
#define _mm512_maskz_loadu_ps(mask, p) millrace::nn::emulated::maskz_loadu_ps(mask, p)
#define _mm512_mask_storeu_ps(p, mask, x) millrace::nn::emulated::mask_storeu_ps(p, mask, x)
#define _mm512_extractf32x8_ps(x, half) millrace::nn::emulated::extractf32x8_ps(x, half)
#define _mm512_cvtusepi32_epi8(x) millrace::nn::emulated::cvtusepi32_epi8(x)
#define _mm512_cvtepi32_epi16(x) millrace::nn::emulated::cvtepi32_epi16(x)
#define _mm512_dpbf16_ps(sum, a, b) millrace::nn::emulated::dpbf16_ps(sum, a, b)
#define _mm512_cvtepi32_ps(x) millrace::nn::emulated::cvtepi32_ps(x)
#define _mm512_madd_epi16(a, b) simde_mm512_madd_epi16(a, b)  // its alias has four arguments
#define _mm256_dpbusd_avx_epi32(sum, a, b) simde_mm256_dpbusd_epi32(sum, a, b)
#define _mm512_cvtepu8_epi16(x) millrace::nn::emulated::widen<uint8_t, uint16_t>(x)
#define _mm512_cvtepi8_epi16(x) millrace::nn::emulated::widen<int8_t, int16_t>(x)
#define __m512bh millrace::nn::emulated::HalfVector
