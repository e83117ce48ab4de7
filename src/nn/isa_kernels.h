// What the file of each instruction set gives to kernels.cc, in plain types: such files may include
// only this header and intrinsics, because an inline function of the standard library that is
// compiled there for a wide instruction set could be the copy that the linker keeps for all CPUs.
#pragma once

#include <cstddef>

namespace millrace::nn {

// kGelu: exact, by erf. kGeluTanh: the approximation by tanh.
enum class Activation { kNone, kRelu, kGelu, kGeluTanh, kTanh };

// Columns of a panel of a packed matrix: one cache line for each k. (AVX2 wants one panel at a time
// without gaps between its lines, or half of the L1 cache stays unused; AVX-512 reads two.)
inline constexpr size_t kPanelColumns = 16;
// Lanes of every reduction: element i belongs to lane i mod 16 whatever the register width.
inline constexpr size_t kLanes = 16;

// Tiles of A are copied in blocks of this many columns before they are multiplied, so that a tile
// and its block of B stay in the first two cache levels. Does not touch the order of sums.
inline constexpr size_t kBlockK = 384;
// Distance of rows in such a copy: an odd number of cache lines, so that rows never fall into the
// same set of the L1 cache as they do with distances of 768 or 3,072 floats.
inline constexpr size_t kPitch = kBlockK + 16;
// No instruction set has tiles of more rows.
inline constexpr size_t kTileRowsMax = 16;

struct LinearArgs {
  const float* a;
  size_t lda;
  size_t m;
  const float* panels;  // of PackedMatrix
  size_t k;
  size_t n;
  const float* bias;
  Activation activation;
  float* out;
  size_t ldo;
};

struct AttentionArgs {
  const float* q;
  const float* k;
  const float* v;
  size_t ld;
  size_t length;
  size_t queries;
  size_t heads;
  size_t d;
  float scale;
  float* scratch;
  float* out;
  size_t ldo;
};

struct LayerNormArgs {
  float* x;
  size_t ldx;
  const float* residual;  // or null
  size_t ldr;
  size_t m;
  size_t n;
  const float* gamma;
  const float* beta;
  float eps;
};

// Rows of x as bytes: x[r][i] is about scale[r] * (bytes[r][i] - zero[r]). Rows of bytes are
// ldb >= n apart, a multiple of kByteRowStep, and written up to there.
struct QuantizeArgs {
  const float* x;
  size_t ldx;
  size_t m;
  size_t n;
  unsigned char* bytes;
  size_t ldb;
  float* scale;
  int* zero;
};

struct LinearInt8Args {
  const unsigned char* a;  // as QuantizeArgs leaves it
  size_t lda;
  const float* a_scale;
  const int* a_zero;
  size_t m;
  const signed char* panels;  // of QuantizedMatrix
  const float* b_scale;
  const int* b_sum;
  size_t k;
  size_t n;
  const float* bias;
  Activation activation;
  float* out;
  size_t ldo;
};

// Rows of x rounded to bf16, to nearest, halves to even. Rows are ldh >= n apart, a multiple of
// kHalfRowStep, and written up to there.
struct RoundBf16Args {
  const float* x;
  size_t ldx;
  size_t m;
  size_t n;
  unsigned short* halves;
  size_t ldh;
};

struct LinearBf16Args {
  const unsigned short* a;  // as RoundBf16Args leaves it
  size_t lda;
  size_t m;
  const unsigned short* panels;  // of Bf16Matrix
  size_t k;
  size_t n;
  const float* bias;
  Activation activation;
  float* out;
  size_t ldo;
};

// Rows of bytes start at multiples of this.
inline constexpr size_t kByteRowStep = 64;
// Entries of k that lie side by side in a panel of bytes, for the instructions that multiply four
// at a time. K is padded to whole groups.
inline constexpr size_t kByteGroup = 4;
// The same of bf16.
inline constexpr size_t kHalfRowStep = 32;
inline constexpr size_t kHalfGroup = 2;
// What no float of this size or less can change: rows and columns of weights whose range is smaller
// count as zero, so that no reciprocal overflows.
inline constexpr float kNoRange = 0x1p-100F;

// x in bytes is round(x / scale) + zero: rounded by adding this, whose lowest bits then hold the
// integer. Rounds halves to even, as every instruction set adds.
inline constexpr float kRoundBytes = 0x1.8p+23F;

// The functions of nn::Kernels that work in bytes; see there.
struct IsaInt8 {
  void (*quantize)(const QuantizeArgs& args);
  void (*linear)(const LinearInt8Args& args);
};

// The functions of nn::Kernels that work in bf16; null where an instruction set has none.
struct IsaBf16 {
  void (*round)(const RoundBf16Args& args);
  void (*linear)(const LinearBf16Args& args);
};

// The functions of nn::Kernels; see there.
struct IsaKernels {
  void (*linear)(const LinearArgs& args);
  void (*attention)(const AttentionArgs& args);
  void (*add_layer_norm)(const LayerNormArgs& args);
  void (*activate)(float* x, size_t n, Activation activation);
  void (*softmax)(const float* logits, size_t n, float* out);
  void (*sigmoid)(const float* logits, size_t n, float* out);
};

extern const IsaKernels kReferenceKernels;
extern const IsaKernels kAvx2Kernels;
extern const IsaKernels kAvx512Kernels;
extern const IsaKernels kNeonKernels;

extern const IsaInt8 kReferenceInt8;
extern const IsaInt8 kAvx2Int8;
extern const IsaInt8 kAvx2VnniInt8;
extern const IsaInt8 kAvx512Int8;
extern const IsaInt8 kAvx512VnniInt8;
extern const IsaInt8 kNeonInt8;
extern const IsaInt8 kNeonDotInt8;

extern const IsaBf16 kReferenceBf16;  // for tests: nobody wants its speed
extern const IsaBf16 kAvx512Bf16;

}  // namespace millrace::nn
