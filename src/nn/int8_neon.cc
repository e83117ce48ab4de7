// The byte kernels for arm64 without dot products: bytes are multiplied to 16 bits, which
// neighbours add up to 32.
#include "nn/isa_kernels.h"
#include "nn/vector_int8.h"
#include "nn/vector_lanes.h"
#include "nn/vector_neon_bytes.h"

namespace millrace::nn {
namespace {

struct DotNeon : NeonBytes {
  MR_NN_MEMBER int32x4_t dot(int32x4_t sum, int32x4_t a, int32x4_t b) {
    const int8x16_t x = vreinterpretq_s8_s32(a);
    const int8x16_t y = vreinterpretq_s8_s32(b);
    const int32x4_t low = vpaddlq_s16(vmull_s8(vget_low_s8(x), vget_low_s8(y)));
    const int32x4_t high = vpaddlq_s16(vmull_high_s8(x, y));
    return vaddq_s32(sum, vpaddq_s32(low, high));
  }
};

}  // namespace

const IsaInt8 kNeonInt8 = {quantize<Neon>, linear_lanes<DotNeon>};

}  // namespace millrace::nn
