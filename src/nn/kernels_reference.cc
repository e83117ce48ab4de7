// The kernels as plain loops: the definition that every other instruction set must meet bit for
// bit, and what runs where no other can. The order of each sum is to be read here.
#include "nn/isa_kernels.h"
#include "nn/vector_math.h"
#include "nn/vector_scalar.h"

namespace millrace::nn {
namespace {

constexpr float kInfinity = __builtin_inff();

float max_of(const float* x, size_t n) {
  Lanes lanes(-kInfinity);
  for (size_t i = 0; i < n; ++i) {
    lanes.lane[i % kLanes] = Scalar::max(lanes.lane[i % kLanes], x[i]);
  }
  return lanes.max();
}

// x[i] = e^((x[i] - max) * scale); returns their sum.
float exponentials(float* x, size_t n, float scale) {
  const float max = max_of(x, n);
  Lanes lanes(0.0F);
  for (size_t i = 0; i < n; ++i) {
    x[i] = exp_nonpositive<Scalar>((x[i] - max) * scale);
    lanes.lane[i % kLanes] += x[i];
  }
  return lanes.sum();
}

void linear(const LinearArgs& args) {
  for (size_t row = 0; row < args.m; ++row) {
    const float* a = args.a + row * args.lda;
    for (size_t column = 0; column < args.n; ++column) {
      const float* b =
          args.panels + column / kPanelColumns * kPanelColumns * args.k + column % kPanelColumns;
      float sum = args.bias[column];
      for (size_t i = 0; i < args.k; ++i) sum = __builtin_fmaf(a[i], b[i * kPanelColumns], sum);
      args.out[row * args.ldo + column] = activate_one<Scalar>(sum, args.activation);
    }
  }
}

void attention(const AttentionArgs& args) {
  float* scores = args.scratch;
  for (size_t head = 0; head < args.heads; ++head) {
    for (size_t row = 0; row < args.queries; ++row) {
      const float* q = args.q + row * args.ld + head * args.d;
      for (size_t key = 0; key < args.length; ++key) {
        const float* k = args.k + key * args.ld + head * args.d;
        float sum = 0.0F;
        for (size_t i = 0; i < args.d; ++i) sum = __builtin_fmaf(q[i], k[i], sum);
        scores[key] = sum;
      }
      const float inverse = 1.0F / exponentials(scores, args.length, args.scale);
      for (size_t i = 0; i < args.d; ++i) {
        const float* v = args.v + head * args.d + i;
        float sum = 0.0F;
        for (size_t key = 0; key < args.length; ++key) {
          sum = __builtin_fmaf(scores[key], v[key * args.ld], sum);
        }
        args.out[row * args.ldo + head * args.d + i] = sum * inverse;
      }
    }
  }
}

void add_layer_norm(const LayerNormArgs& args) {
  const float count = static_cast<float>(args.n);
  for (size_t row = 0; row < args.m; ++row) {
    float* x = args.x + row * args.ldx;
    const float* residual = args.residual == nullptr ? nullptr : args.residual + row * args.ldr;
    Lanes sums(0.0F);
    for (size_t i = 0; i < args.n; ++i) {
      if (residual != nullptr) x[i] += residual[i];
      sums.lane[i % kLanes] += x[i];
    }
    const float mean = sums.sum() / count;
    Lanes squares(0.0F);
    for (size_t i = 0; i < args.n; ++i) {
      const float d = x[i] - mean;
      squares.lane[i % kLanes] = __builtin_fmaf(d, d, squares.lane[i % kLanes]);
    }
    const float inverse = 1.0F / __builtin_sqrtf(squares.sum() / count + args.eps);
    for (size_t i = 0; i < args.n; ++i) {
      x[i] = __builtin_fmaf((x[i] - mean) * inverse, args.gamma[i], args.beta[i]);
    }
  }
}

void activate(float* x, size_t n, Activation activation) {
  for (size_t i = 0; i < n; ++i) x[i] = activate_one<Scalar>(x[i], activation);
}

void softmax(const float* logits, size_t n, float* out) {
  for (size_t i = 0; i < n; ++i) out[i] = logits[i];
  const float sum = exponentials(out, n, 1.0F);
  for (size_t i = 0; i < n; ++i) out[i] = out[i] / sum;
}

void sigmoid_all(const float* logits, size_t n, float* out) {
  for (size_t i = 0; i < n; ++i) out[i] = sigmoid<Scalar>(logits[i]);
}

}  // namespace

const IsaKernels kReferenceKernels = {linear,   attention, add_layer_norm,
                                      activate, softmax,   sigmoid_all};

}  // namespace millrace::nn
