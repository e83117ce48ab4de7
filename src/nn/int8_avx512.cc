// The byte kernels for AVX-512 without VNNI: as for AVX2, see there.
#include "nn/isa_kernels.h"
#include "nn/vector_avx512.h"
#include "nn/vector_int8.h"
#include "nn/vector_lanes.h"

namespace millrace::nn {
namespace {

struct DotAvx512 : ByteProducts<Avx512> {
  static constexpr size_t kDepth = 2;
  static constexpr size_t kTileRows = 14;
  static constexpr size_t kTileVectors = 2;

  MR_NN_MEMBER Sum dot(Sum sum, __m512i a, __m512i b) {
    return sum + reinterpret_cast<Sum>(_mm512_madd_epi16(a, b));
  }
  // The even entries of each group of four before the odd ones, as panels have them.
  MR_NN_MEMBER __m512i load_row(const unsigned char* p) {
    const __m128i group = _mm_setr_epi8(0, 2, 1, 3, 4, 6, 5, 7, 8, 10, 9, 11, 12, 14, 13, 15);
    const __m256i bytes = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
    return _mm512_cvtepu8_epi16(_mm256_shuffle_epi8(bytes, _mm256_broadcastsi128_si256(group)));
  }
};

}  // namespace

const IsaInt8 kAvx512Int8 = {quantize<Avx512>, linear_lanes<DotAvx512>};

}  // namespace millrace::nn
