// The byte kernels for AVX-512 with VNNI, which multiplies four bytes of each lane at a time.
#include "nn/isa_kernels.h"
#include "nn/vector_avx512.h"
#include "nn/vector_int8.h"
#include "nn/vector_lanes.h"

namespace millrace::nn {
namespace {

struct DotAvx512Vnni : ByteProducts<Avx512> {
  static constexpr size_t kDepth = 4;
  static constexpr size_t kTileRows = 14;
  static constexpr size_t kTileVectors = 2;

  MR_NN_MEMBER Sum dot(Sum sum, __m512i a, __m512i b) {
    return reinterpret_cast<Sum>(_mm512_dpbusd_epi32(reinterpret_cast<__m512i>(sum), a, b));
  }
  MR_NN_MEMBER __m512i load_row(const unsigned char* p) { return V::load_i(p); }
};

}  // namespace

const IsaInt8 kAvx512VnniInt8 = {quantize<Avx512>, linear_lanes<DotAvx512Vnni>};

}  // namespace millrace::nn
