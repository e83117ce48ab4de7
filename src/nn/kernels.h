// Arithmetic on matrices of float and of bytes, one implementation for each instruction set, chosen
// once at start. All implementations agree bit for bit, but for bf16: sums of floats over K run in
// order with FMA and are vectorised over N, sums of bytes are integers; other reductions use one
// fixed order of 16 lanes; exp, erf and tanh are our own.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "nn/bf16_matrix.h"
#include "nn/isa_kernels.h"
#include "nn/quantized.h"

namespace millrace::nn {

// Changes whenever any bit of any result does; part of every numeric identity.
inline constexpr int kKernelRevision = 1;

// B of C = A x B, [K x N], packed in panels for the micro-kernels; the layout is the same for every
// instruction set. Made once at load, shared by all threads. N is padded with zeros inside.
class PackedMatrix {
 public:
  PackedMatrix() = default;
  PackedMatrix(size_t k, size_t n);
  size_t k() const { return k_; }
  size_t n() const { return n_; }
  const float* panels() const { return data_.get(); }
  float* panels() { return data_.get(); }
  // Fills columns [n_begin, n_end) from `weight`, [N x K] row-major as torch.nn.Linear stores it.
  // Ranges that start at multiples of kPanel may be filled by several threads at once.
  void fill_from_linear(const float* weight, size_t n_begin, size_t n_end);
  static constexpr size_t kPanel = kPanelColumns;

 private:
  struct Free {
    void operator()(float* p) const;
  };
  size_t k_ = 0;
  size_t n_ = 0;
  std::unique_ptr<float[], Free> data_;  // 64-byte aligned
};

struct Kernels {
  const char* name;  // as in kernel_names()
  // For people: how products are made in fp32, int8 and bf16. bf16 is null where there is none.
  const char* floats;
  const char* bytes;
  const char* halves;

  // out[m x n] = activation(a[m x k] x b + bias). Row i's bits do not depend on m or on i.
  // lda, ldo in floats. bias has n entries. out may not overlap a.
  void (*linear)(const float* a, size_t lda, size_t m, const PackedMatrix& b, const float* bias,
                 Activation activation, float* out, size_t ldo);

  // Multi-head self-attention of one sequence: for each head h of width d,
  // out[:, h] = softmax(q_h k_h^T * scale) v_h, for the first `queries` rows of q (1 where only the
  // first token is needed, else `length`). q, k, v are [length x ld], heads side by side; scale >
  // 0. `scratch` has attention_scratch(length, d) floats, 64-byte aligned.
  void (*attention)(const float* q, const float* k, const float* v, size_t ld, size_t length,
                    size_t queries, size_t heads, size_t d, float scale, float* scratch, float* out,
                    size_t ldo);

  // x[r] = layer_norm(x[r] + residual[r]) * gamma + beta for each of m rows of n; residual may be
  // null. Mean and variance in the fixed order.
  void (*add_layer_norm)(float* x, size_t ldx, const float* residual, size_t ldr, size_t m,
                         size_t n, const float* gamma, const float* beta, float eps);

  // m rows of n floats in bytes, each with a scale and a zero point of its own: 0 and the row's
  // least and greatest value are in range. Bytes between n and the stride become 0. A row's bits do
  // not depend on m or on its place. No row is refused: see QuantizedRows::scale.
  void (*quantize)(const float* x, size_t ldx, size_t m, size_t n, const QuantizedRows& to);

  // out[m x n] = activation(a[m x k] x b + bias), products and sums of bytes, exact; the rest in
  // float. Row i's bits do not depend on m or on i. out may not overlap a.
  void (*linear_int8)(const QuantizedRows& a, size_t m, const QuantizedMatrix& b, const float* bias,
                      Activation activation, float* out, size_t ldo);

  // m rows of n floats in bf16, to nearest, halves to even, bf16_row_stride(n) apart. Entries
  // between n and the stride become 0. Null where the instruction set has no bf16.
  void (*round_bf16)(const float* x, size_t ldx, size_t m, size_t n, uint16_t* halves);

  // out[m x n] = activation(a[m x k] x b + bias), products of bf16 summed in float. Row i's bits do
  // not depend on m or on i, but on the CPU: how such an instruction rounds is the maker's choice.
  // out may not overlap a. Null where the instruction set has no bf16.
  void (*linear_bf16)(const uint16_t* a, size_t m, const Bf16Matrix& b, const float* bias,
                      Activation activation, float* out, size_t ldo);

  // x[i] = activation(x[i]).
  void (*activate)(float* x, size_t n, Activation activation);
  // Probabilities of one row of n logits (softmax or per-entry sigmoid), in float.
  void (*softmax)(const float* logits, size_t n, float* out);
  void (*sigmoid)(const float* logits, size_t n, float* out);
};

size_t attention_scratch(size_t length, size_t d);

// The best kernels this CPU runs, or the named ones, of "avx512_bf16", "avx512_vnni", "avx512",
// "avx2_vnni", "avx2", "reference".
// nullptr: no such name, or this CPU cannot run it.
const Kernels* find_kernels(std::string_view isa = {});
// All names that this CPU can run, best first.
std::vector<std::string> kernel_names();

// Fastest float conversions at load: IEEE half and bfloat16 to float, exact.
void half_to_float(const uint16_t* from, size_t n, float* to);
void bfloat16_to_float(const uint16_t* from, size_t n, float* to);
// True where every value is finite.
bool all_finite(const float* values, size_t n);

}  // namespace millrace::nn
