// The vector type of one float, and the lanes of reductions written out: what the reference kernels
// are made of.
#pragma once

#include <cstddef>

#include "nn/isa_kernels.h"
#include "nn/vector_math.h"

namespace millrace::nn {
namespace {

// The vector type of one float.
struct Scalar {
  using T = float;
  static float set1(float x) { return x; }
  static float add(float a, float b) { return a + b; }
  static float sub(float a, float b) { return a - b; }
  static float mul(float a, float b) { return a * b; }
  static float div(float a, float b) { return a / b; }
  static float fma(float a, float b, float c) { return __builtin_fmaf(a, b, c); }
  static float max(float a, float b) { return a > b ? a : b; }
  static bool less(float a, float b) { return a < b; }
  static float select(bool mask, float a, float b) { return mask ? a : b; }
  static float abs(float x) { return __builtin_fabsf(x); }
  static float copysign(float magnitude, float sign) {
    return __builtin_copysignf(magnitude, sign);
  }
  // 2^n from n + 1.5 * 2^23, whose lowest bits hold n.
  static float pow2(float rounded) {
    const auto bits = __builtin_bit_cast(unsigned, rounded);
    return __builtin_bit_cast(float, (bits << 23) + (127U << 23));
  }
};

// Lane i holds what became of elements i, i + 16, i + 32 ...; lanes meet in halves.
struct Lanes {
  float lane[kLanes];

  explicit Lanes(float start) {
    for (float& x : lane) x = start;
  }
  float sum() const {
    float t[kLanes];
    for (size_t i = 0; i < kLanes; ++i) t[i] = lane[i];
    for (size_t half = kLanes / 2; half > 0; half /= 2) {
      for (size_t i = 0; i < half; ++i) t[i] = t[i] + t[i + half];
    }
    return t[0];
  }
  float max() const {
    float t[kLanes];
    for (size_t i = 0; i < kLanes; ++i) t[i] = lane[i];
    for (size_t half = kLanes / 2; half > 0; half /= 2) {
      for (size_t i = 0; i < half; ++i) t[i] = Scalar::max(t[i], t[i + half]);
    }
    return t[0];
  }
};

}  // namespace
}  // namespace millrace::nn
