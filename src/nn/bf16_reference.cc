// The bf16 kernels as plain loops: what the documentation of the dot product says, two FMAs for
// each pair of entries, the odd one first. CPUs may differ from it in the last bits, so it serves
// tests.
#include "nn/isa_kernels.h"
#include "nn/vector_scalar.h"

namespace millrace::nn {
namespace {

unsigned short half_of(float x) {
  const auto bits = __builtin_bit_cast(unsigned, x);
  if (x != x) return 0x7FC0;
  return static_cast<unsigned short>((bits + 0x7FFFU + (bits >> 16 & 1U)) >> 16);
}

float float_of(unsigned short half) {
  return __builtin_bit_cast(float, static_cast<unsigned>(half) << 16);
}

void round(const RoundBf16Args& args) {
  for (size_t row = 0; row < args.m; ++row) {
    for (size_t i = 0; i < args.ldh; ++i) {
      const float x = i < args.n ? args.x[row * args.ldx + i] : 0.0F;
      args.halves[row * args.ldh + i] = half_of(x);
    }
  }
}

float dot(const unsigned short* a, const unsigned short* column, size_t k) {
  float sum = 0.0F;
  for (size_t i = 0; i < k; i += kHalfGroup) {
    const unsigned short* b = column + i * kPanelColumns;
    sum = __builtin_fmaf(float_of(a[i + 1]), float_of(b[1]), sum);
    sum = __builtin_fmaf(float_of(a[i]), float_of(b[0]), sum);
  }
  return sum;
}

void linear(const LinearBf16Args& args) {
  const size_t depth = (args.k + kHalfGroup - 1) / kHalfGroup * kHalfGroup;
  for (size_t row = 0; row < args.m; ++row) {
    for (size_t n = 0; n < args.n; ++n) {
      const unsigned short* panel = args.panels + n / kPanelColumns * kPanelColumns * depth;
      const float sum =
          dot(args.a + row * args.lda, panel + n % kPanelColumns * kHalfGroup, args.k);
      args.out[row * args.ldo + n] = activate_one<Scalar>(sum + args.bias[n], args.activation);
    }
  }
}

}  // namespace

const IsaBf16 kReferenceBf16 = {round, linear};

}  // namespace millrace::nn
