// Gives the functions of one instruction set the signatures of Kernels.
#pragma once

#include "nn/isa_kernels.h"
#include "nn/kernels.h"

namespace millrace::nn {

// No bf16: for instruction sets without.
inline constexpr IsaBf16 kNoBf16 = {nullptr, nullptr};

template <const IsaKernels& kIsa, const IsaInt8& kInt8, const IsaBf16& kBf16 = kNoBf16>
struct Adapter {
  static void linear(const float* a, size_t lda, size_t m, const PackedMatrix& b, const float* bias,
                     Activation activation, float* out, size_t ldo) {
    kIsa.linear({a, lda, m, b.panels(), b.k(), b.n(), bias, activation, out, ldo});
  }
  static void attention(const float* q, const float* k, const float* v, size_t ld, size_t length,
                        size_t queries, size_t heads, size_t d, float scale, float* scratch,
                        float* out, size_t ldo) {
    kIsa.attention({q, k, v, ld, length, queries, heads, d, scale, scratch, out, ldo});
  }
  static void add_layer_norm(float* x, size_t ldx, const float* residual, size_t ldr, size_t m,
                             size_t n, const float* gamma, const float* beta, float eps) {
    kIsa.add_layer_norm({x, ldx, residual, ldr, m, n, gamma, beta, eps});
  }
  static void quantize(const float* x, size_t ldx, size_t m, size_t n, const QuantizedRows& to) {
    kInt8.quantize({x, ldx, m, n, to.bytes, QuantizedRows::row_stride(n), to.scale, to.zero});
  }
  static void linear_int8(const QuantizedRows& a, size_t m, const QuantizedMatrix& b,
                          const float* bias, Activation activation, float* out, size_t ldo) {
    kInt8.linear({a.bytes, QuantizedRows::row_stride(b.k()), a.scale, a.zero, m, b.panels(),
                  b.scale(), b.column_sum(), b.k(), b.n(), bias, activation, out, ldo});
  }
  static void round_bf16(const float* x, size_t ldx, size_t m, size_t n, uint16_t* halves) {
    kBf16.round({x, ldx, m, n, halves, bf16_row_stride(n)});
  }
  static void linear_bf16(const uint16_t* a, size_t m, const Bf16Matrix& b, const float* bias,
                          Activation activation, float* out, size_t ldo) {
    kBf16.linear(
        {a, bf16_row_stride(b.k()), m, b.panels(), b.k(), b.n(), bias, activation, out, ldo});
  }
  static Kernels kernels(const char* name, const char* floats, const char* bytes,
                         const char* halves) {
    const bool bf16 = &kBf16 != &kNoBf16;
    return {name,
            floats,
            bytes,
            halves,
            linear,
            attention,
            add_layer_norm,
            quantize,
            linear_int8,
            bf16 ? round_bf16 : nullptr,
            bf16 ? linear_bf16 : nullptr,
            kIsa.activate,
            kIsa.softmax,
            kIsa.sigmoid};
  }
};

}  // namespace millrace::nn
