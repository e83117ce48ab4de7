// Loops of independent chains; operands are hidden from the compiler so that nothing is hoisted.
#include "bench/peak.h"

#include <time.h>

#include <algorithm>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace millrace::bench {

#if defined(__x86_64__)
namespace {

constexpr int kChains = 12;  // more than latency times throughput of any core
constexpr int kRounds = 2000000;

// The value may be anything now; costs nothing.
template <class Vector>
void hide(Vector& value) {
  asm volatile("" : "+x"(value));
}

double thread_seconds() {
  timespec t = {};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_nsec) * 1e-9;
}

// One function for each kind: intrinsics are inlined only where the instruction set is the same.
#define MILLRACE_PEAK_LOOP(NAME, TARGET, VECTOR, ZERO, STEP)       \
  __attribute__((target(TARGET), noinline)) void NAME() {          \
    VECTOR sum[kChains];                                           \
    for (VECTOR & x : sum) x = ZERO;                               \
    VECTOR a = ZERO;                                               \
    VECTOR b = ZERO;                                               \
    hide(a);                                                       \
    hide(b);                                                       \
    for (int i = 0; i < kRounds; ++i) {                            \
      _Pragma("GCC unroll 12") for (int c = 0; c < kChains; ++c) { \
        STEP;                                                      \
      }                                                            \
    }                                                              \
    for (VECTOR & x : sum) hide(x);                                \
  }

MILLRACE_PEAK_LOOP(fma_avx2, "avx2,fma", __m256, _mm256_setzero_ps(),
                   sum[c] = _mm256_fmadd_ps(a, b, sum[c]))
MILLRACE_PEAK_LOOP(fma_avx512, "avx512f", __m512, _mm512_setzero_ps(),
                   sum[c] = _mm512_fmadd_ps(a, b, sum[c]))
MILLRACE_PEAK_LOOP(words_avx2, "avx2", __m256i, _mm256_setzero_si256(), hide(a);
                   sum[c] = _mm256_add_epi32(sum[c], _mm256_madd_epi16(a, b)))
MILLRACE_PEAK_LOOP(bytes_avx2, "avx2", __m256i, _mm256_setzero_si256(), hide(a);
                   sum[c] = _mm256_add_epi32(sum[c],
                                             _mm256_madd_epi16(_mm256_maddubs_epi16(a, b), b)))
MILLRACE_PEAK_LOOP(bytes_avx512, "avx512vnni", __m512i, _mm512_setzero_si512(),
                   sum[c] = _mm512_dpbusd_epi32(sum[c], a, b))
MILLRACE_PEAK_LOOP(bytes_avxvnni, "avxvnni", __m256i, _mm256_setzero_si256(),
                   sum[c] = _mm256_dpbusd_avx_epi32(sum[c], a, b))

__attribute__((target("avx512bf16"), noinline)) void bf16_avx512() {
  __m512 sum[kChains];
  for (__m512& x : sum) x = _mm512_setzero_ps();
  __m512i bits = _mm512_setzero_si512();
  hide(bits);
  const __m512bh a = reinterpret_cast<__m512bh>(bits);
  for (int i = 0; i < kRounds; ++i) {
#pragma GCC unroll 12
    for (int c = 0; c < kChains; ++c) sum[c] = _mm512_dpbf16_ps(sum[c], a, a);
  }
  for (__m512& x : sum) hide(x);
}

// Multiply-adds per step and chain are `width`; the best of several runs.
double measure(void (*loop)(), int width) {
  double best = 0;
  for (int i = 0; i < 8; ++i) {
    const double begin = thread_seconds();
    loop();
    best = std::max(best, 2.0 * width * kChains * kRounds / (thread_seconds() - begin));
  }
  return best;
}

// AVX-VNNI: CPUID leaf 7, sub-leaf 1, EAX bit 4; not every compiler's builtin knows its name.
bool has_avx_vnni() {
  unsigned eax = 0;
  unsigned ebx = 0;
  unsigned ecx = 0;
  unsigned edx = 0;
  asm volatile("cpuid" : "=a"(eax), "=b"(ebx), "=c"(ecx), "=d"(edx) : "a"(0), "c"(0));
  if (eax < 7) return false;
  asm volatile("cpuid" : "=a"(eax), "=b"(ebx), "=c"(ecx), "=d"(edx) : "a"(7), "c"(1));
  return (eax & (1U << 4)) != 0;
}

}  // namespace

double peak_operations(Arithmetic arithmetic, std::string_view isa) {
  const bool avx512 = (isa.empty() || isa == "avx512") && __builtin_cpu_supports("avx512f");
  const bool avx2 = (isa.empty() || isa == "avx2") && __builtin_cpu_supports("avx2");
  switch (arithmetic) {
    case Arithmetic::kFp32:
      if (avx512) return measure(fma_avx512, 16);
      return avx2 && __builtin_cpu_supports("fma") ? measure(fma_avx2, 8) : 0;
    case Arithmetic::kBf16:
      return avx512 && __builtin_cpu_supports("avx512bf16") ? measure(bf16_avx512, 32) : 0;
    case Arithmetic::kBytes:
      if (avx512 && __builtin_cpu_supports("avx512vnni")) return measure(bytes_avx512, 64);
      if (avx2 && has_avx_vnni()) return measure(bytes_avxvnni, 32);
      return avx2 ? std::max(measure(words_avx2, 16), measure(bytes_avx2, 32)) : 0;
  }
  return 0;
}

#else

double peak_operations(Arithmetic, std::string_view) {
  return 0;
}

#endif

}  // namespace millrace::bench
