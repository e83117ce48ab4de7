// attention: right against double precision, equal in every bit on all instruction sets, whatever
// the length, the head width and the number of queries.
#include <gtest/gtest.h>

#include <cmath>
#include <new>

#include "nn/kernels.h"
#include "nn/kernels_testing.h"

namespace millrace::nn {
namespace {

struct Case {
  size_t length;
  size_t heads;
  size_t d;
  size_t queries = 0;  // 0: all
  float scale = 0.25F;
  float spread = 1.0F;  // of q and k
  size_t shift = 0;
};

struct Inputs {
  size_t ld;
  Floats q;
  Floats k;
  Floats v;

  explicit Inputs(const Case& c)
      : ld(c.heads * c.d + 3),
        q(c.length * ld, c.shift),
        k(c.length * ld, c.shift),
        v(c.length * ld, c.shift) {
    q.randomise(1, c.spread);
    k.randomise(2, c.spread);
    v.randomise(3);
  }
};

Floats attend(const Kernels& kernels, const Case& c, const Inputs& in) {
  const size_t queries = c.queries == 0 ? c.length : c.queries;
  Floats scratch(attention_scratch(c.length, c.d));
  Floats out(queries * in.ld, c.shift);
  kernels.attention(in.q.data(), in.k.data(), in.v.data(), in.ld, c.length, queries, c.heads, c.d,
                    c.scale, scratch.data(), out.data(), in.ld);
  EXPECT_TRUE(out.surroundings_untouched());
  EXPECT_TRUE(scratch.surroundings_untouched());
  return out;
}

void expect_equal_bits(const Case& c) {
  const Inputs in(c);
  const Floats want = attend(reference(), c, in);
  const size_t rows = want.size() / in.ld;
  for (const Kernels* kernels : fast_kernels()) {
    const Floats got = attend(*kernels, c, in);
    for (size_t row = 0; row < rows; ++row) {
      ASSERT_EQ(difference(got.data() + row * in.ld, want.data() + row * in.ld, c.heads * c.d), "")
          << kernels->name << " length " << c.length << " d " << c.d << " row " << row;
      for (size_t i = c.heads * c.d; i < in.ld; ++i) {
        ASSERT_TRUE(std::isnan(got.data()[row * in.ld + i]));
      }
    }
  }
}

TEST(Attention, ReferenceIsAccurate) {
  const Case c{37, 3, 20, 0, 0.22F, 3.0F};
  Inputs in(c);
  Floats out = attend(reference(), c, in);
  for (size_t head = 0; head < c.heads; ++head) {
    for (size_t row = 0; row < c.length; ++row) {
      std::vector<double> p(c.length);
      double sum = 0;
      for (size_t key = 0; key < c.length; ++key) {
        double score = 0;
        for (size_t i = head * c.d; i < (head + 1) * c.d; ++i) {
          score += static_cast<double>(in.q[row * in.ld + i]) * in.k[key * in.ld + i];
        }
        p[key] = std::exp(score * c.scale);
        sum += p[key];
      }
      for (size_t i = head * c.d; i < (head + 1) * c.d; ++i) {
        double want = 0;
        for (size_t key = 0; key < c.length; ++key) want += p[key] / sum * in.v[key * in.ld + i];
        EXPECT_NEAR(out[row * in.ld + i], want, 3e-6);
      }
    }
  }
}

TEST(Attention, EveryShortLengthAgrees) {
  for (size_t length = 1; length <= 40; ++length) expect_equal_bits({length, 2, 64});
}

TEST(Attention, LongLengthsAgree) {
  for (const size_t length : {127U, 128U, 129U, 255U, 256U, 257U, 512U}) {
    expect_equal_bits({length, 1, 32});
  }
  expect_equal_bits({513, 1, 12, 20});
}

TEST(Attention, EveryHeadWidthAgrees) {
  for (size_t d = 1; d <= 66; ++d) expect_equal_bits({19, 2, d});
  for (const size_t d : {12U, 16U, 20U, 32U, 64U}) expect_equal_bits({35, 3, d});
  for (const size_t d : {255U, 256U, 257U, 300U}) expect_equal_bits({18, 1, d});
}

TEST(Attention, FewQueriesEqualTheFirstOfAll) {
  const Case all{45, 2, 64};
  const Inputs in(all);
  const Floats want = attend(reference(), all, in);
  for (const std::string& name : kernel_names()) {
    for (const size_t queries : {1U, 2U, 6U, 7U, 14U, 15U, 45U}) {
      Case few = all;
      few.queries = queries;
      const Floats got = attend(*find_kernels(name), few, in);
      for (size_t row = 0; row < queries; ++row) {
        ASSERT_EQ(difference(got.data() + row * in.ld, want.data() + row * in.ld, 128), "")
            << name << " queries " << queries << " row " << row;
      }
    }
  }
}

TEST(Attention, SharpAndFlatScoresAgree) {
  expect_equal_bits({40, 2, 64, 0, 1.0F, 100.0F});  // one key takes all, others underflow
  expect_equal_bits({40, 2, 64, 0, 1.0F, 0.0F});    // all scores equal
  expect_equal_bits({40, 2, 64, 0, 1.0F, 1e-30F});  // denormal products
  expect_equal_bits({40, 2, 64, 0, 1e-3F, 1e15F});  // huge scores
}

TEST(Attention, MisalignedPointersAgree) {
  for (size_t shift = 1; shift < 16; shift += 2) {
    expect_equal_bits({21, 2, 20, 0, 0.25F, 1.0F, shift});
  }
}

}  // namespace
}  // namespace millrace::nn
