// The byte kernels for arm64 with dot products of four signed bytes.
#include "nn/isa_kernels.h"
#include "nn/vector_int8.h"
#include "nn/vector_lanes.h"
#include "nn/vector_neon_bytes.h"

namespace millrace::nn {
namespace {

struct DotNeonDot : NeonBytes {
  MR_NN_MEMBER int32x4_t dot(int32x4_t sum, int32x4_t a, int32x4_t b) {
    return vdotq_s32(sum, vreinterpretq_s8_s32(a), vreinterpretq_s8_s32(b));
  }
};

}  // namespace

const IsaInt8 kNeonDotInt8 = {quantize<Neon>, linear_lanes<DotNeonDot>};

}  // namespace millrace::nn
