// The vector type of arm64. The tile is 6 x 16, a panel wide: 24 accumulators, four registers of B
// and one of A of the 32 there are.
#pragma once

#include <arm_neon.h>

#include <cstddef>

#include "nn/isa_kernels.h"
#include "nn/vector_math.h"

namespace millrace::nn {
namespace {

struct Neon {
  using T = float32x4_t;
  using Mask = uint32x4_t;
  static constexpr size_t kWidth = 4;
  static constexpr size_t kTileRows = 6;
  static constexpr size_t kTileVectors = 4;
  static constexpr size_t kTransposeSide = 4;

  MR_NN_MEMBER T set1(float x) { return vdupq_n_f32(x); }
  MR_NN_MEMBER T load(const float* p) { return vld1q_f32(p); }
  MR_NN_MEMBER void store(float* p, T x) { vst1q_f32(p, x); }
  MR_NN_MEMBER Mask first(size_t n) {
    const unsigned index[] = {0, 1, 2, 3};
    return vcltq_u32(vld1q_u32(index), vdupq_n_u32(static_cast<unsigned>(n)));
  }
  MR_NN_MEMBER T load_n(const float* p, size_t n) {
    float some[kWidth] = {};
    for (size_t i = 0; i < n; ++i) some[i] = p[i];
    return vld1q_f32(some);
  }
  MR_NN_MEMBER void store_n(float* p, T x, size_t n) {
    float all[kWidth];
    vst1q_f32(all, x);
    for (size_t i = 0; i < n; ++i) p[i] = all[i];
  }
  MR_NN_MEMBER T add(T a, T b) { return vaddq_f32(a, b); }
  MR_NN_MEMBER T sub(T a, T b) { return vsubq_f32(a, b); }
  MR_NN_MEMBER T mul(T a, T b) { return vmulq_f32(a, b); }
  MR_NN_MEMBER T div(T a, T b) { return vdivq_f32(a, b); }
  MR_NN_MEMBER T fma(T a, T b, T c) { return vfmaq_f32(c, a, b); }
  // Not vmaxq: b where either is NaN, as on the other instruction sets.
  MR_NN_MEMBER T max(T a, T b) { return vbslq_f32(vcgtq_f32(a, b), a, b); }
  MR_NN_MEMBER T min(T a, T b) { return vbslq_f32(vcltq_f32(a, b), a, b); }
  MR_NN_MEMBER Mask less(T a, T b) { return vcltq_f32(a, b); }
  MR_NN_MEMBER T select(Mask m, T a, T b) { return vbslq_f32(m, a, b); }
  MR_NN_MEMBER T abs(T x) { return vabsq_f32(x); }
  MR_NN_MEMBER T copysign(T magnitude, T sign) {
    return vbslq_f32(vdupq_n_u32(0x80000000U), sign, magnitude);
  }
  MR_NN_MEMBER T pow2(T rounded) {
    const int32x4_t n = vshlq_n_s32(vreinterpretq_s32_f32(rounded), 23);
    return vreinterpretq_f32_s32(vaddq_s32(n, vdupq_n_s32(127 << 23)));
  }
  MR_NN_MEMBER float square_root(float x) { return vget_lane_f32(vsqrt_f32(vdup_n_f32(x)), 0); }

  MR_NN_MEMBER float sum_of(const T (&lanes)[4]) {
    const T a = vaddq_f32(vaddq_f32(lanes[0], lanes[2]), vaddq_f32(lanes[1], lanes[3]));
    const float32x2_t b = vadd_f32(vget_low_f32(a), vget_high_f32(a));
    return vget_lane_f32(b, 0) + vget_lane_f32(b, 1);
  }
  MR_NN_MEMBER float max_of(const T (&lanes)[4]) {
    const T a = max(max(lanes[0], lanes[2]), max(lanes[1], lanes[3]));
    float x[kWidth];
    vst1q_f32(x, a);
    const float b = x[0] > x[2] ? x[0] : x[2];
    const float c = x[1] > x[3] ? x[1] : x[3];
    return b > c ? b : c;
  }

  using I = int32x4_t;
  using Sums = I;
  MR_NN_MEMBER I zero_i() { return vdupq_n_s32(0); }
  MR_NN_MEMBER I set1_i(int x) { return vdupq_n_s32(x); }
  MR_NN_MEMBER I load_i(const void* p) {
    return vreinterpretq_s32_u8(vld1q_u8(static_cast<const unsigned char*>(p)));
  }
  MR_NN_MEMBER void store_i(void* p, I x) {
    vst1q_u8(static_cast<unsigned char*>(p), vreinterpretq_u8_s32(x));
  }
  MR_NN_MEMBER I sub_i(I a, I b) { return vsubq_s32(a, b); }
  MR_NN_MEMBER I mul_i(I a, I b) { return vmulq_s32(a, b); }
  MR_NN_MEMBER T to_float(I x) { return vcvtq_f32_s32(x); }
  // The integers in the low bits of 16 floats near kRoundBytes, as bytes, 0 and 255 at the ends.
  MR_NN_MEMBER void store_bytes(unsigned char* p, const T (&x)[4]) {
    const I base = vreinterpretq_s32_f32(set1(kRoundBytes));
    int16x4_t shorts[4];
    MR_NN_UNROLL
    for (size_t i = 0; i < 4; ++i) {
      shorts[i] = vqmovn_s32(vsubq_s32(vreinterpretq_s32_f32(x[i]), base));
    }
    const uint8x8_t low = vqmovun_s16(vcombine_s16(shorts[0], shorts[1]));
    const uint8x8_t high = vqmovun_s16(vcombine_s16(shorts[2], shorts[3]));
    vst1q_u8(p, vcombine_u8(low, high));
  }

  // to[i][j] = from[j][i] for i, j < 4.
  MR_NN_MEMBER void transpose(const float* from, size_t ldf, float* to, size_t ldt) {
    float32x4x4_t rows;
    MR_NN_UNROLL
    for (size_t i = 0; i < 4; ++i) rows.val[i] = load(from + i * ldf);
    float columns[16];
    vst4q_f32(columns, rows);
    MR_NN_UNROLL
    for (size_t i = 0; i < 4; ++i) store(to + i * ldt, load(columns + 4 * i));
  }
};

}  // namespace
}  // namespace millrace::nn
