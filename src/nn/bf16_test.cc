// bf16: rows and weights rounded as defined, products as the instruction is documented, each row
// independent of the rows around it. CPUs may round sums in their own way, so what runs natively is
// held to the reference within the last bits, and to itself in every bit.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>

#include "nn/bf16_rounding.h"
#include "nn/kernels.h"
#include "nn/kernels_testing.h"

namespace millrace::nn {
namespace {

#ifdef MILLRACE_EMULATED_KERNELS
constexpr bool kExact = true;
#else
constexpr bool kExact = false;
#endif

std::vector<const Kernels*> bf16_kernels() {
  std::vector<const Kernels*> list;
  for (const Kernels* kernels : fast_kernels()) {
    if (kernels->linear_bf16 != nullptr) list.push_back(kernels);
  }
  return list;
}

class Bf16 : public ::testing::Test {
 protected:
  void SetUp() override {
    if (bf16_kernels().empty()) GTEST_SKIP() << "this CPU has no AVX512-BF16";
  }
};

using Halves = std::vector<uint16_t>;

Halves rounded(const Floats& x, size_t ldx, size_t m, size_t n) {
  Halves halves(m * bf16_row_stride(n), 77);
  kReferenceBf16.round({x.data(), ldx, m, n, halves.data(), bf16_row_stride(n)});
  return halves;
}

float float_of(uint16_t half) {
  return std::bit_cast<float>(static_cast<uint32_t>(half) << 16);
}

TEST(Bf16Reference, RoundsToTheNearestAndHalvesToEven) {
  const std::vector<std::pair<float, uint16_t>> cases = {
      {1.0F, 0x3F80},
      {-1.0F, 0xBF80},
      {0.0F, 0},
      {-0.0F, 0x8000},
      {0x1.01p+0F, 0x3F80},      // half of the last bit: to even, down
      {0x1.03p+0F, 0x3F82},      // and up
      {0x1.010002p+0F, 0x3F81},  // a little more
      {0x1.fffffep+0F, 0x4000},
      {std::numeric_limits<float>::max(), 0x7F80},
      {std::numeric_limits<float>::infinity(), 0x7F80},
      {-std::numeric_limits<float>::infinity(), 0xFF80},
      {std::bit_cast<float>(0x7F800001U), 0x7FC0},  // a NaN whose bits would be rounded away
      {-std::nanf(""), 0x7FC0}};
  for (const auto& [value, want] : cases) {
    Floats x(1);
    x[0] = value;
    EXPECT_EQ(rounded(x, 1, 1, 1)[0], want) << value;
  }
}

TEST(Bf16Matrix, PanelsHoldPairsAndZeros) {
  constexpr size_t kDepth = 19;
  constexpr size_t kColumns = 45;
  Floats weight(kDepth * kColumns);
  weight.randomise(13);
  Bf16Matrix b(kDepth, kColumns);
  b.fill_from_linear(weight.data(), 32, kColumns);
  b.fill_from_linear(weight.data(), 0, 32);
  for (size_t n = 0; n < 48; ++n) {
    for (size_t k = 0; k < 20; ++k) {
      const float got = float_of(b.panels()[n / 16 * 16 * 20 + k / 2 * 32 + n % 16 * 2 + k % 2]);
      const float want = n < kColumns && k < kDepth ? weight[n * kDepth + k] : 0.0F;
      EXPECT_NEAR(got, want, std::abs(want) * 0x1p-8F) << n << ", " << k;
    }
  }
}

void round_plainly(const float* x, size_t ldx, size_t m, size_t n, uint16_t* halves) {
  kReferenceBf16.round({x, ldx, m, n, halves, bf16_row_stride(n)});
}

using Dot = float (*)(float sum, float a0, float a1, float b0, float b1);

// As kernels would be whose dot product rounds as kDot does.
template <Dot kDot>
Kernels kernels_that() {
  Kernels kernels = reference();
  kernels.round_bf16 = round_plainly;
  kernels.linear_bf16 = [](const uint16_t* a, size_t m, const Bf16Matrix& b, const float* bias,
                           Activation, float* out, size_t ldo) {
    for (size_t row = 0; row < m; ++row) {
      for (size_t n = 0; n < b.n(); ++n) {
        const uint16_t* x = a + row * bf16_row_stride(b.k());
        const uint16_t* y = b.panels() + n / 16 * 16 * b.k() + n % 16 * 2;
        float sum = 0.0F;
        for (size_t k = 0; k < b.k(); k += 2, y += 32) {
          sum = kDot(sum, float_of(x[k]), float_of(x[k + 1]), float_of(y[0]), float_of(y[1]));
        }
        out[row * ldo + n] = sum + bias[n];
      }
    }
  };
  return kernels;
}

float odd_first(float sum, float a0, float a1, float b0, float b1) {
  return std::fmaf(a0, b0, std::fmaf(a1, b1, sum));
}
float even_first(float sum, float a0, float a1, float b0, float b1) {
  return std::fmaf(a1, b1, std::fmaf(a0, b0, sum));
}
float pair_first(float sum, float a0, float a1, float b0, float b1) {
  return sum + std::fmaf(a0, b0, a1 * b1);
}
float flushed(float sum, float a0, float a1, float b0, float b1) {
  const auto flush = [](float x) { return std::abs(x) < 0x1p-126F ? 0.0F : x; };
  return flush(std::fmaf(flush(a0), b0, flush(std::fmaf(flush(a1), b1, sum))));
}

TEST(Bf16Rounding, EachWayToRoundHasANameOfItsOwn) {
  Kernels plain = reference();
  plain.round_bf16 = round_plainly;
  plain.linear_bf16 = [](const uint16_t* a, size_t m, const Bf16Matrix& b, const float* bias,
                         Activation activation, float* out, size_t ldo) {
    kReferenceBf16.linear(
        {a, bf16_row_stride(b.k()), m, b.panels(), b.k(), b.n(), bias, activation, out, ldo});
  };
  const std::string name = bf16_rounding(plain);
  EXPECT_EQ(name.size(), 16U);
  EXPECT_EQ(bf16_rounding(plain), name);
  EXPECT_EQ(bf16_rounding(kernels_that<odd_first>()), name);  // what the reference does
  const std::string even = bf16_rounding(kernels_that<even_first>());
  const std::string pair = bf16_rounding(kernels_that<pair_first>());
  const std::string flush = bf16_rounding(kernels_that<flushed>());
  EXPECT_EQ((std::set<std::string>{name, even, pair, flush}).size(), 4U);
}

TEST_F(Bf16, RoundsAsItsNameSays) {
  for (const Kernels* kernels : bf16_kernels()) {
    EXPECT_EQ(bf16_rounding(*kernels), bf16_rounding(*kernels)) << kernels->name;
    if (kExact) {
      EXPECT_EQ(bf16_rounding(*kernels), bf16_rounding(kernels_that<odd_first>()));
    }
  }
}

TEST_F(Bf16, EveryWidthMisalignmentAndOddValueIsRoundedAlike) {
  const float odd[] = {0.0F,
                       -0.0F,
                       1e-44F,
                       -1e-39F,
                       3.4e38F,
                       -3.4e38F,
                       std::nanf(""),
                       std::numeric_limits<float>::infinity(),
                       std::bit_cast<float>(0xFF800001U)};
  for (size_t n = 1; n <= 67; ++n) {
    Floats x(3 * (n + 2), n % 16);
    x.randomise(static_cast<uint32_t>(n), 5.0F);
    for (size_t i = 0; i < 3; ++i) x[(n * 7 + i * 5) % x.size()] = odd[(n + i) % std::size(odd)];
    const Halves want = rounded(x, n + 2, 3, n);
    for (const Kernels* kernels : bf16_kernels()) {
      Halves got(want.size(), 77);
      kernels->round_bf16(x.data(), n + 2, 3, n, got.data());
      EXPECT_EQ(got, want) << kernels->name << " " << n;
    }
  }
}

struct Shape {
  size_t m;
  size_t k;
  size_t n;
  size_t shift = 0;
};

void expect_products(const Shape& s, Activation activation = Activation::kNone) {
  Floats weight(s.k * s.n);
  weight.randomise(1);
  Bf16Matrix b(s.k, s.n);
  b.fill_from_linear(weight.data(), 0, s.n);
  Floats x(s.m * s.k);
  x.randomise(2, 3.0F);
  const Halves a = rounded(x, s.k, s.m, s.k);
  Floats bias(s.n, s.shift);
  bias.randomise(3);
  const size_t ldo = s.n + 3;
  Floats want(s.m * ldo, s.shift);
  kReferenceBf16.linear({a.data(), bf16_row_stride(s.k), s.m, b.panels(), s.k, s.n, bias.data(),
                         activation, want.data(), ldo});
  for (const Kernels* kernels : bf16_kernels()) {
    Floats got(s.m * ldo, s.shift);
    kernels->linear_bf16(a.data(), s.m, b, bias.data(), activation, got.data(), ldo);
    EXPECT_TRUE(got.surroundings_untouched());
    for (size_t row = 0; row < s.m; ++row) {
      const float* have = got.data() + row * ldo;
      const float* should = want.data() + row * ldo;
      for (size_t i = s.n; i < ldo; ++i) EXPECT_TRUE(std::isnan(have[i]));
      if (kExact) {
        ASSERT_EQ(difference(have, should, s.n), "")
            << kernels->name << " m " << s.m << " k " << s.k << " n " << s.n << " row " << row;
      }
      const float bound = 1e-5F * static_cast<float>(s.k);
      for (size_t i = 0; i < s.n; ++i) ASSERT_NEAR(have[i], should[i], bound) << kernels->name;
    }
  }
}

TEST_F(Bf16, EverySizeAgrees) {
  for (size_t n = 1; n <= 4 * kPanelColumns + 1; ++n) expect_products({3, 17, n});
  for (size_t m = 1; m <= 2 * 14 + 1; ++m) expect_products({m, 21, 50});
  for (size_t k = 1; k <= 67; ++k) expect_products({15, k, 33});
  for (const size_t k : {383U, 384U, 385U, 767U, 769U}) expect_products({7, k, 49});
  for (const size_t m : {167U, 168U, 169U}) expect_products({m, 19, 34});
  for (const size_t n : {255U, 256U, 257U}) expect_products({2, 300, n});
  for (size_t shift = 1; shift < 16; ++shift) expect_products({15, 40, 45, shift});
}

TEST_F(Bf16, ActivationsAgree) {
  for (const Activation activation :
       {Activation::kRelu, Activation::kGelu, Activation::kGeluTanh, Activation::kTanh}) {
    expect_products({5, 100, 33}, activation);
  }
}

TEST_F(Bf16, RowDoesNotDependOnItsNeighbours) {
  constexpr size_t kDepth = 800;
  constexpr size_t kColumns = 50;
  constexpr size_t kRows = 2 * 14 + 1;
  Floats weight(kDepth * kColumns);
  weight.randomise(7);
  Bf16Matrix b(kDepth, kColumns);
  b.fill_from_linear(weight.data(), 0, kColumns);
  Floats x(kRows * kDepth);
  x.randomise(8);
  const Halves a = rounded(x, kDepth, kRows, kDepth);
  Floats bias(kColumns);
  bias.randomise(9);
  for (const Kernels* kernels : bf16_kernels()) {
    Floats alone(kRows * kColumns);
    for (size_t row = 0; row < kRows; ++row) {
      kernels->linear_bf16(a.data() + row * bf16_row_stride(kDepth), 1, b, bias.data(),
                           Activation::kGelu, alone.data() + row * kColumns, kColumns);
    }
    for (size_t m = 1; m <= kRows; ++m) {
      const size_t first = kRows - m;  // the same rows at another place each time
      Floats out(m * kColumns);
      kernels->linear_bf16(a.data() + first * bf16_row_stride(kDepth), m, b, bias.data(),
                           Activation::kGelu, out.data(), kColumns);
      ASSERT_EQ(difference(out.data(), alone.data() + first * kColumns, m * kColumns), "")
          << kernels->name << " m " << m;
    }
  }
}

}  // namespace
}  // namespace millrace::nn
