// The byte kernels as plain loops: the definition that every other instruction set must meet bit
// for bit, and what runs where no other can.
#include "nn/isa_kernels.h"
#include "nn/vector_scalar.h"

namespace millrace::nn {
namespace {

constexpr float kLargest = 0x1.fffffep+127F;

// The integer in the low bits of a float near kRoundBytes, kept between 0 and 255.
int byte_of(float rounded) {
  const int integer = __builtin_bit_cast(int, rounded) - __builtin_bit_cast(int, kRoundBytes);
  return integer < 0 ? 0 : integer > 255 ? 255 : integer;
}

// Bytes for the values from the smaller of 0 and the row's least to the larger of 0 and its
// greatest. A row that holds an infinity or a NaN gets the scale NaN, which every result then has.
void quantize_row(const QuantizeArgs& args, size_t row) {
  const float* x = args.x + row * args.ldx;
  unsigned char* bytes = args.bytes + row * args.ldb;
  float low = 0.0F;
  float high = 0.0F;
  bool finite = true;
  for (size_t i = 0; i < args.n; ++i) {
    low = x[i] < low ? x[i] : low;
    high = x[i] > high ? x[i] : high;
    finite = finite && __builtin_fabsf(x[i]) <= kLargest;
  }
  const float range = high - low;
  const bool usable = finite && range <= kLargest && range > kNoRange;
  args.scale[row] = finite && range <= kLargest ? 0.0F : __builtin_nanf("");
  args.zero[row] = 0;
  for (size_t i = 0; i < args.ldb; ++i) bytes[i] = 0;
  if (!usable) return;
  const float inverse = 255.0F / range;
  const int zero = byte_of(__builtin_fmaf(-low, inverse, kRoundBytes));
  const float base = kRoundBytes + static_cast<float>(zero);
  args.scale[row] = range / 255.0F;
  args.zero[row] = zero;
  for (size_t i = 0; i < args.n; ++i) {
    bytes[i] = static_cast<unsigned char>(byte_of(__builtin_fmaf(x[i], inverse, base)));
  }
}

void quantize(const QuantizeArgs& args) {
  for (size_t row = 0; row < args.m; ++row) quantize_row(args, row);
}

int dot(const unsigned char* a, const signed char* column, size_t k) {
  int sum = 0;
  for (size_t i = 0; i < k; ++i) {
    sum += a[i] * column[i / kByteGroup * kByteGroup * kPanelColumns + i % kByteGroup];
  }
  return sum;
}

void linear(const LinearInt8Args& args) {
  const size_t depth = (args.k + kByteGroup - 1) / kByteGroup * kByteGroup;
  for (size_t row = 0; row < args.m; ++row) {
    for (size_t n = 0; n < args.n; ++n) {
      const signed char* panel = args.panels + n / kPanelColumns * kPanelColumns * depth;
      const int sum = dot(args.a + row * args.lda, panel + n % kPanelColumns * kByteGroup, args.k);
      const auto centred = static_cast<float>(sum - args.a_zero[row] * args.b_sum[n]);
      const float scale = args.a_scale[row] * args.b_scale[n];
      const float y = __builtin_fmaf(centred, scale, args.bias[n]);
      args.out[row * args.ldo + n] = activate_one<Scalar>(y, args.activation);
    }
  }
}

}  // namespace

const IsaInt8 kReferenceInt8 = {quantize, linear};

}  // namespace millrace::nn
