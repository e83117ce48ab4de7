// The numbers come from our own generator, so that they are the same everywhere.
#include "nn/bf16_rounding.h"

#include <fmt/format.h>

#include <cmath>
#include <vector>

#include "base/check.h"
#include "base/xxh3.h"

namespace millrace::nn {
namespace {

constexpr size_t kRows = 4;
constexpr size_t kDepth = 96;
constexpr size_t kColumns = 32;

// Numbers in [-1, 1) times 2^n, n even and in [-16, 16].
std::vector<float> numbers(size_t n, uint32_t state) {
  std::vector<float> values(n);
  for (float& value : values) {
    state = state * 1664525U + 1013904223U;
    const float one = static_cast<float>(state >> 8) * 0x1p-23F - 1.0F;
    state = state * 1664525U + 1013904223U;
    value = std::ldexp(one, 2 * static_cast<int>((state >> 8) % 17U) - 16);
  }
  return values;
}

}  // namespace

std::string bf16_rounding(const Kernels& kernels) {
  MR_CHECK(kernels.linear_bf16 != nullptr);
  const std::vector<float> weight = numbers(kDepth * kColumns, 1);
  Bf16Matrix b(kDepth, kColumns);
  b.fill_from_linear(weight.data(), 0, kColumns);
  std::vector<float> x = numbers(kRows * kDepth, 2);
  // The last row's products and sums are denormal.
  for (size_t i = (kRows - 1) * kDepth; i < x.size(); ++i) x[i] *= 0x1p-126F;
  std::vector<uint16_t> a(kRows * bf16_row_stride(kDepth));
  kernels.round_bf16(x.data(), kDepth, kRows, kDepth, a.data());
  const std::vector<float> bias(kColumns);
  std::vector<float> out(kRows * kColumns);
  kernels.linear_bf16(a.data(), kRows, b, bias.data(), Activation::kNone, out.data(), kColumns);
  return fmt::format("{:016x}", xxh3_64(out.data(), out.size() * sizeof(float), 0));
}

}  // namespace millrace::nn
