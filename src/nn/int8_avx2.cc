// The byte kernels for AVX2. Its instruction for bytes saturates (255 x 127 twice does not fit into
// 16 bits), so bytes become 16-bit integers, which it multiplies exactly and twice as many at a
// time as floats: A when its block is copied, B a tile's width at a time.
#include "nn/isa_kernels.h"
#include "nn/vector_avx2.h"
#include "nn/vector_int8.h"
#include "nn/vector_lanes.h"

namespace millrace::nn {
namespace {

struct DotAvx2 : ByteProducts<Avx2> {
  static constexpr size_t kDepth = 2;
  static constexpr size_t kTileRows = 6;
  static constexpr size_t kTileVectors = 2;

  MR_NN_MEMBER __m256i dot(__m256i sum, __m256i a, __m256i b) {
    // The addition by hand, in place and in the order of the source: the tile fills all 16
    // registers, and a compiler that runs products ahead of sums spills half of them in each step.
    const __m256i product = _mm256_madd_epi16(a, b);
    asm volatile("vpaddd %1, %0, %0" : "+x"(sum) : "x"(product));
    return sum;
  }
  MR_NN_MEMBER __m256i load_row(const unsigned char* p) {
    return _mm256_cvtepu8_epi16(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
  }
  // Four columns of a group of four entries, as 16-bit integers.
  MR_NN_MEMBER __m256 load_columns(const signed char* p) {
    const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
    return _mm256_castsi256_ps(_mm256_cvtepi8_epi16(bytes));
  }
  // Of eight columns one pair: they lie 0 1 4 5 2 3 6 7.
  MR_NN_MEMBER void store_pairs(int* p, __m256 pairs) {
    V::store_i(p, _mm256_permute4x64_epi64(_mm256_castps_si256(pairs), 0xD8));
  }
  // From groups of four entries to pairs: a line of the panel becomes two lines of 16 columns for
  // each of the two pairs.
  MR_NN_MEMBER void widen_panel(const signed char* from, size_t steps, int* to) {
    for (size_t i = 0; i < steps; i += 2) {
      MR_NN_UNROLL
      for (size_t half = 0; half < 2; ++half) {
        const __m256 a = load_columns(from + half * 32);
        const __m256 b = load_columns(from + half * 32 + 16);
        store_pairs(to + half * 8, _mm256_shuffle_ps(a, b, 0x88));
        store_pairs(to + half * 8 + kPanelColumns, _mm256_shuffle_ps(a, b, 0xDD));
      }
      from += kByteGroup * kPanelColumns;
      to += 2 * kPanelColumns;
    }
  }
};

}  // namespace

const IsaInt8 kAvx2Int8 = {quantize<Avx2>, linear_lanes<DotAvx2>};

}  // namespace millrace::nn
