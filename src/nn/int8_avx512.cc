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

  MR_NN_MEMBER __m512i dot(__m512i sum, __m512i a, __m512i b) {
    return _mm512_add_epi32(sum, _mm512_madd_epi16(a, b));
  }
  MR_NN_MEMBER __m512i load_row(const unsigned char* p) {
    return _mm512_cvtepu8_epi16(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)));
  }
  // From groups of four entries to pairs: first those of even, then those of odd number.
  MR_NN_MEMBER void widen_panel(const signed char* from, size_t steps, int* to) {
    const __m512i even =
        _mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
    const __m512i odd =
        _mm512_setr_epi32(1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31);
    for (size_t i = 0; i < steps; i += 2) {
      const auto* bytes = reinterpret_cast<const __m256i*>(from);
      const __m512i a = _mm512_cvtepi8_epi16(_mm256_loadu_si256(bytes));
      const __m512i b = _mm512_cvtepi8_epi16(_mm256_loadu_si256(bytes + 1));
      V::store_i(to, _mm512_permutex2var_epi32(a, even, b));
      V::store_i(to + kPanelColumns, _mm512_permutex2var_epi32(a, odd, b));
      from += kByteGroup * kPanelColumns;
      to += 2 * kPanelColumns;
    }
  }
};

}  // namespace

const IsaInt8 kAvx512Int8 = {quantize<Avx512>, linear_lanes<DotAvx512>};

}  // namespace millrace::nn
