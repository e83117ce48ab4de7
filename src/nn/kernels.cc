// The choice of kernels at run time, and the packing of matrices, which is the same for all.
#include "nn/kernels.h"

#include <bit>
#include <cstring>
#include <new>

#include "base/check.h"

namespace millrace::nn {
namespace {

constexpr size_t kAlignment = 64;

size_t round_up(size_t n, size_t step) {
  return (n + step - 1) / step * step;
}

// Gives the functions of one instruction set the signatures of Kernels.
template <const IsaKernels& kIsa, const IsaInt8& kInt8>
struct Adapter {
  static void linear(const float* a, size_t lda, size_t m, const PackedMatrix& b, const float* bias,
                     Activation activation, float* out, size_t ldo) {
    kIsa.linear({a, lda, m, b.panels(), b.k(), b.n(), bias, activation, out, ldo});
  }
  static void attention(const float* q, const float* k, const float* v, size_t ld, size_t length,
                        size_t queries, size_t heads, size_t d, float scale, float* scratch,
                        float* out, size_t ldo) {
    kIsa.attention({q, k, v, ld, length, queries, heads, d, scale, scratch, out, ldo});
  }
  static void add_layer_norm(float* x, size_t ldx, const float* residual, size_t ldr, size_t m,
                             size_t n, const float* gamma, const float* beta, float eps) {
    kIsa.add_layer_norm({x, ldx, residual, ldr, m, n, gamma, beta, eps});
  }
  static void quantize(const float* x, size_t ldx, size_t m, size_t n, const QuantizedRows& to) {
    kInt8.quantize({x, ldx, m, n, to.bytes, QuantizedRows::row_stride(n), to.scale, to.zero});
  }
  static void linear_int8(const QuantizedRows& a, size_t m, const QuantizedMatrix& b,
                          const float* bias, Activation activation, float* out, size_t ldo) {
    kInt8.linear({a.bytes, QuantizedRows::row_stride(b.k()), a.scale, a.zero, m, b.panels(),
                  b.scale(), b.column_sum(), b.k(), b.n(), bias, activation, out, ldo});
  }
  static const Kernels* kernels(const char* name) {
    static const Kernels table = {name,           linear,       attention,
                                  add_layer_norm, quantize,     linear_int8,
                                  kIsa.activate,  kIsa.softmax, kIsa.sigmoid};
    return &table;
  }
};

// All kernels this CPU runs, best first. __builtin_cpu_supports also asks whether the operating
// system saves the wide registers.
std::vector<const Kernels*> find_runnable() {
  std::vector<const Kernels*> list;
#if defined(__x86_64__)
  const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  const bool avx512 = avx2 && __builtin_cpu_supports("avx512f") &&
                      __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
                      __builtin_cpu_supports("avx512vl");
  if (avx512) list.push_back(Adapter<kAvx512Kernels, kAvx2Int8>::kernels("avx512"));
  if (avx2) list.push_back(Adapter<kAvx2Kernels, kAvx2Int8>::kernels("avx2"));
#endif
  list.push_back(Adapter<kReferenceKernels, kReferenceInt8>::kernels("reference"));
  return list;
}

const std::vector<const Kernels*>& runnable() {
  static const std::vector<const Kernels*> kernels = find_runnable();
  return kernels;
}

}  // namespace

void PackedMatrix::Free::operator()(float* p) const {
  ::operator delete(p, std::align_val_t(kAlignment));
}

PackedMatrix::PackedMatrix(size_t k, size_t n) : k_(k), n_(n) {
  const size_t bytes = round_up(n, kPanel) * k * sizeof(float);
  data_.reset(static_cast<float*>(::operator new(bytes, std::align_val_t(kAlignment))));
}

void PackedMatrix::fill_from_linear(const float* weight, size_t n_begin, size_t n_end) {
  MR_CHECK(n_begin % kPanel == 0 && n_begin <= n_end && n_end <= n_);
  constexpr size_t kStep = 16;  // a cache line of each row of `weight` at a time
  for (size_t n = n_begin; n < n_end; n += kPanel) {
    float* panel = data_.get() + n * k_;
    const size_t columns = n_end - n < kPanel ? n_end - n : kPanel;
    if (columns < kPanel) std::memset(panel, 0, k_ * kPanel * sizeof(float));
    for (size_t k = 0; k < k_; k += kStep) {
      const size_t steps = k_ - k < kStep ? k_ - k : kStep;
      for (size_t column = 0; column < columns; ++column) {
        const float* from = weight + (n + column) * k_ + k;
        for (size_t i = 0; i < steps; ++i) panel[(k + i) * kPanel + column] = from[i];
      }
    }
  }
}

size_t attention_scratch(size_t length, size_t d) {
  const size_t keys = round_up(length, kPanelColumns) * d;
  const size_t values = length * round_up(d, kPanelColumns);
  const size_t blocks = round_up(d, kBlockK) / kBlockK + round_up(length, kBlockK) / kBlockK;
  return round_up(keys, kLanes) + values + blocks * kTileRowsMax * kPitch;
}

const Kernels* find_kernels(std::string_view isa) {
  if (isa.empty()) return runnable().front();
  for (const Kernels* kernels : runnable()) {
    if (isa == kernels->name) return kernels;
  }
  return nullptr;
}

std::vector<std::string> kernel_names() {
  std::vector<std::string> names;
  for (const Kernels* kernels : runnable()) names.emplace_back(kernels->name);
  return names;
}

void half_to_float(const uint16_t* from, size_t n, float* to) {
  // Shift the 15 bits into place and rescale by 2^112; exact for normal and denormal halves. The
  // largest exponent means infinity or NaN and is put right afterwards.
  for (size_t i = 0; i < n; ++i) {
    const uint32_t half = from[i];
    const uint32_t magnitude = half & 0x7FFFU;
    uint32_t bits = std::bit_cast<uint32_t>(std::bit_cast<float>(magnitude << 13) * 0x1p112F);
    bits = magnitude >= 0x7C00U ? (magnitude << 13) | 0x7F800000U : bits;
    to[i] = std::bit_cast<float>(bits | (half & 0x8000U) << 16);
  }
}

void bfloat16_to_float(const uint16_t* from, size_t n, float* to) {
  for (size_t i = 0; i < n; ++i) to[i] = std::bit_cast<float>(static_cast<uint32_t>(from[i]) << 16);
}

bool all_finite(const float* values, size_t n) {
  uint32_t worst = 0;
  for (size_t i = 0; i < n; ++i) {
    const uint32_t magnitude = std::bit_cast<uint32_t>(values[i]) & 0x7FFFFFFFU;
    worst = magnitude > worst ? magnitude : worst;
  }
  return worst < 0x7F800000U;
}

}  // namespace millrace::nn
