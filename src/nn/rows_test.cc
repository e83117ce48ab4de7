// LayerNorm, softmax, sigmoid and activations of rows: equal in every bit on all instruction sets
// at every width, and right against double precision. Also the conversions of stored weights.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "nn/kernels.h"
#include "nn/kernels_testing.h"

namespace millrace::nn {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

std::vector<size_t> widths() {
  std::vector<size_t> list;
  for (size_t n = 1; n <= 2 * kLanes * 2 + 1; ++n) list.push_back(n);
  for (const size_t n : {127U, 128U, 129U, 383U, 384U, 768U, 1000U, 1024U}) list.push_back(n);
  return list;
}

Floats normalised(const Kernels& kernels, const Floats& from, size_t m, size_t n, bool residual,
                  size_t shift) {
  Floats x(m * (n + 2), shift);
  std::copy_n(from.data(), x.size(), x.data());
  Floats r(m * (n + 1), shift);
  r.randomise(2);
  Floats gamma(n, shift);
  gamma.randomise(3);
  Floats beta(n, shift);
  beta.randomise(4);
  kernels.add_layer_norm(x.data(), n + 2, residual ? r.data() : nullptr, n + 1, m, n, gamma.data(),
                         beta.data(), 1e-12F);
  EXPECT_TRUE(x.surroundings_untouched());
  return x;
}

TEST(LayerNorm, EveryWidthAgrees) {
  for (const size_t n : widths()) {
    for (const bool residual : {false, true}) {
      const size_t shift = n % 16;
      Floats from(3 * (n + 2));
      from.randomise(1, 4.0F);
      const Floats want = normalised(reference(), from, 3, n, residual, shift);
      for (const Kernels* kernels : fast_kernels()) {
        const Floats got = normalised(*kernels, from, 3, n, residual, shift);
        ASSERT_EQ(difference(got.data(), want.data(), want.size()), "")
            << kernels->name << " width " << n << " residual " << residual;
      }
    }
  }
}

TEST(LayerNorm, IsAccurate) {
  constexpr size_t kWidth = 768;
  Floats from(kWidth + 2);
  from.randomise(1, 4.0F);
  Floats out = normalised(reference(), from, 1, kWidth, true, 0);
  Floats r(kWidth + 1);
  r.randomise(2);
  Floats gamma(kWidth);
  gamma.randomise(3);
  Floats beta(kWidth);
  beta.randomise(4);
  double mean = 0;
  for (size_t i = 0; i < kWidth; ++i) mean += (static_cast<double>(from[i]) + r[i]) / kWidth;
  double variance = 0;
  for (size_t i = 0; i < kWidth; ++i) {
    const double d = static_cast<double>(from[i]) + r[i] - mean;
    variance += d * d / kWidth;
  }
  for (size_t i = 0; i < kWidth; ++i) {
    const double x = static_cast<double>(from[i]) + r[i] - mean;
    EXPECT_NEAR(out[i], x / std::sqrt(variance) * gamma[i] + beta[i], 1e-6);
  }
}

TEST(LayerNorm, RowOfEqualValuesIsBeta) {
  for (const std::string& name : kernel_names()) {
    Floats x(40);
    for (size_t i = 0; i < 40; ++i) x[i] = 3.0F;
    Floats gamma(40);
    gamma.randomise(1);
    Floats beta(40);
    beta.randomise(2);
    find_kernels(name)->add_layer_norm(x.data(), 40, nullptr, 0, 1, 40, gamma.data(), beta.data(),
                                       1e-12F);
    EXPECT_EQ(difference(x.data(), beta.data(), 40), "") << name;
  }
}

void expect_equal_softmax(const Floats& logits) {
  const size_t n = logits.size();
  Floats want(n);
  reference().softmax(logits.data(), n, want.data());
  for (const Kernels* kernels : fast_kernels()) {
    Floats got(n);
    kernels->softmax(logits.data(), n, got.data());
    EXPECT_TRUE(got.surroundings_untouched());
    ASSERT_EQ(difference(got.data(), want.data(), n), "") << kernels->name << " width " << n;
  }
}

TEST(Softmax, EveryWidthAgrees) {
  for (const size_t n : widths()) {
    Floats logits(n, n % 16);
    expect_equal_softmax(logits.randomise(1, 20.0F));
  }
}

TEST(Softmax, SpecialValuesAgreeAndAreRight) {
  for (const size_t n : {2U, 3U, 8U, 17U, 33U}) {
    Floats equal(n);
    for (size_t i = 0; i < n; ++i) equal[i] = 1e30F;
    expect_equal_softmax(equal);
    Floats out(n);
    reference().softmax(equal.data(), n, out.data());
    for (size_t i = 0; i < n; ++i) EXPECT_EQ(out[i], 1.0F / static_cast<float>(n));

    Floats masked(n);
    masked.randomise(2);
    for (size_t i = 0; i < n; i += 2) masked[i] = -kInfinity;
    expect_equal_softmax(masked);
    reference().softmax(masked.data(), n, out.data());
    for (size_t i = 0; i < n; i += 2) EXPECT_EQ(out[i], 0.0F);

    Floats denormal(n);
    expect_equal_softmax(denormal.randomise(3, 1e-40F));
    Floats wide(n);
    expect_equal_softmax(wide.randomise(4, 3e38F));
  }
}

TEST(Softmax, IsAccurate) {
  for (const size_t n : {2U, 5U, 40U}) {
    Floats logits(n);
    logits.randomise(5, 9.0F);
    double sum = 0;
    for (size_t i = 0; i < n; ++i) sum += std::exp(static_cast<double>(logits[i]));
    Floats out(n);
    reference().softmax(logits.data(), n, out.data());
    for (size_t i = 0; i < n; ++i) {
      const double want = std::exp(static_cast<double>(logits[i])) / sum;
      EXPECT_NEAR(out[i] / want, 1.0, 1e-6);
    }
  }
}

TEST(Activate, EveryWidthAgrees) {
  for (const Activation activation : {Activation::kNone, Activation::kRelu, Activation::kGelu,
                                      Activation::kGeluTanh, Activation::kTanh}) {
    for (const size_t n : widths()) {
      Floats want(n, n % 16);
      want.randomise(6, 8.0F);
      Floats from = want;
      reference().activate(want.data(), n, activation);
      for (const Kernels* kernels : fast_kernels()) {
        Floats got(n, n % 16);
        std::copy_n(from.data(), n, got.data());
        kernels->activate(got.data(), n, activation);
        EXPECT_TRUE(got.surroundings_untouched());
        ASSERT_EQ(difference(got.data(), want.data(), n), "") << kernels->name << " width " << n;
      }
    }
  }
}

TEST(Sigmoid, EveryWidthAgrees) {
  for (const size_t n : widths()) {
    Floats x(n, n % 16);
    x.randomise(7, 30.0F);
    Floats want(n);
    reference().sigmoid(x.data(), n, want.data());
    for (const Kernels* kernels : fast_kernels()) {
      Floats got(n);
      kernels->sigmoid(x.data(), n, got.data());
      ASSERT_EQ(difference(got.data(), want.data(), n), "") << kernels->name << " width " << n;
    }
  }
}

TEST(Conversions, EveryHalfAndBfloat16IsExact) {
  std::vector<uint16_t> all(65536);
  for (size_t i = 0; i < all.size(); ++i) all[i] = static_cast<uint16_t>(i);
  std::vector<float> half(all.size());
  half_to_float(all.data(), all.size(), half.data());
  std::vector<float> brain(all.size());
  bfloat16_to_float(all.data(), all.size(), brain.data());
  for (uint32_t i = 0; i < all.size(); ++i) {
    EXPECT_EQ(std::bit_cast<uint32_t>(brain[i]), i << 16);
    const int exponent = static_cast<int>(i >> 10 & 31U);
    const float fraction = static_cast<float>(i & 1023U);
    const bool negative = (i & 0x8000U) != 0;
    EXPECT_EQ(std::signbit(half[i]), negative);
    if (exponent == 31) {
      EXPECT_EQ(std::isnan(half[i]), fraction != 0) << i;
      EXPECT_EQ(std::isinf(half[i]), fraction == 0) << i;
      continue;
    }
    const float magnitude =
        exponent == 0 ? std::ldexp(fraction, -24) : std::ldexp(1024.0F + fraction, exponent - 25);
    EXPECT_EQ(half[i], negative ? -magnitude : magnitude) << i;
  }
}

TEST(AllFinite, FindsInfinityAndNanAnywhere) {
  for (size_t n = 1; n <= 40; ++n) {
    Floats x(n);
    x.randomise(1, 3.4e38F);
    EXPECT_TRUE(all_finite(x.data(), n));
    for (size_t i = 0; i < n; ++i) {
      const float kept = x[i];
      for (const float bad : {kInfinity, -kInfinity, std::nanf("")}) {
        x[i] = bad;
        EXPECT_FALSE(all_finite(x.data(), n));
      }
      x[i] = kept;
    }
  }
}

}  // namespace
}  // namespace millrace::nn
