// The bf16 kernels for AVX-512 with BF16, which multiplies two entries of each lane at a time.
#include "nn/isa_kernels.h"
#include "nn/vector_avx512.h"
#include "nn/vector_bf16.h"
#include "nn/vector_lanes.h"

namespace millrace::nn {
namespace {

struct DotAvx512Bf16 : HalfProducts<Avx512> {
  static constexpr size_t kDepth = 2;
  static constexpr size_t kTileRows = 14;
  static constexpr size_t kTileVectors = 2;

  MR_NN_MEMBER __m512 dot(__m512 sum, __m512i a, __m512i b) {
    return _mm512_dpbf16_ps(sum, reinterpret_cast<__m512bh>(a), reinterpret_cast<__m512bh>(b));
  }
  MR_NN_MEMBER __m512i load_row(const unsigned short* p) { return V::load_i(p); }
};

}  // namespace

const IsaBf16 kAvx512Bf16 = {round_bf16<Avx512>, linear_lanes<DotAvx512Bf16>};

}  // namespace millrace::nn
