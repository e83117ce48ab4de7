// exp, sigmoid, tanh and GELU as fixed sequences of IEEE operations, written once over a vector
// type V (one float, 4, 8 or 16), so that every instruction set gives the same bits. V offers add,
// sub, mul, div, fma(a,b,c) = a*b+c rounded once, max(a,b) = a > b ? a : b, less, select, abs,
// copysign and pow2. Coefficients are minimax fits (Remez, 40 digits, then rounded to float).
#pragma once

#include <cstddef>

#include "nn/isa_kernels.h"

#define MR_NN_INLINE [[gnu::always_inline]] static inline
// Member functions of a vector type in an unnamed namespace have internal linkage by themselves.
#define MR_NN_MEMBER [[gnu::always_inline]] static
#if defined(__clang__)
#define MR_NN_UNROLL _Pragma("unroll")
#else
#define MR_NN_UNROLL _Pragma("GCC unroll 32")
#endif

namespace millrace::nn {

template <class V, size_t kTerms>
MR_NN_INLINE typename V::T horner(typename V::T x, const float (&c)[kTerms]) {
  typename V::T y = V::set1(c[kTerms - 1]);
  MR_NN_UNROLL
  for (size_t i = kTerms - 1; i > 0; --i) y = V::fma(y, x, V::set1(c[i - 1]));
  return y;
}

// e^x for x <= 0, relative error below 1e-7; 0 where the result would be denormal; NaN stays NaN.
// x = n ln 2 + r with |r| <= ln 2 / 2, and 2^n is made from the bits of n.
template <class V>
MR_NN_INLINE typename V::T exp_nonpositive(typename V::T x) {
  using T = typename V::T;
  constexpr float kLowest = -0x1.5d589ep+6F;  // ln of the smallest normal float
  constexpr float kRound = 0x1.8p+23F;  // adding it leaves the nearest integer in the low bits
  constexpr float kQ[] = {0x1.fffffcp-2F, 0x1.555490p-3F, 0x1.5558f4p-5F, 0x1.123a6cp-7F,
                          0x1.6a2352p-10F};
  const T clamped = V::max(V::set1(kLowest), x);
  const T rounded = V::fma(clamped, V::set1(0x1.715476p+0F), V::set1(kRound));
  const T n = V::sub(rounded, V::set1(kRound));
  T r = V::fma(n, V::set1(-0x1.63p-1F), clamped);
  r = V::fma(n, V::set1(0x1.bd0106p-13F), r);
  const T q = horner<V>(r, kQ);
  const T e = V::add(V::fma(V::mul(r, r), q, r), V::set1(1.0F));
  return V::select(V::less(x, V::set1(kLowest)), V::set1(0.0F), V::mul(e, V::pow2(rounded)));
}

// 1 / (1 + e^-x), through e^-|x| so that nothing overflows.
template <class V>
MR_NN_INLINE typename V::T sigmoid(typename V::T x) {
  using T = typename V::T;
  const T one = V::set1(1.0F);
  const T e = exp_nonpositive<V>(V::sub(V::set1(0.0F), V::abs(x)));
  return V::div(V::select(V::less(x, V::set1(0.0F)), e, one), V::add(one, e));
}

// An odd polynomial near 0, where 1 - e^-2|x| would cancel; (1 - e) / (1 + e) elsewhere.
template <class V>
MR_NN_INLINE typename V::T tanh(typename V::T x) {
  using T = typename V::T;
  constexpr float kP[] = {-0x1.555554p-2F, 0x1.11106cp-3F,  -0x1.b9ef7cp-5F,
                          0x1.6394dap-6F,  -0x1.0c2146p-7F, 0x1.197b7cp-9F};
  const T one = V::set1(1.0F);
  const T a = V::abs(x);
  const T square = V::mul(x, x);
  const T small = V::fma(V::mul(x, square), horner<V>(square, kP), x);
  const T e = exp_nonpositive<V>(V::mul(a, V::set1(-2.0F)));
  const T large = V::copysign(V::div(V::sub(one, e), V::add(one, e)), x);
  return V::select(V::less(a, V::set1(0.625F)), small, large);
}

// x * Phi(x), Phi the normal distribution, computed as max(x, 0) - |x| Q(|x|) with
// Q(a) = erfc(a / sqrt 2) / 2: the usual x/2 (1 + erf) cancels for negative x, this does not. Error
// below 1e-7 or one ulp. Q is a polynomial in a - 3.25, where its terms cancel least; beyond 5.75
// the product is below 2.7e-8 and taken as 0.
template <class V>
MR_NN_INLINE typename V::T gelu(typename V::T x) {
  using T = typename V::T;
  constexpr float kQ[] = {0x1.2e8732p-11F,  -0x1.09f346p-9F,  0x1.b02a66p-9F,   -0x1.a7de5ap-9F,
                          0x1.106188p-9F,   -0x1.c5bc50p-11F, 0x1.91a054p-13F,  0x1.d026d0p-17F,
                          -0x1.b4311ap-16F, 0x1.139824p-17F,  -0x1.bcafa6p-22F, -0x1.486b90p-21F,
                          0x1.c0c28ap-23F,  0x1.547248p-28F,  -0x1.13d884p-26F, 0x1.5525b6p-30F,
                          0x1.6dba7cp-31F,  -0x1.a84a04p-35F, -0x1.ed2462p-37F};
  const T zero = V::set1(0.0F);
  const T a = V::abs(x);
  const T g = V::mul(a, horner<V>(V::sub(a, V::set1(3.25F)), kQ));
  return V::sub(V::max(zero, x), V::select(V::less(a, V::set1(5.75F)), g, zero));
}

// x/2 (1 + tanh(y)) with y = sqrt(2/pi) (x + 0.044715 x^3), which is x * sigmoid(2y). Where that is
// 0 anyway x ends, for -infinity times 0 would be NaN.
template <class V>
MR_NN_INLINE typename V::T gelu_tanh(typename V::T x) {
  using T = typename V::T;
  const T kept = V::max(V::set1(-64.0F), x);
  const T inner = V::fma(V::mul(kept, kept), V::set1(0.044715F), V::set1(1.0F));
  const T y2 = V::mul(V::mul(kept, V::set1(1.5957691216F)), inner);
  return V::mul(kept, sigmoid<V>(y2));
}

template <class V>
MR_NN_INLINE typename V::T activate_one(typename V::T x, Activation activation) {
  switch (activation) {
    case Activation::kNone:
      return x;
    case Activation::kRelu:
      return V::max(V::set1(0.0F), x);
    case Activation::kGelu:
      return gelu<V>(x);
    case Activation::kGeluTanh:
      return gelu_tanh<V>(x);
    case Activation::kTanh:
      return tanh<V>(x);
  }
  return x;
}

}  // namespace millrace::nn
