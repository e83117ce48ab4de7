// The choice of kernels at run time, and the packing of matrices, which is the same for all.
#include "nn/kernels.h"

#include <bit>
#include <cstring>
#include <new>

#include "base/check.h"
#include "nn/isa_adapter.h"

#if defined(__x86_64__)
#include <cpuid.h>
#elif defined(__aarch64__)
#include <sys/auxv.h>
#endif

namespace millrace::nn {
namespace {

constexpr size_t kAlignment = 64;

size_t round_up(size_t n, size_t step) {
  return (n + step - 1) / step * step;
}

#if defined(__x86_64__)
// What older compilers' __builtin_cpu_supports does not know: CPUID leaf 7.1, EAX.
struct NewFeatures {
  bool avx_vnni = false;     // bit 4
  bool avx512_bf16 = false;  // bit 5
};

NewFeatures new_features() {
  unsigned eax = 0;
  unsigned ebx = 0;
  unsigned ecx = 0;
  unsigned edx = 0;
  if (__get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx) == 0 || eax < 1) return {};
  if (__get_cpuid_count(7, 1, &eax, &ebx, &ecx, &edx) == 0) return {};
  return {.avx_vnni = (eax & (1U << 4)) != 0, .avx512_bf16 = (eax & (1U << 5)) != 0};
}

constexpr char kFloats512[] = "AVX-512: FMA, 16 floats at a time";
constexpr char kFloats256[] = "AVX2: FMA, 8 floats at a time";
constexpr char kBytes512Vnni[] = "AVX-512 VNNI: four bytes of 16 lanes at a time, exact";

// Best first. __builtin_cpu_supports also asks whether the operating system saves the wide
// registers.
void add_x86(std::vector<Kernels>* list) {
  const NewFeatures features = new_features();
  const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  const bool avx512 = avx2 && __builtin_cpu_supports("avx512f") &&
                      __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
                      __builtin_cpu_supports("avx512vl");
  const bool vnni = avx512 && __builtin_cpu_supports("avx512vnni");
  if (vnni && features.avx512_bf16) {
    list->push_back(Adapter<kAvx512Kernels, kAvx512VnniInt8, kAvx512Bf16>::kernels(
        "avx512_bf16", kFloats512, kBytes512Vnni,
        "AVX-512 BF16: two products of 16 lanes at a time"));
  }
  if (vnni) {
    list->push_back(Adapter<kAvx512Kernels, kAvx512VnniInt8>::kernels("avx512_vnni", kFloats512,
                                                                      kBytes512Vnni, nullptr));
  }
  if (avx512) {
    list->push_back(Adapter<kAvx512Kernels, kAvx512Int8>::kernels(
        "avx512", kFloats512,
        "AVX-512 without VNNI: bytes widened to 16 bits, 32 products at a time", nullptr));
  }
  if (avx2 && features.avx_vnni) {
    list->push_back(Adapter<kAvx2Kernels, kAvx2VnniInt8>::kernels(
        "avx2_vnni", kFloats256, "AVX-VNNI: four bytes of 8 lanes at a time, exact", nullptr));
  }
  if (avx2) {
    list->push_back(Adapter<kAvx2Kernels, kAvx2Int8>::kernels(
        "avx2", kFloats256,
        "AVX2: bytes widened to 16 bits, 16 products at a time (its byte instruction saturates)",
        nullptr));
  }
}
#elif defined(__aarch64__)
// Best first.
void add_arm64(std::vector<Kernels>* list) {
  constexpr unsigned long kDotProducts = 1UL << 20;  // HWCAP_ASIMDDP
  constexpr char kFloats128[] = "NEON: FMA, 4 floats at a time";
  if ((getauxval(AT_HWCAP) & kDotProducts) != 0) {
    list->push_back(Adapter<kNeonKernels, kNeonDotInt8>::kernels(
        "neon_dot", kFloats128, "NEON: four bytes of 4 lanes at a time, exact", nullptr));
  }
  list->push_back(Adapter<kNeonKernels, kNeonInt8>::kernels(
      "neon", kFloats128, "NEON without dot products: 8 products of bytes at a time, exact",
      nullptr));
}
#endif

// All kernels this CPU runs, best first.
std::vector<Kernels> find_runnable() {
  std::vector<Kernels> list;
#if defined(__x86_64__)
  add_x86(&list);
#elif defined(__aarch64__)
  add_arm64(&list);
#endif
  list.push_back(Adapter<kReferenceKernels, kReferenceInt8>::kernels(
      "reference", "plain loops, one float at a time", "plain loops, one byte at a time", nullptr));
  return list;
}

const std::vector<Kernels>& runnable() {
  static const std::vector<Kernels> kernels = find_runnable();
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
  if (isa.empty()) return &runnable().front();
  for (const Kernels& kernels : runnable()) {
    if (isa == kernels.name) return &kernels;
  }
  return nullptr;
}

std::vector<std::string> kernel_names() {
  std::vector<std::string> names;
  for (const Kernels& kernels : runnable()) names.emplace_back(kernels.name);
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
