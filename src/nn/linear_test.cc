// linear: right against double precision, equal in every bit on all instruction sets, and each row
// independent of the rows around it.
#include <gtest/gtest.h>

#include <cmath>
#include <set>

#include "nn/kernels.h"
#include "nn/kernels_testing.h"

namespace millrace::nn {
namespace {

struct Shape {
  size_t m;
  size_t k;
  size_t n;
  size_t shift = 0;  // misalignment of all pointers, in floats
};

Floats product(const Kernels& kernels, const Shape& s, const PackedMatrix& b, const Floats& a,
               const Floats& bias, Activation activation) {
  const size_t ldo = s.n + 3;
  Floats out(s.m * ldo, s.shift);
  kernels.linear(a.data(), s.k + 5, s.m, b, bias.data(), activation, out.data(), ldo);
  EXPECT_TRUE(out.surroundings_untouched());
  for (size_t row = 0; row < s.m; ++row) {
    for (size_t i = s.n; i < ldo; ++i) EXPECT_TRUE(std::isnan(out[row * ldo + i]));
  }
  return out;
}

void expect_equal_bits(const Shape& s, Activation activation = Activation::kNone) {
  const PackedMatrix b = random_matrix(s.k, s.n, 1);
  Floats a(s.m * (s.k + 5), s.shift);
  a.randomise(2);
  Floats bias(s.n, s.shift);
  bias.randomise(3);
  const Floats want = product(reference(), s, b, a, bias, activation);
  for (const Kernels* kernels : fast_kernels()) {
    const Floats got = product(*kernels, s, b, a, bias, activation);
    for (size_t row = 0; row < s.m; ++row) {
      const size_t at = row * (s.n + 3);
      ASSERT_EQ(difference(got.data() + at, want.data() + at, s.n), "")
          << kernels->name << " m " << s.m << " k " << s.k << " n " << s.n << " row " << row;
    }
  }
}

TEST(Linear, ReferenceIsAccurate) {
  const Shape s{5, 700, 40};
  Floats weight(s.n * s.k);
  weight.randomise(4);
  PackedMatrix b(s.k, s.n);
  b.fill_from_linear(weight.data(), 0, 32);
  b.fill_from_linear(weight.data(), 32, 40);
  Floats a(s.m * s.k);
  a.randomise(5);
  Floats bias(s.n);
  bias.randomise(6);
  Floats out(s.m * s.n);
  reference().linear(a.data(), s.k, s.m, b, bias.data(), Activation::kNone, out.data(), s.n);
  for (size_t row = 0; row < s.m; ++row) {
    for (size_t column = 0; column < s.n; ++column) {
      double sum = bias[column];
      for (size_t i = 0; i < s.k; ++i) {
        sum += static_cast<double>(a[row * s.k + i]) * weight[column * s.k + i];
      }
      EXPECT_NEAR(out[row * s.n + column], sum, 2e-5) << row << ", " << column;
    }
  }
}

TEST(Linear, EveryNumberOfColumnsAgrees) {
  for (size_t n = 1; n <= 4 * kPanelColumns + 1; ++n) expect_equal_bits({3, 17, n});
}

TEST(Linear, EveryNumberOfRowsAgrees) {
  for (size_t m = 1; m <= 2 * 14 + 1; ++m) {
    for (const size_t n : {2U, 32U, 50U}) expect_equal_bits({m, 21, n});
  }
}

TEST(Linear, EveryDepthAgrees) {
  for (size_t k = 1; k <= 35; ++k) expect_equal_bits({15, k, 33});
  for (const size_t k : {kBlockK - 1, kBlockK, kBlockK + 1, 2 * kBlockK, 3 * kBlockK + 7}) {
    for (const size_t n : {1U, 31U, 32U, 49U}) expect_equal_bits({7, k, n});
  }
}

TEST(Linear, BlocksOfRowsAndColumnsAgree) {
  for (const size_t m : {167U, 168U, 169U, 181U}) expect_equal_bits({m, 19, 34});
  for (const size_t n : {767U, 768U, 769U, 785U, 1601U}) expect_equal_bits({2, 300, n});
}

TEST(Linear, MisalignedPointersAgree) {
  for (size_t shift = 1; shift < 16; ++shift) expect_equal_bits({15, 40, 45, shift});
}

TEST(Linear, ActivationsAgree) {
  for (const Activation activation :
       {Activation::kRelu, Activation::kGelu, Activation::kGeluTanh, Activation::kTanh}) {
    expect_equal_bits({16, 64, 70}, activation);
    expect_equal_bits({5, 300, 33}, activation);
  }
}

// The promise behind "same row, same answer": neither m nor the position changes a row's bits.
TEST(Linear, RowDoesNotDependOnItsNeighbours) {
  constexpr size_t kDepth = 520;
  constexpr size_t kColumns = 50;
  constexpr size_t kRows = 2 * 14 + 1;
  const PackedMatrix b = random_matrix(kDepth, kColumns, 7);
  Floats a(kRows * kDepth);
  a.randomise(8);
  Floats bias(kColumns);
  bias.randomise(9);
  for (const std::string& name : kernel_names()) {
    const Kernels& kernels = *find_kernels(name);
    Floats alone(kRows * kColumns);
    for (size_t row = 0; row < kRows; ++row) {
      kernels.linear(a.data() + row * kDepth, kDepth, 1, b, bias.data(), Activation::kGelu,
                     alone.data() + row * kColumns, kColumns);
    }
    for (size_t m = 1; m <= kRows; ++m) {
      const size_t first = kRows - m;  // the same rows at another place each time
      Floats out(m * kColumns);
      kernels.linear(a.data() + first * kDepth, kDepth, m, b, bias.data(), Activation::kGelu,
                     out.data(), kColumns);
      ASSERT_EQ(difference(out.data(), alone.data() + first * kColumns, m * kColumns), "")
          << name << " m " << m;
    }
  }
}

TEST(Linear, LargeAndDenormalValuesAgree) {
  constexpr size_t kDepth = 48;
  constexpr size_t kColumns = 37;
  const PackedMatrix b = random_matrix(kDepth, kColumns, 10);
  for (const float scale : {1e-44F, 1e-38F, 1e30F, 3e38F}) {
    Floats a(15 * kDepth);
    a.randomise(11, scale);
    Floats bias(kColumns);
    bias.randomise(12, scale);
    Floats want(15 * kColumns);
    reference().linear(a.data(), kDepth, 15, b, bias.data(), Activation::kNone, want.data(),
                       kColumns);
    for (const Kernels* kernels : fast_kernels()) {
      Floats got(15 * kColumns);
      kernels->linear(a.data(), kDepth, 15, b, bias.data(), Activation::kNone, got.data(),
                      kColumns);
      EXPECT_EQ(difference(got.data(), want.data(), want.size()), "") << kernels->name;
    }
  }
}

TEST(PackedMatrix, PanelsHoldColumnsAndZeros) {
  constexpr size_t kDepth = 19;
  constexpr size_t kColumns = 45;
  Floats weight(kDepth * kColumns);
  weight.randomise(13);
  PackedMatrix b(kDepth, kColumns);
  b.fill_from_linear(weight.data(), 32, kColumns);
  b.fill_from_linear(weight.data(), 0, 32);
  for (size_t n = 0; n < 48; ++n) {
    for (size_t k = 0; k < kDepth; ++k) {
      const float got = b.panels()[n / 16 * 16 * kDepth + k * 16 + n % 16];
      EXPECT_EQ(got, n < kColumns ? weight[n * kDepth + k] : 0.0F) << n << ", " << k;
    }
  }
}

TEST(FindKernels, NamesAndBest) {
  ASSERT_FALSE(kernel_names().empty());
  EXPECT_EQ(kernel_names().back(), "reference");
  EXPECT_EQ(find_kernels()->name, kernel_names().front());
  EXPECT_EQ(find_kernels("sse9"), nullptr);
  for (const std::string& name : kernel_names()) EXPECT_EQ(find_kernels(name)->name, name);
}

}  // namespace
}  // namespace millrace::nn
