// What one core does at best in a loop of nothing else: the limit that kernels are compared with.
#pragma once

#include <string_view>

namespace millrace::bench {

enum class Arithmetic {
  kFp32,   // fused multiply-adds
  kBf16,   // vdpbf16ps
  kBytes,  // dot products of bytes into 32-bit sums
};

// Operations per second of the calling thread (a multiply and an add are two), by its processor
// time, so that what others took from the core does not count. `isa`: "avx2", "avx512", or "" for
// the best there is. 0 where this CPU or `isa` has no such instructions; bytes in "avx2" without
// AVX-VNNI go through vpmaddubsw or vpmaddwd, whichever gives more.
double peak_operations(Arithmetic arithmetic, std::string_view isa = {});

}  // namespace millrace::bench
