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

  MR_NN_MEMBER Sum dot(Sum sum, __m256i a, __m256i b) {
    // The addition by hand, in place and in the order of the source: the tile fills all 16
    // registers, and a compiler that runs products ahead of sums spills half of them in each step.
    const __m256i product = _mm256_madd_epi16(a, b);
    asm volatile("vpaddd %1, %0, %0" : "+x"(sum) : "x"(product));
    return sum;
  }
  // The even entries of each group of four before the odd ones, as panels have them.
  MR_NN_MEMBER __m256i load_row(const unsigned char* p) {
    const __m128i order = _mm_setr_epi8(0, 2, 1, 3, 4, 6, 5, 7, 8, 10, 9, 11, 12, 14, 13, 15);
    const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
    return _mm256_cvtepu8_epi16(_mm_shuffle_epi8(bytes, order));
  }
};

}  // namespace

const IsaInt8 kAvx2Int8 = {quantize<Avx2>, linear_lanes<DotAvx2>};

}  // namespace millrace::nn
