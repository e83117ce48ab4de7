// exp, tanh, sigmoid and GELU over the range of float: within the stated bounds of double precision
// and equal in every bit on all instruction sets. MILLRACE_TEST_LONG=1 takes every float there is,
// otherwise every 1,009th.
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
// 1,009th, or every one in the long form. Ends after the first block with a failure.
template <class Check>
void for_floats(uint64_t from, uint64_t to, Check check) {
  constexpr size_t kBlock = 4096;
  const uint64_t step = long_tests() ? 1 : 1009;
  std::vector<float> block;
  for (uint64_t bits = from; bits < to && !testing::Test::HasFailure();) {
    block.clear();
    for (; bits < to && block.size() < kBlock; bits += step) {
      block.push_back(std::bit_cast<float>(static_cast<uint32_t>(bits)));
    }
    check(block);
  }
}

// NaNs are equal to each other here: their payload is nobody's result.
void expect_equal_values(const std::vector<float>& got, const std::vector<float>& want,
                         const std::vector<float>& x, const char* name) {
  for (size_t i = 0; i < got.size(); ++i) {
    const bool same = std::bit_cast<uint32_t>(got[i]) == std::bit_cast<uint32_t>(want[i]);
    if (same || (std::isnan(got[i]) && std::isnan(want[i]))) continue;
    ADD_FAILURE() << name << " at " << x[i] << ": " << got[i] << " instead of " << want[i];
    return;
  }
}

double ulp(double value) {
  const auto f = static_cast<float>(std::fabs(value));
  return std::nextafter(f, std::numeric_limits<float>::infinity()) - f;
}

// Whether the value that belongs to x is within `ulps` of the true one, or `absolute` of it; NaN of
// NaN, and infinite where the true value is as a float.
template <class Truth>
bool near(float value, float x, Truth truth, double ulps, double absolute) {
  if (std::isnan(x)) return std::isnan(value);
  const double exact = truth(static_cast<double>(x));
  if (std::isinf(static_cast<float>(exact))) return value == static_cast<float>(exact);
  const double error = std::fabs(value - exact);
  return error <= absolute || error <= ulps * ulp(exact);  // ulp takes longer
}

// What the reference makes of x; every other kernel must make the same. `compute(kernels, x, out)`.
template <class Compute>
std::vector<float> on_all_kernels(const std::vector<float>& x, Compute compute) {
  std::vector<float> want(x.size());
  compute(reference(), x, want.data());
  for (const Kernels* kernels : fast_kernels()) {
    std::vector<float> got(x.size());
    compute(*kernels, x, got.data());
    expect_equal_values(got, want, x, kernels->name);
  }
  return want;
}

// Runs `compute` over all floats on all kernels, and the reference against `truth`: the error may
// be `ulps` of the true value or `absolute`, whichever is larger.
template <class Compute, class Truth>
void check_function(Compute compute, Truth truth, double ulps, double absolute) {
  for_floats(0, kFloats, [&](const std::vector<float>& x) {
    const std::vector<float> values = on_all_kernels(x, compute);
    for (size_t i = 0; i < x.size(); ++i) {
      if (near(values[i], x[i], truth, ulps, absolute)) continue;
      ADD_FAILURE() << values[i] << " at " << x[i];
      return;
    }
  });
}

template <class Truth>
void check_activation(Activation activation, Truth truth, double ulps, double absolute) {
  const auto compute = [activation](const Kernels& kernels, const std::vector<float>& x,
                                    float* out) {
    std::copy(x.begin(), x.end(), out);
    kernels.activate(out, x.size(), activation);
  };
  check_function(compute, truth, ulps, absolute);
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

// What every 1,009th float misses.
TEST(Math, ActivationsAreDefinedAtInfinity) {
  const float infinity = std::numeric_limits<float>::infinity();
  for (const Kernels* kernels : all_kernels()) {
    for (const Activation activation :
         {Activation::kRelu, Activation::kGelu, Activation::kGeluTanh, Activation::kTanh}) {
      float x[2] = {-infinity, infinity};
      kernels->activate(x, 2, activation);
      EXPECT_EQ(x[0], activation == Activation::kTanh ? -1.0F : 0.0F) << kernels->name;
      EXPECT_EQ(x[1], activation == Activation::kTanh ? 1.0F : infinity) << kernels->name;
    }
  }
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
  check_function([](const Kernels& kernels, const std::vector<float>& x,
                    float* out) { kernels.sigmoid(x.data(), x.size(), out); },
                 [](double x) { return 1 / (1 + std::exp(-x)); }, 3.0, 1.2e-38);
}

// Seen through softmax of 0 and the values, none above it: the quotient of an entry and the first
// is e^x, for the sum they are divided by is one.
TEST(Math, ExpIsAccurate) {
  const uint64_t from = uint64_t{1} << 31;
  const uint64_t to = std::bit_cast<uint32_t>(-87.0F);
  for_floats(from, to, [](std::vector<float> x) {
    x.insert(x.begin(), 0.0F);
    const std::vector<float> want =
        on_all_kernels(x, [](const Kernels& kernels, const std::vector<float>& in, float* out) {
          kernels.softmax(in.data(), in.size(), out);
        });
    for (size_t i = 0; i < x.size(); ++i) {
      const double exact = std::exp(static_cast<double>(x[i]));
      if (std::fabs(static_cast<double>(want[i]) / want[0] / exact - 1.0) <= 2.5e-7) continue;
      ADD_FAILURE() << want[i] << " by " << want[0] << " at " << x[i];
      return;
    }
  });
}

}  // namespace
}  // namespace millrace::nn
