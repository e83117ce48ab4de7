// Bytes: quantisation of rows and weights as defined, products exact, equal in every bit on all
// instruction sets, and each row independent of the rows around it.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "nn/kernels.h"
#include "nn/kernels_testing.h"

namespace millrace::nn {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

// Rows of bytes with their scales and zero points. Bytes start as a value that no test expects.
class ByteRows {
 public:
  ByteRows(size_t m, size_t n)
      : stride_(QuantizedRows::row_stride(n)),
        bytes_(m * stride_ + 64, 77),
        scale_(m),
        zero_(m, -1) {}
  QuantizedRows view() { return {bytes_.data(), scale_.data(), zero_.data()}; }
  QuantizedRows row(size_t r) {
    return {bytes_.data() + r * stride_, scale_.data() + r, zero_.data() + r};
  }
  size_t stride() const { return stride_; }
  uint8_t byte(size_t r, size_t i) const { return bytes_[r * stride_ + i]; }
  float scale(size_t r) const { return scale_[r]; }
  int zero(size_t r) const { return zero_[r]; }
  bool operator==(const ByteRows& other) const {
    return bytes_ == other.bytes_ && zero_ == other.zero_ &&
           difference(scale_.data(), other.scale_.data(), scale_.size()).empty();
  }

 private:
  size_t stride_;
  std::vector<uint8_t> bytes_;
  std::vector<float> scale_;
  std::vector<int> zero_;
};

ByteRows quantised(const Kernels& kernels, const Floats& x, size_t ldx, size_t m, size_t n) {
  ByteRows rows(m, n);
  kernels.quantize(x.data(), ldx, m, n, rows.view());
  return rows;
}

TEST(Quantize, EveryWidthAndMisalignmentAgrees) {
  for (size_t n = 1; n <= 67; ++n) {
    for (const size_t shift : {n % 16, size_t{0}}) {
      Floats x(3 * (n + 2), shift);
      x.randomise(static_cast<uint32_t>(n), 5.0F);
      const ByteRows want = quantised(reference(), x, n + 2, 3, n);
      for (const Kernels* kernels : fast_kernels()) {
        EXPECT_TRUE(quantised(*kernels, x, n + 2, 3, n) == want) << kernels->name << " " << n;
      }
    }
  }
  for (const size_t n : {127U, 384U, 768U, 1000U, 3072U}) {
    Floats x(5 * n);
    x.randomise(9);
    const ByteRows want = quantised(reference(), x, n, 5, n);
    for (const Kernels* kernels : fast_kernels()) {
      EXPECT_TRUE(quantised(*kernels, x, n, 5, n) == want) << kernels->name << " " << n;
    }
  }
}

// Rows that lie on one side of zero, hold one value, nothing, or the ends of the range of float.
std::vector<std::vector<float>> odd_rows() {
  std::vector<std::vector<float>> rows = {
      {0.0F, 0.0F, 0.0F},    {-0.0F, 0.0F, -0.0F},     {3.5F, 3.5F, 3.5F},
      {-2.0F, -2.0F, -2.0F}, {1.0F, 2.0F, 3.0F},       {-1.0F, -2.0F, -3.0F},
      {1e-44F, 0.0F, 0.0F},  {1e-38F, -1e-38F, 0.0F},  {0x1p-100F, 0.0F, 0.0F},
      {1.0F, 1e-30F, 0.0F},  {3e38F, 1.0F, 0.0F},      {0.0F, -3e38F, 1.0F},
      {3e38F, -3e38F, 0.0F}, {kInfinity, 1.0F, 2.0F},  {1.0F, -kInfinity, 2.0F},
      {std::nanf(""), 1, 2}, {1, 2, -std::nanf("")},   {kInfinity, -kInfinity, 0.0F},
      {254.5F, -0.5F, 100},  {127.5F, -127.5F, 63.5F},
  };
  for (auto& row : rows) {
    // Wider than any register, the odd values at both ends.
    std::vector<float> wide(37, row[1]);
    wide.front() = row[0];
    wide.back() = row[2];
    row = wide;
  }
  return rows;
}

TEST(Quantize, OddRowsAgreeAndAreReproducedOrSayThatTheyCannotBe) {
  for (const auto& row : odd_rows()) {
    Floats x(row.size());
    std::copy(row.begin(), row.end(), x.data());
    const ByteRows want = quantised(reference(), x, 0, 1, row.size());
    const float low = std::min(0.0F, *std::min_element(row.begin(), row.end()));
    const float high = std::max(0.0F, *std::max_element(row.begin(), row.end()));
    const bool finite = std::all_of(row.begin(), row.end(), [](float v) { return v - v == 0; });
    if (finite && std::isfinite(high - low)) {
      for (size_t i = 0; i < row.size(); ++i) {
        const double back = static_cast<double>(want.scale(0)) * (want.byte(0, i) - want.zero(0));
        const double step = (static_cast<double>(high) - low) / 255;
        EXPECT_NEAR(back, row[i], 0.5001 * step + 1e-30) << row[0] << " at " << i;
      }
    } else {
      EXPECT_TRUE(std::isnan(want.scale(0))) << row[0];
    }
    for (const Kernels* kernels : fast_kernels()) {
      const ByteRows got = quantised(*kernels, x, 0, 1, row.size());
      if (finite && std::isfinite(high - low)) {
        EXPECT_TRUE(got == want) << kernels->name << " " << row[0];
      } else {
        EXPECT_TRUE(std::isnan(got.scale(0))) << kernels->name << " " << row[0];
        EXPECT_EQ(got.zero(0), 0);
        for (size_t i = 0; i < got.stride(); ++i) EXPECT_EQ(got.byte(0, i), 0);
      }
    }
  }
}

QuantizedMatrix random_bytes(size_t k, size_t n, uint32_t seed) {
  Floats weight(k * n);
  weight.randomise(seed);
  QuantizedMatrix matrix(k, n);
  matrix.fill_from_linear(weight.data(), 0, n);
  return matrix;
}

int byte_at(const QuantizedMatrix& b, size_t k, size_t n) {
  const size_t depth = (b.k() + 3) / 4 * 4;
  return b.panels()[n / 16 * 16 * depth + k / 4 * 64 + n % 16 * 4 + k % 4];
}

TEST(QuantizedMatrix, ColumnsAreSymmetricAndPanelsPaddedWithZeros) {
  constexpr size_t kDepth = 19;
  constexpr size_t kColumns = 45;
  Floats weight(kDepth * kColumns);
  weight.randomise(13);
  for (size_t k = 0; k < kDepth; ++k) {
    weight[3 * kDepth + k] = 0.0F;    // an output channel of zeros
    weight[4 * kDepth + k] = 1e-40F;  // and one that might as well be
    weight[5 * kDepth + k] = k % 2 == 0 ? 3e38F : -3e38F;
  }
  QuantizedMatrix b(kDepth, kColumns);
  b.fill_from_linear(weight.data(), 32, kColumns);
  b.fill_from_linear(weight.data(), 0, 32);
  for (size_t n = 0; n < 48; ++n) {
    int sum = 0;
    for (size_t k = 0; k < 20; ++k) {
      const int byte = byte_at(b, k, n);
      EXPECT_LE(std::abs(byte), 127);
      sum += byte;
      const bool inside = n < kColumns && k < kDepth;
      const float want = inside ? weight[n * kDepth + k] : 0.0F;
      EXPECT_NEAR(static_cast<double>(byte) * b.scale()[n], want, 0.501 * b.scale()[n] + 1e-30);
    }
    EXPECT_EQ(b.column_sum()[n], sum);
  }
  EXPECT_EQ(b.scale()[3], 0.0F);
  EXPECT_EQ(b.scale()[4], 0.0F);
  EXPECT_EQ(byte_at(b, 0, 5), 127);
  EXPECT_EQ(byte_at(b, 1, 5), -127);
}

struct Shape {
  size_t m;
  size_t k;
  size_t n;
  size_t shift = 0;
};

Floats product(const Kernels& kernels, const Shape& s, const QuantizedMatrix& b, ByteRows* a,
               const Floats& bias, Activation activation) {
  const size_t ldo = s.n + 3;
  Floats out(s.m * ldo, s.shift);
  kernels.linear_int8(a->view(), s.m, b, bias.data(), activation, out.data(), ldo);
  EXPECT_TRUE(out.surroundings_untouched());
  for (size_t row = 0; row < s.m; ++row) {
    for (size_t i = s.n; i < ldo; ++i) EXPECT_TRUE(std::isnan(out[row * ldo + i]));
  }
  return out;
}

void expect_equal_bits(const Shape& s, Activation activation = Activation::kNone) {
  const QuantizedMatrix b = random_bytes(s.k, s.n, 1);
  Floats x(s.m * s.k);
  x.randomise(2, 3.0F);
  ByteRows a = quantised(reference(), x, s.k, s.m, s.k);
  Floats bias(s.n, s.shift);
  bias.randomise(3);
  const Floats want = product(reference(), s, b, &a, bias, activation);
  for (const Kernels* kernels : fast_kernels()) {
    const Floats got = product(*kernels, s, b, &a, bias, activation);
    for (size_t row = 0; row < s.m; ++row) {
      const size_t at = row * (s.n + 3);
      ASSERT_EQ(difference(got.data() + at, want.data() + at, s.n), "")
          << kernels->name << " m " << s.m << " k " << s.k << " n " << s.n << " row " << row;
    }
  }
}

TEST(LinearInt8, ReferenceIsWhatTheBytesMean) {
  const Shape s{3, 70, 20};
  const QuantizedMatrix b = random_bytes(s.k, s.n, 4);
  Floats x(s.m * s.k);
  x.randomise(5, 2.0F);
  ByteRows a = quantised(reference(), x, s.k, s.m, s.k);
  Floats bias(s.n);
  bias.randomise(6);
  const Floats out = product(reference(), s, b, &a, bias, Activation::kNone);
  for (size_t row = 0; row < s.m; ++row) {
    for (size_t n = 0; n < s.n; ++n) {
      double sum = bias[n];
      for (size_t i = 0; i < s.k; ++i) {
        sum += static_cast<double>(a.scale(row)) * (a.byte(row, i) - a.zero(row)) *
               byte_at(b, i, n) * static_cast<double>(b.scale()[n]);
      }
      EXPECT_NEAR(out.data()[row * (s.n + 3) + n], sum, 1e-5) << row << ", " << n;
    }
  }
}

TEST(LinearInt8, EveryNumberOfColumnsAgrees) {
  for (size_t n = 1; n <= 4 * kPanelColumns + 1; ++n) expect_equal_bits({3, 17, n});
}

TEST(LinearInt8, EveryNumberOfRowsAgrees) {
  for (size_t m = 1; m <= 2 * 14 + 1; ++m) {
    for (const size_t n : {2U, 32U, 50U}) expect_equal_bits({m, 21, n});
  }
}

TEST(LinearInt8, EveryDepthAgrees) {
  for (size_t k = 1; k <= 67; ++k) expect_equal_bits({15, k, 33});
  for (const size_t k : {383U, 384U, 385U, 767U, 768U, 769U, 772U, 1159U, 1541U}) {
    for (const size_t n : {1U, 31U, 32U, 49U}) expect_equal_bits({7, k, n});
  }
}

TEST(LinearInt8, BlocksOfRowsAndColumnsAgree) {
  for (const size_t m : {167U, 168U, 169U, 181U}) expect_equal_bits({m, 19, 34});
  for (const size_t n : {255U, 256U, 257U, 271U, 529U}) expect_equal_bits({2, 300, n});
}

// Where bytes are widened, blocks become seven products of half the size if they can be halved.
TEST(LinearInt8, HalvedBlocksAgree) {
  for (const size_t m : {47U, 49U, 60U, 61U, 72U, 83U, 84U, 157U, 169U}) {
    expect_equal_bits({m, 64, 64});
  }
  for (const size_t k : {32U, 96U, 832U, 1536U}) expect_equal_bits({84, k, 64});
  for (const size_t n : {32U, 96U, 256U, 288U, 320U}) expect_equal_bits({90, 64, n});
  expect_equal_bits({168, 768, 128});
  expect_equal_bits({84, 128, 128, 7}, Activation::kGelu);
}

// The sums of such products do not fit into 32 bits, those of all products do.
TEST(LinearInt8, SumsThatWrapOnTheWayAreExact) {
#if defined(MILLRACE_EMULATED_KERNELS) || !defined(__x86_64__)
  GTEST_SKIP() << "takes seconds; the same source runs on the CPU, or nothing is widened";
#endif
  const Shape s{84, 36864, 64};
  Floats weight(s.k * s.n);
  std::fill_n(weight.data(), weight.size(), 1.0F);
  QuantizedMatrix b(s.k, s.n);
  b.fill_from_linear(weight.data(), 0, s.n);
  Floats x(s.m * s.k);
  std::fill_n(x.data(), x.size(), 1.0F);
  Floats bias(s.n);
  std::fill_n(bias.data(), s.n, 0.0F);
  for (const Kernels* kernels : fast_kernels()) {
    ByteRows a = quantised(*kernels, x, s.k, s.m, s.k);
    const Floats got = product(*kernels, s, b, &a, bias, Activation::kNone);
    const Floats alone = product(*kernels, {1, s.k, s.n}, b, &a, bias, Activation::kNone);
    EXPECT_NEAR(alone.data()[0], 36864.0F, 0.1F) << kernels->name;
    for (size_t row = 0; row < s.m; ++row) {
      ASSERT_EQ(difference(got.data() + row * (s.n + 3), alone.data(), s.n), "")
          << kernels->name << " row " << row;
    }
  }
}

TEST(LinearInt8, MisalignedPointersAgree) {
  for (size_t shift = 1; shift < 16; ++shift) expect_equal_bits({15, 40, 45, shift});
}

TEST(LinearInt8, ActivationsAgree) {
  for (const Activation activation :
       {Activation::kRelu, Activation::kGelu, Activation::kGeluTanh, Activation::kTanh}) {
    expect_equal_bits({16, 64, 70}, activation);
    expect_equal_bits({5, 300, 33}, activation);
  }
}

// Every product at its largest, which would saturate 16 bits and, deeper still, 32.
TEST(LinearInt8, TheLargestSumsAreExact) {
  constexpr size_t kColumns = 17;
  for (const size_t k : {size_t{2}, size_t{3072}, QuantizedMatrix::kDepthMax}) {
    Floats weight(k * kColumns);
    for (size_t i = 0; i < weight.size(); ++i) weight[i] = i / k % 2 == 0 ? 1.0F : -1.0F;
    QuantizedMatrix b(k, kColumns);
    b.fill_from_linear(weight.data(), 0, kColumns);
    Floats x(2 * k);
    for (size_t i = 0; i < k; ++i) {
      x[i] = 1.0F;
      x[k + i] = -1.0F;
    }
    Floats bias(kColumns);
    std::fill_n(bias.data(), kColumns, 0.0F);
    for (const Kernels* each : all_kernels()) {
      const Kernels& kernels = *each;
      const std::string name = kernels.name;
      ByteRows a = quantised(kernels, x, k, 2, k);
      Floats out = product(kernels, {2, k, kColumns}, b, &a, bias, Activation::kNone);
      for (size_t n = 0; n < kColumns; ++n) {
        const float want = (n % 2 == 0 ? 1.0F : -1.0F) * static_cast<float>(k);
        EXPECT_NEAR(out[n], want, std::abs(want) * 1e-6) << name << " " << k;
        EXPECT_NEAR(out[kColumns + 3 + n], -want, std::abs(want) * 1e-6) << name << " " << k;
      }
    }
  }
}

TEST(LinearInt8, ColumnsOfZerosGiveTheBiasAndRowsThatAreNotFiniteGiveNaN) {
  const Shape s{4, 37, 18};
  Floats weight(s.k * s.n);
  weight.randomise(1);
  for (size_t k = 0; k < s.k; ++k) weight[5 * s.k + k] = 0.0F;
  QuantizedMatrix b(s.k, s.n);
  b.fill_from_linear(weight.data(), 0, s.n);
  Floats x(s.m * s.k);
  x.randomise(2);
  std::fill_n(x.data() + s.k, s.k, 0.0F);
  x[2 * s.k + 36] = kInfinity;
  x[3 * s.k + 7] = std::nanf("");
  Floats bias(s.n);
  bias.randomise(3);
  for (const Kernels* each : all_kernels()) {
    const Kernels& kernels = *each;
    const std::string name = kernels.name;
    ByteRows a = quantised(kernels, x, s.k, s.m, s.k);
    Floats out = product(kernels, s, b, &a, bias, Activation::kNone);
    EXPECT_EQ(out[5], bias[5]) << name;
    for (size_t n = 0; n < s.n; ++n) {
      EXPECT_TRUE(std::isfinite(out[n])) << name;
      EXPECT_EQ(out[s.n + 3 + n], bias[n]) << name;
      EXPECT_TRUE(std::isnan(out[2 * (s.n + 3) + n])) << name;
      EXPECT_TRUE(std::isnan(out[3 * (s.n + 3) + n])) << name;
    }
  }
}

// The promise behind "same row, same answer": neither m nor the position changes a row's bits.
TEST(LinearInt8, RowDoesNotDependOnItsNeighbours) {
  constexpr size_t kDepth = 800;
  constexpr size_t kColumns = 50;
  constexpr size_t kRows = 2 * 14 + 1;
  const QuantizedMatrix b = random_bytes(kDepth, kColumns, 7);
  Floats x(kRows * kDepth);
  x.randomise(8);
  Floats bias(kColumns);
  bias.randomise(9);
  for (const Kernels* each : all_kernels()) {
    const Kernels& kernels = *each;
    const std::string name = kernels.name;
    Floats alone(kRows * kColumns);
    for (size_t row = 0; row < kRows; ++row) {
      ByteRows a(1, kDepth);
      kernels.quantize(x.data() + row * kDepth, kDepth, 1, kDepth, a.view());
      kernels.linear_int8(a.view(), 1, b, bias.data(), Activation::kGelu,
                          alone.data() + row * kColumns, kColumns);
    }
    ByteRows all = quantised(kernels, x, kDepth, kRows, kDepth);
    for (size_t m = 1; m <= kRows; ++m) {
      const size_t first = kRows - m;  // the same rows at another place each time
      Floats out(m * kColumns);
      kernels.linear_int8(all.row(first), m, b, bias.data(), Activation::kGelu, out.data(),
                          kColumns);
      ASSERT_EQ(difference(out.data(), alone.data() + first * kColumns, m * kColumns), "")
          << name << " m " << m;
    }
  }
}

}  // namespace
}  // namespace millrace::nn
