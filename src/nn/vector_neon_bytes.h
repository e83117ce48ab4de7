// What the ways of arm64 to multiply bytes have in common: both factors are signed, so 128 is taken
// off activations here and off their zero points when sums are finished.
#pragma once

#include "nn/vector_int8.h"
#include "nn/vector_neon.h"

namespace millrace::nn {
namespace {

struct NeonBytes : ByteProducts<Neon> {
  static constexpr int kTakenOff = 128;
  static constexpr size_t kDepth = 4;
  static constexpr size_t kTileRows = 6;
  static constexpr size_t kTileVectors = 4;

  MR_NN_MEMBER int32x4_t load_row(const unsigned char* p) {
    return vreinterpretq_s32_u8(veorq_u8(vld1q_u8(p), vdupq_n_u8(0x80)));
  }
};

}  // namespace
}  // namespace millrace::nn
