// exp, tanh, sigmoid and GELU over the range of float: within the stated bounds of double precision
// and equal in every bit on all instruction sets. MILLRACE_TEST_LONG=1 takes every float
// between 2^-24 and 128, otherwise every 1,009th.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "nn/kernels.h"
#include "nn/kernels_testing.h"

namespace millrace::nn {
namespace {

constexpr uint64_t kFloats = uint64_t{1} << 32;

// Calls check(values) with floats of the range [from, to) of bit patterns, in blocks: every
// 1,009th, and in the long form every one between 2^-24 and 128, where the functions do not just
// return their argument, 0 or 1.
template <class Check>
void for_floats(uint64_t from, uint64_t to, Check check) {
  std::vector<float> block;
  for (uint64_t bits = from; bits < to;) {
    block.clear();
    while (bits < to && block.size() < 4096) {
      block.push_back(std::bit_cast<float>(static_cast<uint32_t>(bits)));
      const float magnitude = std::fabs(block.back());
      bits += long_tests() && magnitude >= 0x1p-24F && magnitude < 128.0F ? 1 : 1009;
    }
    check(block);
  }
}

// NaNs are equal to each other here: their payload is nobody's result.
void expect_equal_values(const std::vector<float>& got, const std::vector<float>& want,
                         const std::vector<float>& x, const char* name) {
  for (size_t i = 0; i < got.size(); ++i) {
    if (std::isnan(got[i]) && std::isnan(want[i])) continue;
    ASSERT_EQ(std::bit_cast<uint32_t>(got[i]), std::bit_cast<uint32_t>(want[i]))
        << name << " at " << x[i];
  }
}

double ulp(double value) {
  const auto f = static_cast<float>(std::fabs(value));
  return std::nextafter(f, std::numeric_limits<float>::infinity()) - f;
}

// Runs `activation` over all floats on all kernels, and the reference against `truth`: the error
// may be `ulps` of the true value or `absolute`, whichever is larger.
template <class Truth>
void check_activation(Activation activation, Truth truth, double ulps, double absolute) {
  for_floats(0, kFloats, [&](const std::vector<float>& x) {
    std::vector<float> want = x;
    reference().activate(want.data(), want.size(), activation);
    for (const Kernels* kernels : fast_kernels()) {
      std::vector<float> got = x;
      kernels->activate(got.data(), got.size(), activation);
      expect_equal_values(got, want, x, kernels->name);
    }
    for (size_t i = 0; i < x.size(); ++i) {
      if (std::isnan(x[i])) {
        ASSERT_TRUE(std::isnan(want[i]));
        continue;
      }
      const double exact = truth(static_cast<double>(x[i]));
      if (std::isinf(static_cast<float>(exact))) {
        ASSERT_EQ(want[i], static_cast<float>(exact)) << "at " << x[i];
      } else {
        ASSERT_LE(std::fabs(want[i] - exact), std::max(ulps * ulp(exact), absolute))
            << "at " << x[i];
      }
    }
  });
}

TEST(Math, GeluIsExactByErf) {
  check_activation(
      Activation::kGelu,
      [](double x) {
        if (std::isinf(x)) return x > 0 ? x : 0.0;
        return 0.5 * x * std::erfc(-x / std::sqrt(2.0));
      },
      2.0, 1e-7);
}

TEST(Math, GeluTanhIsItsFormula) {
  check_activation(
      Activation::kGeluTanh,
      [](double x) {
        if (std::isinf(x)) return x > 0 ? x : 0.0;
        return x / (1 + std::exp(-2 * std::sqrt(2 / M_PI) * (x + 0.044715 * x * x * x)));
      },
      4.0, 1e-7);
}

TEST(Math, TanhIsAccurate) {
  check_activation(
      Activation::kTanh, [](double x) { return std::tanh(x); }, 2.0, 0.0);
}

TEST(Math, ReluKeepsNan) {
  check_activation(
      Activation::kRelu, [](double x) { return x > 0 ? x : 0.0; }, 0.0, 0.0);
}

TEST(Math, SigmoidIsAccurate) {
  for_floats(0, kFloats, [](const std::vector<float>& x) {
    std::vector<float> want(x.size());
    reference().sigmoid(x.data(), x.size(), want.data());
    for (const Kernels* kernels : fast_kernels()) {
      std::vector<float> got(x.size());
      kernels->sigmoid(x.data(), x.size(), got.data());
      expect_equal_values(got, want, x, kernels->name);
    }
    for (size_t i = 0; i < x.size(); ++i) {
      if (std::isnan(x[i])) continue;
      const double exact = 1 / (1 + std::exp(-static_cast<double>(x[i])));
      ASSERT_LE(std::fabs(want[i] - exact), std::max(3.0 * ulp(exact), 1.2e-38)) << "at " << x[i];
    }
  });
}

// Seen through softmax of (0, x): the quotient of the two entries is e^x.
TEST(Math, ExpIsAccurate) {
  const uint64_t from = uint64_t{1} << 31;
  const uint64_t to = std::bit_cast<uint32_t>(-87.0F);
  for_floats(from, to, [](const std::vector<float>& x) {
    for (const float value : x) {
      const float logits[2] = {0.0F, value};
      float p[2];
      reference().softmax(logits, 2, p);
      const double exact = std::exp(static_cast<double>(value));
      ASSERT_NEAR(static_cast<double>(p[1]) / p[0] / exact, 1.0, 2.5e-7) << "at " << value;
    }
  });
}

}  // namespace
}  // namespace millrace::nn
