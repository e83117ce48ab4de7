// The kernels of wider instruction sets, with their intrinsics emulated, as the tests of src/nn see
// them. They are emulated by AVX2, so a CPU without has none of them.
#include "nn/isa_adapter.h"
#include "nn/kernels_testing.h"

namespace millrace::nn {

extern const IsaKernels kEmulatedAvx512Kernels;
extern const IsaInt8 kEmulatedAvx512Int8;
extern const IsaInt8 kEmulatedAvx512VnniInt8;
extern const IsaInt8 kEmulatedAvx2VnniInt8;
extern const IsaBf16 kEmulatedAvx512Bf16;

std::vector<const Kernels*> fast_kernels() {
  if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma")) return {};
  static const Kernels kKernels[] = {
      Adapter<kEmulatedAvx512Kernels, kEmulatedAvx512VnniInt8, kEmulatedAvx512Bf16>::kernels(
          "emulated avx512_bf16", "", "", ""),
      Adapter<kEmulatedAvx512Kernels, kEmulatedAvx512Int8>::kernels("emulated avx512", "", "",
                                                                    nullptr),
      Adapter<kAvx2Kernels, kEmulatedAvx2VnniInt8>::kernels("emulated avx2_vnni", "", "", nullptr)};
  std::vector<const Kernels*> list;
  for (const Kernels& kernels : kKernels) list.push_back(&kernels);
  return list;
}

}  // namespace millrace::nn
