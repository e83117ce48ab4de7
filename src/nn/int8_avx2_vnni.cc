// The byte kernels for CPUs of 256 bits that multiply four bytes at a time (AVX-VNNI).
#include "nn/isa_kernels.h"
#include "nn/vector_avx2.h"
#include "nn/vector_int8.h"
#include "nn/vector_lanes.h"

namespace millrace::nn {
namespace {

struct DotAvx2Vnni : ByteProducts<Avx2> {
  static constexpr size_t kDepth = 4;
  static constexpr size_t kTileRows = 6;
  static constexpr size_t kTileVectors = 2;

  MR_NN_MEMBER Sum dot(Sum sum, __m256i a, __m256i b) {
    return reinterpret_cast<Sum>(_mm256_dpbusd_avx_epi32(reinterpret_cast<__m256i>(sum), a, b));
  }
  MR_NN_MEMBER __m256i load_row(const unsigned char* p) { return V::load_i(p); }
};

}  // namespace

const IsaInt8 kAvx2VnniInt8 = {quantize<Avx2>, linear_lanes<DotAvx2Vnni>};

}  // namespace millrace::nn
